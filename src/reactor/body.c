/* What libcurl hands over: lines of the head, pieces of the body, and what it asks for of ours. A callback that does not want
 * to go on says why in `refused` and returns an error; the transfer then ends in tide_transfer_ran. */
#include "base/error.h"
#include "reactor/inflate.h"
#include "reactor/reactor.h"
#include "reactor/transfer_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FIRST_RESERVE = 8 * 1024 * 1024, MAX_SKIPPED = 1024 * 1024, MAX_ERROR_BODY = 1024 * 1024, USUAL_HEAD = 500 };

/* ---- the head ---- */

void tide_body_head_over(struct tide_transfer *t)
{
    if (t->request.sink != TIDE_SINK_STREAM || t->has_head)
        return;
    tide_easy_take_head(t);
    tide_strbuf_clear(&t->response.url);
    tide_strbuf_puts(&t->response.url, t->target.url);
    tide_mutex_lock(&t->operation.lock);
    t->has_head = true;
    tide_operation_unlock_and_wake(&t->operation);
}

const char *tide_body_header(struct tide_transfer *t, const char *name, char *out, size_t room)
{
    const char *line = tide_strbuf_text(&t->response.head), *found = NULL;
    size_t size = strlen(name), found_size = 0;
    while ((line = strchr(line, '\n'))) {
        line++;
        if (strncasecmp(line, name, size) != 0 || line[size] != ':')
            continue;
        found = line + size + 1;
        found += strspn(found, " \t");
        found_size = strcspn(found, "\r\n");
        while (found_size && (found[found_size - 1] == ' ' || found[found_size - 1] == '\t'))
            found_size--;
    }
    if (!found || found_size >= room)
        return NULL;
    memcpy(out, found, found_size);
    out[found_size] = '\0';
    return out;
}

/* "HTTP/1.1 200 OK", "HTTP/2 200" */
static int status_of(const char *line, size_t size)
{
    const char *space = memchr(line, ' ', size);
    return space && space + 4 <= line + size ? atoi(space + 1) : 0;
}

static bool is_blank(const char *line, size_t size)
{
    return size == 0 || line[0] == '\r' || line[0] == '\n';
}

/* RFC 9112, section 6.3: what contradicts itself may be somebody's attempt to smuggle a response. */
static bool lengths_agree(struct tide_transfer *t)
{
    const char *line = tide_strbuf_text(&t->response.head);
    long long first = -1;
    while ((line = strchr(line, '\n'))) {
        line++;
        if (strncasecmp(line, "Content-Length:", 15) != 0)
            continue;
        long long length = strtoll(line + 15, NULL, 10);
        if (first >= 0 && length != first)
            return false;
        first = length;
    }
    return true;
}

/* A blank line: of an answer on the way (1xx, or a challenge that libcurl answers itself), or of the last one. */
static void end_head(struct tide_transfer *t)
{
    if (t->response.status < 200)
        return;
    t->skip_body = tide_redirect_wanted(t);
    t->head_over = true;
    bool challenge = t->response.status == 401 && t->request.auth == TIDE_AUTH_DIGEST && t->send_secrets;
    if (!t->skip_body && !challenge)
        tide_body_head_over(t);
}

size_t tide_body_header_cb(char *data, size_t one, size_t count, void *arg)
{
    struct tide_transfer *t = arg;
    size_t size = one * count;
    t->active_at = tide_reactor_now_ns();
    if (size >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        if (t->has_head)
            return size; /* a trailer in disguise: the head that was told stands */
        tide_strbuf_clear(&t->response.head);
        tide_strbuf_reserve(&t->response.head, USUAL_HEAD);
        t->response.status = status_of(data, size);
        t->head_over = false;
    }
    if (t->head_over)
        return size; /* a trailer */
    tide_strbuf_append(&t->response.head, data, size);
    if (t->response.head.failed || t->response.head.size > TIDE_MAX_HEAD) {
        t->refused = t->response.head.failed ? "memory" : "headers";
        return 0;
    }
    if (!is_blank(data, size))
        return size;
    if (!lengths_agree(t)) {
        t->refused = "length";
        return 0;
    }
    end_head(t);
    return size;
}

/* ---- the body ---- */

static size_t refuse(struct tide_transfer *t, const char *why)
{
    t->refused = why;
    return 0;
}

/* Before the first piece: room for all of it, if its size is told and can be believed. */
static bool fits(struct tide_transfer *t)
{
    curl_off_t size = -1;
    tide_curl.curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
    if (size < 0)
        return true;
    if ((uint64_t)size > t->request.max_body)
        return false;
    if (t->request.sink == TIDE_SINK_MEMORY)
        tide_strbuf_reserve(&t->response.body, size < FIRST_RESERVE ? (size_t)size : FIRST_RESERVE);
    return true;
}

/* A stream of which too much lies unread takes nothing more for now. */
static bool pauses(struct tide_transfer *t)
{
    if (t->request.sink != TIDE_SINK_STREAM)
        return false;
    tide_mutex_lock(&t->operation.lock);
    t->paused = t->ready.size >= TIDE_STREAM_FULL;
    bool paused = t->paused;
    tide_mutex_unlock(&t->operation.lock);
    return paused;
}

static size_t to_stream(struct tide_transfer *t, const char *data, size_t size)
{
    tide_mutex_lock(&t->operation.lock);
    tide_strbuf_append(&t->ready, data, size);
    bool failed = t->ready.failed;
    tide_operation_unlock_and_wake(&t->operation);
    return failed ? refuse(t, "memory") : size;
}

static size_t to_memory(struct tide_transfer *t, const char *data, size_t size)
{
    tide_strbuf_append(&t->response.body, data, size);
    return t->response.body.failed ? refuse(t, "memory") : size;
}

/* Only a success goes to the file; what the server says about a failure is kept, up to a limit, as the body. */
static size_t to_file(struct tide_transfer *t, const char *data, size_t size)
{
    if (t->response.status >= 300)
        return t->response.body.size > MAX_ERROR_BODY ? size : to_memory(t, data, size);
    switch (tide_sink_write(t, data, size)) {
    case 0:
        return size;
    case 1:
        t->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    default:
        return refuse(t, "file");
    }
}

/* Takes a decoded piece: its size; 0 with `refused`, or CURL_WRITEFUNC_PAUSE. */
static size_t take(struct tide_transfer *t, const char *data, size_t size)
{
    size_t taken;
    if (t->response.received + size > t->request.max_body)
        return refuse(t, "too_large");
    if (t->request.sink == TIDE_SINK_STREAM)
        taken = to_stream(t, data, size);
    else if (t->request.sink == TIDE_SINK_FILE)
        taken = to_file(t, data, size);
    else
        taken = to_memory(t, data, size);
    if (taken == size)
        t->response.received += size;
    return taken;
}

static bool take_inflated(void *arg, const char *data, size_t size)
{
    return take(arg, data, size) == size; /* no file: what goes there is not decoded */
}

/* Before the first piece. False with `refused`. */
static bool begin_body(struct tide_transfer *t)
{
    char encoding[16];
    t->began_body = true;
    if (t->request.decode && tide_body_header(t, "Content-Encoding", encoding, sizeof encoding) &&
        tide_inflate_knows(encoding)) {
        t->inflate = tide_inflate_new();
        if (!t->inflate)
            t->refused = "memory";
    } else if (!fits(t)) {
        t->refused = "too_large";
    }
    if (!t->refused)
        tide_body_head_over(t);
    return !t->refused;
}

size_t tide_body_write_cb(char *data, size_t one, size_t count, void *arg)
{
    struct tide_transfer *t = arg;
    size_t size = one * count;
    t->active_at = tide_reactor_now_ns();
    if (t->skip_body)
        return (t->response.received += size) > MAX_SKIPPED ? 0 : size;
    if (!t->began_body && !begin_body(t))
        return 0;
    if (pauses(t))
        return CURL_WRITEFUNC_PAUSE;
    if (!t->inflate)
        return take(t, data, size);
    int failed = tide_inflate_add(t->inflate, data, size, take_inflated, t);
    if (failed && !t->refused)
        t->refused = failed == TIDE_ENOMEM ? "memory" : "encoding";
    return failed ? 0 : size;
}

bool tide_body_complete(struct tide_transfer *t)
{
    return !t->inflate || tide_inflate_is_complete(t->inflate);
}

/* ---- what is sent ---- */

size_t tide_body_read_cb(char *data, size_t one, size_t count, void *arg)
{
    struct tide_transfer *t = arg;
    size_t room = one * count, left = t->request.body_size - t->body_sent, size = left < room ? left : room;
    t->active_at = tide_reactor_now_ns();
    memcpy(data, t->request.body + t->body_sent, size);
    t->body_sent += size;
    return size;
}

int tide_body_seek_cb(void *arg, curl_off_t offset, int origin)
{
    struct tide_transfer *t = arg;
    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > t->request.body_size)
        return CURL_SEEKFUNC_FAIL;
    t->body_sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}
