#include "reactor/multi.h"

#include "base/alloc.h"
#include "base/error.h"
#include "reactor/reactor.h"
#include "reactor/transfer_run.h"

#include <unistd.h>
#include <uv.h>

/* A socket of libcurl's. */
struct watch {
    uv_poll_t poll;
    int events;   /* that are polled for; 0: none */
    bool idle;    /* libcurl does not want to hear of it at present */
};

/* reactor */
static CURLM *multi;
static uv_timer_t timer;
static struct watch **watches; /* by descriptor */
static size_t watch_room;
static bool due;               /* libcurl wants to be called at once */
static struct tide_list unwatched = {&unwatched, &unwatched}; /* transfers whose socket could not be watched */

/* ---- transfers that ended ---- */

static void end_transfers(void)
{
    int left;
    for (CURLMsg *message; (message = tide_curl.curl_multi_info_read(multi, &left));) {
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result; /* the message goes with the handle */
        struct tide_transfer *transfer = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        tide_curl.curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
        tide_multi_remove(transfer);
        tide_transfer_ran(transfer, code);
    }
}

static void act(curl_socket_t fd, int events)
{
    int running;
    tide_curl.curl_multi_socket_action(multi, fd, events, &running);
    end_transfers();
}

/* ---- the timer ---- */

static void due_cb(uv_timer_t *handle)
{
    (void)handle;
    act(CURL_SOCKET_TIMEOUT, 0);
}

static int timer_cb(CURLM *handle, long ms, void *arg)
{
    (void)handle;
    (void)arg;
    due = ms == 0;
    if (ms > 0)
        uv_timer_start(&timer, due_cb, (uint64_t)ms, 0);
    else
        uv_timer_stop(&timer);
    return 0;
}

/* ---- sockets ---- */

static struct watch *find(curl_socket_t fd)
{
    return (size_t)fd < watch_room ? watches[fd] : NULL;
}

static void stop_watching(struct watch *watch)
{
    if (watch->events)
        uv_poll_stop(&watch->poll);
    watch->events = 0;
}

static void poll_cb(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = tide_container(poll, struct watch, poll);
    if (watch->idle) { /* the server closed it, or speaks unasked: libcurl looks before it uses the connection again */
        stop_watching(watch);
        return;
    }
    uv_os_fd_t fd = -1;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    flags |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
    flags |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
    if (uv_fileno((uv_handle_t *)poll, &fd) == 0)
        act(fd, flags);
}

static bool make_room(size_t fd)
{
    if (fd < watch_room)
        return true;
    size_t room = watch_room ? watch_room : 64;
    while (room <= fd)
        room *= 2;
    struct watch **larger = tide_realloc(watches, room * sizeof *watches);
    if (!larger)
        return false;
    for (size_t i = watch_room; i < room; i++)
        larger[i] = NULL;
    watches = larger;
    watch_room = room;
    return true;
}

static struct watch *new_watch(curl_socket_t fd)
{
    struct watch *watch = make_room((size_t)fd) ? tide_calloc(1, sizeof *watch) : NULL;
    if (!watch)
        return NULL;
    if (uv_poll_init(tide_reactor_loop(), &watch->poll, fd)) {
        tide_free(watch);
        return NULL;
    }
    watches[fd] = watch;
    return watch;
}

/* Nothing may be removed inside of a callback. */
static void fail_later(CURL *easy)
{
    struct tide_transfer *transfer = NULL;
    tide_curl.curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    if (transfer && !tide_list_linked(&transfer->unwatched))
        tide_list_append(&unwatched, &transfer->unwatched);
}

static void fail_unwatched(void)
{
    struct tide_list *link;
    while ((link = tide_list_pop(&unwatched))) {
        struct tide_transfer *transfer = tide_container(link, struct tide_transfer, unwatched);
        tide_transfer_fail(transfer, "memory", "%s: not enough memory to watch its socket", transfer->target.url);
    }
}

static int socket_cb(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct watch *watch = find(fd);
    (void)arg;
    (void)socket_arg;
    if (what == CURL_POLL_REMOVE) {
        if (watch && watch->events & UV_WRITABLE) /* it would be writable all the time */
            stop_watching(watch);
        if (watch)
            watch->idle = true;
        return 0;
    }
    if (!watch)
        watch = new_watch(fd);
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    if (!watch || (events != watch->events && uv_poll_start(&watch->poll, events, poll_cb) != 0)) {
        fail_later(easy); /* -1 instead would be the end of all transfers, but only when they are next looked at */
        return 0;
    }
    watch->idle = false;
    watch->events = events;
    return 0;
}

static void closed_cb(uv_handle_t *handle)
{
    tide_free(tide_container(handle, struct watch, poll));
}

static void forget(curl_socket_t fd)
{
    struct watch *watch = find(fd);
    if (!watch)
        return;
    watches[fd] = NULL;
    uv_close((uv_handle_t *)&watch->poll, closed_cb);
}

/* Not asked for a socket that is given up before it is connected (7.88): its watch, which is stopped by then, stays for the
 * next socket with that number. */
int tide_multi_close_socket_cb(void *arg, curl_socket_t fd)
{
    (void)arg;
    forget(fd); /* stops it before the descriptor goes */
    return close(fd);
}

void tide_multi_turn(void)
{
    do {
        fail_unwatched();
        if (due) {
            due = false;
            act(CURL_SOCKET_TIMEOUT, 0);
        }
    } while (due || !tide_list_empty(&unwatched));
}

/* ---- life ---- */

int tide_multi_start(void)
{
    if (multi)
        return 0;
    multi = tide_curl.curl_multi_init();
    if (!multi)
        return TIDE_ENOMEM;
    uv_timer_init(tide_reactor_loop(), &timer);
    tide_curl.curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket_cb);
    tide_curl.curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer_cb);
    return 0;
}

/* As many idle connections are kept as transfers may run; the limit may have been changed. */
static void follow_limits(void)
{
    static uint32_t kept;
    uint32_t in_all, per_origin;
    tide_admission_limits(&in_all, &per_origin);
    if (in_all != kept)
        tide_curl.curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)in_all);
    kept = in_all;
}

int tide_multi_add(struct tide_transfer *transfer)
{
    follow_limits();
    return (int)tide_curl.curl_multi_add_handle(multi, transfer->easy);
}

void tide_multi_remove(struct tide_transfer *transfer)
{
    tide_curl.curl_multi_remove_handle(multi, transfer->easy);
    tide_list_remove(&transfer->unwatched);
}

void tide_multi_resume(struct tide_transfer *transfer)
{
    CURLcode code = tide_curl.curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
    if (code != CURLE_OK) { /* a callback refused what libcurl had kept: it only tells, and would wait for more */
        tide_multi_remove(transfer);
        tide_transfer_ran(transfer, code);
    }
    end_transfers();
}

void tide_multi_stop(void)
{
    if (!multi)
        return;
    tide_curl.curl_multi_cleanup(multi); /* closes all connections */
    multi = NULL;
    uv_timer_stop(&timer);
    for (size_t fd = 0; fd < watch_room; fd++)
        forget((curl_socket_t)fd);
    tide_free(watches);
    watches = NULL;
    watch_room = 0;
}
