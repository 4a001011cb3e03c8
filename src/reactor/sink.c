/* A body that goes to a file: two buffers, one is filled while libuv's pool writes the other. The reactor never waits for the
 * disk: it opens, closes and renames in the pool as well, and where both buffers are full the transfer pauses. The file
 * appears under its name when it is complete; until then, and never after a failure, there is NAME.part. */
#include "base/alloc.h"
#include "base/strbuf.h"
#include "reactor/multi.h"
#include "reactor/pool.h"
#include "reactor/reactor.h"
#include "reactor/transfer_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

enum { BUFFER = 1024 * 1024 };

struct tide_sink_file {
    struct tide_list link;    /* in `files` */
    struct tide_transfer *transfer;
    char *part;               /* the name until it is complete */
    int fd;
    char *filling, *writing;  /* buffers */
    size_t filled, written, to_write;
    bool busy;                /* the pool has it: opens, or writes */
    bool waits;               /* counts as busy: another one with this name has to go first */
    bool closing, keep;
    bool ending;              /* it is put away: nothing stops that any more */
    int error;                /* an errno */
    uv_fs_t request;
    uv_work_t end;
};

static struct tide_list files = {&files, &files}; /* reactor: in the order in which they came */

static void begin(struct tide_sink_file *file);

/* The first one of this name; NULL: there is none. */
static struct tide_sink_file *first_of(const char *part)
{
    tide_list_each (link, &files) {
        struct tide_sink_file *file = tide_container(link, struct tide_sink_file, link);
        if (strcmp(file->part, part) == 0)
            return file;
    }
    return NULL;
}

/* The next one of its name, if there is one, may begin. */
static void free_file(struct tide_sink_file *file)
{
    struct tide_sink_file *next = NULL;
    if (tide_list_linked(&file->link)) {
        tide_list_remove(&file->link);
        next = first_of(file->part);
    }
    tide_free(file->part);
    tide_free(file->filling);
    tide_free(file->writing);
    tide_free(file);
    if (next && next->waits)
        begin(next);
}

/* ---- the end ---- */

/* Whether there is something at `path` that a file must not take the place of: a device, a pipe, a socket. */
static bool is_special(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode) && !S_ISDIR(status.st_mode);
}

/* In the pool: nobody else has the file any more. */
static void put_away(uv_work_t *work)
{
    struct tide_sink_file *file = work->data;
    bool opened = file->fd >= 0;
    if (opened && close(file->fd) != 0 && !file->error)
        file->error = errno;
    file->fd = -1;
    if (file->keep && !file->error && is_special(file->transfer->request.path))
        file->error = ENOTSUP;
    if (file->keep && !file->error && rename(file->part, file->transfer->request.path) != 0)
        file->error = errno;
    if (opened && (!file->keep || file->error))
        unlink(file->part); /* a file that cannot be removed is only left over */
}

static void put_away_cb(uv_work_t *work, int status)
{
    struct tide_sink_file *file = work->data;
    struct tide_transfer *t = file->transfer;
    int error = file->error;
    (void)status; /* nobody cancels it */
    free_file(file);
    tide_transfer_written(t, error);
}

static void finish(struct tide_sink_file *file)
{
    file->end.data = file;
    file->ending = true;
    if (file->fd >= 0 && uv_queue_work(tide_reactor_loop(), &file->end, put_away, put_away_cb) == 0)
        return;
    put_away(&file->end);
    put_away_cb(&file->end, 0);
}

/* ---- writing ---- */

static void write_on(struct tide_sink_file *file);

/* The buffers change places, and the full one is written. */
static void swap(struct tide_sink_file *file)
{
    char *full = file->filling;
    file->filling = file->writing;
    file->writing = full;
    file->to_write = file->filled;
    file->filled = file->written = 0;
    write_on(file);
}

/* A write has ended, or there was none: what comes next. */
static void go_on(struct tide_sink_file *file)
{
    struct tide_transfer *t = file->transfer;
    if (file->closing && (file->error || !file->keep || !file->filled)) {
        finish(file);
    } else if (file->closing) {
        swap(file);
        if (!file->busy)
            finish(file);
    } else if (file->error) {
        tide_transfer_fail(t, "file", "cannot write '%s': %s", t->request.path, strerror(file->error));
    } else if (t->paused) {
        t->paused = false;
        t->active_at = tide_reactor_now_ns();
        tide_multi_resume(t); /* may end the transfer */
    }
}

/* The pool has given it back: its result, 0 where that is an error. */
static size_t take_result(struct tide_sink_file *file)
{
    ssize_t result = file->request.result;
    uv_fs_req_cleanup(&file->request);
    file->busy = false;
    if (result < 0)
        file->error = (int)-result;
    return result < 0 ? 0 : (size_t)result;
}

static void wrote_cb(uv_fs_t *request)
{
    struct tide_sink_file *file = request->data;
    file->written += take_result(file);
    if (!file->error && file->written < file->to_write)
        write_on(file);
    if (!file->busy)
        go_on(file);
}

static void write_on(struct tide_sink_file *file)
{
    uv_buf_t rest = uv_buf_init(file->writing + file->written, (unsigned)(file->to_write - file->written));
    file->request.data = file;
    file->busy = true;
    int failed = uv_fs_write(tide_reactor_loop(), &file->request, file->fd, &rest, 1, -1, wrote_cb);
    if (failed) {
        file->busy = false;
        file->error = -failed;
    }
}

/* ---- the beginning ---- */

static void opened_cb(uv_fs_t *request)
{
    struct tide_sink_file *file = request->data;
    int fd = (int)take_result(file);
    if (!file->error)
        file->fd = fd;
    go_on(file);
}

static void open_part(struct tide_sink_file *file)
{
    int flags = UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_TRUNC | O_CLOEXEC;
    file->request.data = file;
    file->waits = false;
    file->busy = true;
    int failed = uv_fs_open(tide_reactor_loop(), &file->request, file->part, flags, 0666, opened_cb);
    if (failed) {
        file->busy = false;
        file->error = -failed;
    }
}

/* Only one at a time writes to a name: another one, perhaps the next attempt, waits until it is put away, and begins then. */
static void begin(struct tide_sink_file *file)
{
    open_part(file);
    if (!file->busy)
        go_on(file);
}

static struct tide_sink_file *open_file(struct tide_transfer *t)
{
    struct tide_strbuf part = {0};
    struct tide_sink_file *file = tide_calloc(1, sizeof *file);
    if (!file)
        return NULL;
    tide_strbuf_printf(&part, "%s.part", t->request.path);
    file->transfer = t;
    file->part = tide_strbuf_detach(&part);
    file->filling = tide_malloc(BUFFER);
    file->writing = tide_malloc(BUFFER);
    file->fd = -1;
    if (!file->part || !file->filling || !file->writing) {
        file->error = ENOMEM;
        return file;
    }
    file->busy = file->waits = first_of(file->part) != NULL;
    tide_list_append(&files, &file->link);
    if (tide_pool_ready())
        file->error = errno;
    else if (!file->waits)
        open_part(file);
    return file;
}

int tide_sink_write(struct tide_transfer *t, const char *data, size_t size)
{
    if (!t->file)
        t->file = open_file(t);
    struct tide_sink_file *file = t->file;
    if (!file || file->error)
        return -1;
    if (file->filled + size > BUFFER) {
        if (file->busy)
            return 1;
        swap(file);
    }
    memcpy(file->filling + file->filled, data, size);
    file->filled += size;
    return file->error ? -1 : 0;
}

int tide_sink_open(struct tide_transfer *t)
{
    if (!t->file)
        t->file = open_file(t);
    return t->file ? 0 : -1;
}

void tide_sink_close(struct tide_transfer *t, bool keep)
{
    struct tide_sink_file *file = t->file;
    if (file->ending)
        return;
    file->closing = true;
    file->keep = keep;
    if (file->waits && !keep)
        file->busy = file->waits = false;
    if (!file->busy)
        go_on(file);
}
