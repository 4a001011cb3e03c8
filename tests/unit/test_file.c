#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/thread.h"
#include "base/time.h"
#include "formats/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/test_file.XXXXXX";
static char *data;
static size_t size;

static int setup(void **state)
{
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    unlink("f");
    unlink("fifo");
    return chdir("/") | rmdir(folder);
}

static void write_file(size_t count)
{
    FILE *f = fopen("f", "w");
    assert_non_null(f);
    for (size_t i = 0; i < count; i++)
        putc((int)(i % 251), f);
    assert_int_equal(fclose(f), 0);
}

static int load(const char *path, size_t most)
{
    errno = 0;
    return tide_file_load(path, most, (struct tide_stop){0}, &data, &size);
}

static void a_file_is_read_whole(void **state)
{
    size_t sizes[] = {0, 1, 16383, 16384, 16385, 1000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        write_file(sizes[i]);
        assert_int_equal(load("f", sizes[i]), 0);
        assert_int_equal(size, sizes[i]);
        for (size_t k = 0; k < size; k++)
            if ((unsigned char)data[k] != k % 251)
                fail();
        tide_free(data);
    }
}

static void one_byte_more_is_too_large(void **state)
{
    write_file(1000);
    assert_int_equal(load("f", 999), TIDE_ESYSTEM);
    assert_int_equal(errno, EFBIG);
    assert_int_equal(load("f", 0), TIDE_ESYSTEM);
    assert_int_equal(errno, EFBIG);
    assert_int_equal(load("f", SIZE_MAX), 0);
    tide_free(data);
    assert_int_equal(load("/dev/zero", 100000), TIDE_ESYSTEM);
    assert_int_equal(errno, EFBIG);
}

static void files_of_unknown_size_are_read(void **state)
{
    assert_int_equal(load("/proc/self/maps", SIZE_MAX), 0);
    assert_true(size > 100);
    tide_free(data);
    assert_int_equal(load("/dev/null", 0), 0);
    assert_int_equal(size, 0);
    tide_free(data);
}

static void what_is_no_file_is_told(void **state)
{
    assert_int_equal(load("nosuch", 1), TIDE_ESYSTEM);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(load(".", 1), TIDE_ESYSTEM);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(load("", 1), TIDE_ESYSTEM);
    assert_int_equal(errno, ENOENT);
}

static void *write_later(void *arg)
{
    int fd = open("fifo", O_WRONLY);
    for (int i = 0; i < 5; i++) {
        if (write(fd, "piece", 5) != 5)
            abort();
        usleep(2000);
    }
    close(fd);
    return NULL;
}

static void a_fifo_is_read_until_its_writer_closes(void **state)
{
    pthread_t writer;
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(tide_thread_start(&writer, 0, "writer", write_later, NULL), 0);
    assert_int_equal(load("fifo", 1000), 0);
    pthread_join(writer, NULL);
    assert_int_equal(size, 25);
    assert_memory_equal(data, "piecepiece", 10);
    tide_free(data);
    unlink("fifo");
}

static bool after_a_while(void *of)
{
    return tide_now_ns() > *(int64_t *)of;
}

static void a_fifo_without_a_writer_can_be_given_up(void **state)
{
    int64_t start = tide_now_ns(), until = start + TIDE_MS(20);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(tide_file_load("fifo", 1000, (struct tide_stop){after_a_while, &until}, &data, &size), TIDE_ECANCELED);
    assert_true(tide_now_ns() >= until);
    unlink("fifo");
}

static void without_memory_nothing_is_left(void **state)
{
    int failed = TIDE_ENOMEM;
    for (long n = 0; failed; n++) {
        tide_alloc_fail_after(n);
        failed = load("/proc/self/status", SIZE_MAX);
        tide_alloc_fail_after(-1);
        assert_true(failed == 0 || failed == TIDE_ENOMEM);
    }
    tide_free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_whole),
        cmocka_unit_test(one_byte_more_is_too_large),
        cmocka_unit_test(files_of_unknown_size_are_read),
        cmocka_unit_test(what_is_no_file_is_told),
        cmocka_unit_test(a_fifo_is_read_until_its_writer_closes),
        cmocka_unit_test(a_fifo_without_a_writer_can_be_given_up),
        cmocka_unit_test(without_memory_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
