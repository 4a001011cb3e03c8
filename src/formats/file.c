#include "formats/file.h"

#include "base/alloc.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEP_MS = 50, UNKNOWN_SIZE = 16 * 1024, PIECE = 4 * 1024 * 1024 };

static int wait_a_step(int fd)
{
    struct pollfd it = {.fd = fd, .events = POLLIN};
    return poll(&it, fd >= 0, STEP_MS);
}

/* O_NONBLOCK: a FIFO opens without a writer. A regular file answers EWOULDBLOCK while another program gives up its lease. */
static int open_it(const char *path, const struct tide_stop *stop)
{
    for (;;) {
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd >= 0 || (errno != EINTR && errno != EWOULDBLOCK) || tide_stop_asked(stop))
            return fd;
        if (errno == EWOULDBLOCK)
            wait_a_step(-1);
    }
}

int tide_file_open(struct tide_file *file, const char *path, struct tide_stop stop)
{
    struct stat about;
    *file = (struct tide_file){.fd = open_it(path, &stop), .stop = stop};
    if (file->fd < 0)
        return tide_stop_asked(&stop) ? TIDE_ECANCELED : TIDE_ESYSTEM;
    int problem = fstat(file->fd, &about) != 0 ? errno : S_ISDIR(about.st_mode) ? EISDIR : 0;
    if (problem) {
        tide_file_close(file);
        errno = problem;
        return TIDE_ESYSTEM;
    }
    file->plain = S_ISREG(about.st_mode);
    file->size = file->plain ? (uint64_t)about.st_size : 0;
    return 0;
}

void tide_file_close(struct tide_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

/* Until there is something to read, or the end. A FIFO that nobody has written to yet would read as ended. */
static int await(struct tide_file *file)
{
    int ready;
    do {
        if (tide_stop_asked(&file->stop))
            return TIDE_ECANCELED;
        ready = wait_a_step(file->fd);
    } while (ready == 0 || (ready < 0 && errno == EINTR));
    return ready < 0 ? TIDE_ESYSTEM : 0;
}

int tide_file_read(struct tide_file *file, void *buffer, size_t size, size_t *got)
{
    for (bool wait = !file->plain;; wait = wait || errno == EAGAIN) {
        int failed = wait ? await(file) : tide_stop_asked(&file->stop) ? TIDE_ECANCELED : 0;
        if (failed)
            return failed;
        ssize_t count = read(file->fd, buffer, size);
        if (count >= 0) {
            *got = (size_t)count;
            return 0;
        }
        if (errno != EINTR && errno != EAGAIN)
            return TIDE_ESYSTEM;
    }
}

/* Room for what is known to come and a byte, by which the end is seen; else twice as much. Never more than `most` and one. */
static int grow(char **data, size_t *room, size_t expected, size_t most)
{
    size_t wanted = *room ? *room * 2 : expected ? expected + 1 : UNKNOWN_SIZE;
    if (wanted > most)
        wanted = most + 1;
    char *grown = tide_realloc(*data, wanted);
    if (!grown)
        return TIDE_ENOMEM;
    *data = grown;
    *room = wanted;
    return 0;
}

static int load(struct tide_file *file, size_t most, char **data, size_t *size)
{
    size_t room = 0, got = 1;
    int failed = 0;
    while (!failed && got > 0) {
        if (*size > most || file->size > most) {
            errno = EFBIG;
            return TIDE_ESYSTEM;
        }
        if (*size == room)
            failed = grow(data, &room, (size_t)file->size, most);
        if (failed)
            break;
        failed = tide_file_read(file, *data + *size, room - *size < PIECE ? room - *size : PIECE, &got);
        *size += failed ? 0 : got;
    }
    return failed;
}

int tide_file_load(const char *path, size_t most, struct tide_stop stop, char **data, size_t *size)
{
    struct tide_file file;
    char *bytes = NULL;
    size_t count = 0;
    if (most == SIZE_MAX)
        most--;
    int failed = tide_file_open(&file, path, stop);
    if (failed)
        return failed;
    failed = load(&file, most, &bytes, &count);
    int problem = errno;
    tide_file_close(&file);
    if (failed) {
        tide_free(bytes);
        errno = problem;
        return failed;
    }
    *data = bytes;
    *size = count;
    return 0;
}
