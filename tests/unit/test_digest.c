#include "unit.h"

#include "base/error.h"
#include "base/thread.h"
#include "formats/digest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS = 200 };

static char problem[TIDE_LIBRARY_PROBLEM];

static void sum(enum tide_digest_kind kind, const char *bytes, size_t size, size_t piece, char hex[TIDE_DIGEST_HEX])
{
    struct tide_digest digest;
    if (tide_digest_load(kind, problem) != 0 || tide_digest_init(&digest, kind) != 0)
        abort();
    for (size_t at = 0; at < size; at += piece)
        tide_digest_add(&digest, bytes + at, size - at < piece ? size - at : piece);
    if (tide_digest_end(&digest, hex) != 0)
        abort();
    tide_digest_fini(&digest);
}

static void check(enum tide_digest_kind kind, const char *text, const char *expected)
{
    char hex[TIDE_DIGEST_HEX];
    sum(kind, text, strlen(text), SIZE_MAX / 2, hex);
    assert_string_equal(hex, expected);
    sum(kind, text, strlen(text), 1, hex);
    assert_string_equal(hex, expected);
}

/* The examples of FIPS 180 and RFC 1321. */
static void known_answers(void **state)
{
    const char *two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    check(TIDE_MD5, "", "d41d8cd98f00b204e9800998ecf8427e");
    check(TIDE_MD5, "abc", "900150983cd24fb0d6963f7d28e17f72");
    check(TIDE_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
    check(TIDE_SHA1, two_blocks, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    check(TIDE_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check(TIDE_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check(TIDE_SHA256, two_blocks, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    check(TIDE_SHA384, "abc",
          "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
    check(TIDE_SHA512, "abc",
          "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e"
          "2a9ac94fa54ca49f");
}

static void a_million_letters(void **state)
{
    char hex[TIDE_DIGEST_HEX], *letters = malloc(1000000);
    assert_non_null(letters);
    memset(letters, 'a', 1000000);
    sum(TIDE_SHA256, letters, 1000000, 4093, hex);
    free(letters);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static char folder[] = "/tmp/test_digest.XXXXXX";

static int setup(void **state)
{
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    unlink("f");
    return chdir("/") | rmdir(folder);
}

static void a_file_is_as_its_bytes(void **state)
{
    char hex[TIDE_DIGEST_HEX], expected[TIDE_DIGEST_HEX];
    size_t sizes[] = {0, 1, 16384, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 3000001};
    char *bytes = malloc(3000001);
    assert_non_null(bytes);
    for (size_t i = 0; i < 3000001; i++)
        bytes[i] = (char)(i * 31 >> 3);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        FILE *f = fopen("f", "w");
        assert_int_equal(fwrite(bytes, 1, sizes[i], f), sizes[i]);
        fclose(f);
        sum(TIDE_SHA1, bytes, sizes[i], 65536, expected);
        assert_int_equal(tide_digest_file(TIDE_SHA1, "f", (struct tide_stop){0}, hex), 0);
        assert_string_equal(hex, expected);
    }
    free(bytes);
    errno = 0;
    assert_int_equal(tide_digest_file(TIDE_SHA1, "nosuch", (struct tide_stop){0}, hex), TIDE_ESYSTEM);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(tide_digest_file(TIDE_SHA1, ".", (struct tide_stop){0}, hex), TIDE_ESYSTEM);
    assert_int_equal(errno, EISDIR);
}

static _Atomic int wrong;

static void *sum_often(void *arg)
{
    char hex[TIDE_DIGEST_HEX];
    for (int i = 0; i < ROUNDS; i++) {
        sum((enum tide_digest_kind)(i % TIDE_DIGEST_KINDS), "abc", 3, 3, hex);
        wrong += strncmp(hex, "90" "a9" "ba" "cb" "dd" + 2 * (i % TIDE_DIGEST_KINDS), 2) != 0;
    }
    return NULL;
}

/* First of all tests: so they load at the same time. */
static void threads_may_load_at_once(void **state)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(tide_thread_start(&threads[i], 0, "sum", sum_often, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_may_load_at_once),
        cmocka_unit_test(known_answers),
        cmocka_unit_test(a_million_letters),
        cmocka_unit_test_setup_teardown(a_file_is_as_its_bytes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
