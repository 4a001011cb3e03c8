#include "reactor/transfer.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "reactor/curl_load.h"
#include "reactor/inflate.h"
#include "reactor/multi.h"
#include "reactor/reactor.h"
#include "reactor/transfer_run.h"

#include <stdio.h>
#include <sys/resource.h>
#include <uv.h>

enum { SWEEP_MS = 200 };

/* reactor */
static struct tide_list live = {&live, &live};
static uv_timer_t sweeper;
static bool has_sweeper, sweeping;

/* ---- spare transfers, any thread ----
 * What the reactor allocates a worker would free, into an arena of malloc that the reactor is using: a lock that both wait for
 * (half of all calls of futex, measured). So transfers wait for the next request with the buffers that they have. */

enum { SPARES = 256, SPARE_BODY = 16 * 1024 };

static struct {
    struct tide_mutex lock; /* rank 33 */
    struct tide_transfer *first;
    int count;
} spare;

static void free_transfer(struct tide_transfer *t)
{
    tide_strbuf_fini(&t->response.head);
    tide_strbuf_fini(&t->response.body);
    tide_strbuf_fini(&t->response.url);
    tide_free(t);
}

/* Keeps the buffers of head, body and URL; everything else of `t` has been freed. False: there are enough. */
static bool put_spare(struct tide_transfer *t)
{
    if (t->response.body.room > SPARE_BODY)
        tide_strbuf_fini(&t->response.body);
    struct tide_response kept = {.head = t->response.head, .body = t->response.body, .url = t->response.url};
    tide_strbuf_clear(&kept.head);
    tide_strbuf_clear(&kept.body);
    tide_strbuf_clear(&kept.url);
    tide_mutex_lock(&spare.lock);
    bool room = spare.count < SPARES;
    if (room) {
        *t = (struct tide_transfer){.response = kept, .next_spare = spare.first};
        spare.first = t;
        spare.count++;
    }
    tide_mutex_unlock(&spare.lock);
    return room;
}

static struct tide_transfer *take_spare(void)
{
    tide_mutex_lock(&spare.lock);
    struct tide_transfer *t = spare.first;
    if (t) {
        spare.first = t->next_spare;
        spare.count--;
        t->next_spare = NULL;
    }
    tide_mutex_unlock(&spare.lock);
    return t ? t : tide_calloc(1, sizeof *t);
}

void tide_transfer_free_spares(void)
{
    tide_mutex_lock(&spare.lock);
    struct tide_transfer *t = spare.first;
    spare.first = NULL;
    spare.count = 0;
    tide_mutex_unlock(&spare.lock);
    for (struct tide_transfer *next; t; t = next) {
        next = t->next_spare;
        free_transfer(t);
    }
}

/* ---- life, any thread ---- */

static void destroy(struct tide_object *object)
{
    struct tide_transfer *t = (struct tide_transfer *)(void *)object;
    tide_target_fini(&t->target);
    tide_target_fini(&t->proxy);
    tide_free(t->addresses);
    tide_inflate_free(t->inflate);
    tide_strbuf_fini(&t->ready);
    tide_strbuf_fini(&t->response.message);
    tide_strbuf_fini(&t->response.cookies);
    tide_free(t->text);
    if (!put_spare(t))
        free_transfer(t);
}

static const struct tide_class transfer_class = {"tidemill.http.transfer", destroy};

static size_t room_for(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static const char *keep(char **at, const char *text, size_t size)
{
    char *kept = *at;
    if (!text)
        return NULL;
    memcpy(kept, text, size);
    kept[size] = '\0';
    *at += size + 1;
    return kept;
}

static const char *keep_text(char **at, const char *text)
{
    return keep(at, text, text ? strlen(text) : 0);
}

/* Everything that the request points to, in one block: first room for libcurl's list of headers, then the pointers to their
 * lines, then the texts. */
static bool copy_request(struct tide_transfer *t, const struct tide_request *from)
{
    struct tide_request *to = &t->request;
    const char *texts[] = {from->method, from->user, from->password, from->cookies, from->ca, from->path};
    size_t nodes = (from->header_count + TIDE_EXTRA_HEADERS) * sizeof *t->header_nodes;
    size_t pointers = nodes + from->header_count * sizeof(char *), room = pointers + from->body_size + 1;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        room += room_for(texts[i]);
    for (size_t i = 0; i < from->header_count; i++)
        room += room_for(from->headers[i]);
    t->text = tide_malloc(room);
    if (!t->text)
        return false;
    t->header_nodes = (struct curl_slist *)(void *)t->text;
    const char **lines = (const char **)(void *)(t->text + nodes);
    char *at = t->text + pointers;
    *to = *from;
    to->headers = lines;
    for (size_t i = 0; i < from->header_count; i++)
        lines[i] = keep_text(&at, from->headers[i]);
    to->method = keep_text(&at, from->method);
    to->user = keep_text(&at, from->user);
    to->password = keep_text(&at, from->password);
    to->cookies = keep_text(&at, from->cookies);
    to->ca = keep_text(&at, from->ca);
    to->path = keep_text(&at, from->path);
    to->body = keep(&at, from->body, from->body_size);
    to->url = NULL; /* the target has it */
    return true;
}

static void act(struct tide_operation *op, uint32_t asks);

struct tide_transfer *tide_transfer_new(const struct tide_request *request, char *problem, size_t room)
{
    struct tide_transfer *t = take_spare();
    int failed = TIDE_ENOMEM;
    if (t) {
        tide_operation_init(&t->operation, &transfer_class, act);
        if (copy_request(t, request))
            failed = tide_target_init(&t->target, NULL, request->url, problem, room);
        if (!failed && request->proxy)
            failed = tide_target_init(&t->proxy, NULL, request->proxy, problem, room);
    }
    if (!failed) {
        t->method = t->request.method;
        t->send_body = t->request.body != NULL;
        t->send_secrets = true;
        return t;
    }
    tide_transfer_unref(t);
    if (failed == TIDE_ENOMEM)
        snprintf(problem, room, "not enough memory");
    return NULL;
}

void tide_transfer_unref(struct tide_transfer *transfer)
{
    if (transfer)
        tide_object_unref(&transfer->operation.object);
}

struct tide_operation *tide_transfer_operation(struct tide_transfer *transfer)
{
    return &transfer->operation;
}

struct tide_response *tide_transfer_response(struct tide_transfer *transfer)
{
    return &transfer->response;
}

/* ---- streams, any worker ---- */

static int enqueue(struct tide_transfer *t, bool ready, struct tide_waiter *waiter, struct tide_task *task)
{
    int there = ready || t->operation.done;
    if (!there)
        tide_operation_wait_on(&t->operation, waiter, task);
    tide_mutex_unlock(&t->operation.lock);
    return there;
}

int tide_transfer_enqueue_head(struct tide_transfer *t, struct tide_waiter *waiter, struct tide_task *task)
{
    tide_mutex_lock(&t->operation.lock);
    return enqueue(t, t->has_head, waiter, task);
}

int tide_transfer_enqueue_body(struct tide_transfer *t, struct tide_waiter *waiter, struct tide_task *task)
{
    tide_mutex_lock(&t->operation.lock);
    return enqueue(t, t->ready.size > 0, waiter, task);
}

bool tide_transfer_has_head(struct tide_transfer *t)
{
    tide_mutex_lock(&t->operation.lock);
    bool has = t->has_head;
    tide_mutex_unlock(&t->operation.lock);
    return has;
}

int tide_transfer_take(struct tide_transfer *t, struct tide_strbuf *out)
{
    tide_mutex_lock(&t->operation.lock);
    int result = t->ready.size ? 1 : t->operation.done ? -1 : 0;
    bool resume = t->paused; /* the reactor takes that back, together with the clock of the stall */
    if (result > 0) {
        *out = t->ready;
        t->ready = (struct tide_strbuf){0};
    }
    tide_mutex_unlock(&t->operation.lock);
    if (result > 0 && resume)
        tide_operation_ask(&t->operation, TIDE_ASK_RESUME);
    return result;
}

static void destroy_stream(struct tide_object *object)
{
    struct tide_stream *stream = (struct tide_stream *)(void *)object;
    tide_operation_drop(&stream->transfer->operation);
    tide_transfer_unref(stream->transfer);
    tide_free(stream);
}

const struct tide_class tide_stream_class = {"tidemill.http.stream", destroy_stream};

struct tide_stream *tide_stream_new(struct tide_transfer *transfer)
{
    struct tide_stream *stream = tide_malloc(sizeof *stream);
    if (!stream)
        return NULL;
    tide_object_init(&stream->object, &tide_stream_class);
    tide_object_ref(&transfer->operation.object);
    stream->transfer = transfer;
    return stream;
}

/* ---- the steps, reactor ---- */

static void finish(struct tide_transfer *t)
{
    t->step = TIDE_STEP_DONE;
    tide_list_remove(&t->live);
    if (tide_list_empty(&live) && sweeping) {
        uv_timer_stop(&sweeper);
        sweeping = false;
    }
    tide_operation_finish(&t->operation);
}

/* With a file, its end comes first: tide_transfer_written goes on. */
static void end(struct tide_transfer *t)
{
    if (t->step == TIDE_STEP_RUNS) {
        tide_multi_remove(t);
        t->step = TIDE_STEP_NEW;
    }
    tide_easy_release(t);
    tide_resolver_leave(&t->name);
    tide_admission_leave(&t->place);
    if (t->file)
        tide_sink_close(t, !t->response.kind);
    else
        finish(t);
}

void tide_transfer_fail(struct tide_transfer *t, const char *kind, const char *format, ...)
{
    if (t->step == TIDE_STEP_DONE || t->response.kind)
        return;
    va_list args;
    va_start(args, format);
    t->response.kind = kind;
    tide_strbuf_clear(&t->response.message);
    tide_strbuf_vprintf(&t->response.message, format, args);
    va_end(args);
    end(t);
}

static double since(int64_t then, int64_t now)
{
    return (double)(now - then) * 1e-9;
}

static void run(struct tide_transfer *t)
{
    t->active_at = tide_reactor_now_ns();
    t->head_over = t->skip_body = t->began_body = false;
    t->refused = NULL;
    t->curl_says[0] = '\0';
    tide_inflate_free(t->inflate);
    t->inflate = NULL;
    t->response.received = 0;
    int refused = 0;
    if (tide_easy_prepare(t))
        tide_transfer_fail(t, "memory", "not enough memory for a transfer");
    else if ((refused = tide_multi_add(t)) != 0)
        tide_transfer_fail(t, "memory", "libcurl did not take the transfer (CURLMcode %d)", refused);
    else
        t->step = TIDE_STEP_RUNS;
}

static void found_cb(struct tide_name_waiter *waiter, const char *addresses, const char *problem)
{
    struct tide_transfer *t = tide_container(waiter, struct tide_transfer, name);
    const struct tide_target *to = t->request.proxy ? &t->proxy : &t->target;
    struct tide_strbuf entry = {0};
    t->dns_s = since(t->step_at, tide_real_now_ns());
    if (!addresses) {
        tide_transfer_fail(t, "dns", "cannot resolve '%s': %s", to->host, problem);
        return;
    }
    tide_strbuf_printf(&entry, "+%s:%s:%s", to->host, to->port, addresses);
    tide_free(t->addresses);
    t->addresses = tide_strbuf_detach(&entry);
    if (t->addresses)
        run(t);
    else
        tide_transfer_fail(t, "memory", "not enough memory for a transfer");
}

static void admitted_cb(struct tide_place *place)
{
    struct tide_transfer *t = tide_container(place, struct tide_transfer, place);
    const struct tide_target *to = t->request.proxy ? &t->proxy : &t->target;
    int64_t now = tide_reactor_now_ns();
    t->queue_s = since(t->step_at, now);
    t->dns_s = 0;
    t->step_at = now;
    tide_free(t->addresses);
    t->addresses = NULL;
    if (to->literal) {
        run(t);
        return;
    }
    t->step = TIDE_STEP_NAME;
    t->name.found = found_cb;
    if (tide_resolver_ask(to->host, &t->name))
        tide_transfer_fail(t, "memory", "not enough memory for a look-up");
}

static void hop(struct tide_transfer *t)
{
    t->step = TIDE_STEP_PLACE;
    t->step_at = tide_reactor_now_ns();
    t->place.admitted = admitted_cb;
    if (tide_admission_ask(&t->place, t->target.origin))
        tide_transfer_fail(t, "memory", "not enough memory for a transfer");
}

/* A callback stopped libcurl: why, for people. */
static void fail_refused(struct tide_transfer *t)
{
    if (strcmp(t->refused, "too_large") == 0)
        tide_transfer_fail(t, "too_large", "the body of %s has more than %llu bytes (max_body)", t->target.url,
                           (unsigned long long)t->request.max_body);
    else if (strcmp(t->refused, "encoding") == 0)
        tide_transfer_fail(t, "protocol", "%s: the body is not compressed as its Content-Encoding says", t->target.url);
    else if (strcmp(t->refused, "length") == 0)
        tide_transfer_fail(t, "protocol", "%s: two values of Content-Length that contradict each other", t->target.url);
    else if (strcmp(t->refused, "headers") == 0)
        tide_transfer_fail(t, "too_large", "the headers of %s have more than %d bytes", t->target.url, TIDE_MAX_HEAD);
    else
        tide_transfer_fail(t, "memory", "not enough memory for the response of %s", t->target.url);
}

static void respond(struct tide_transfer *t)
{
    tide_easy_take_results(t);
    if (!t->has_head) { /* else a task may be reading it */
        tide_strbuf_clear(&t->response.url);
        tide_strbuf_puts(&t->response.url, t->target.url);
    }
    if (t->request.sink == TIDE_SINK_FILE && t->response.status < 300 && tide_sink_open(t))
        tide_transfer_fail(t, "memory", "not enough memory for the file '%s'", t->request.path);
    else if (t->response.head.failed || t->response.url.failed || t->response.cookies.failed)
        tide_transfer_fail(t, "memory", "not enough memory for the response of %s", t->target.url);
    else
        end(t);
}

void tide_transfer_ran(struct tide_transfer *t, CURLcode code)
{
    t->step = TIDE_STEP_NEW; /* the multi handle has it no more */
    if (t->skip_body && (code == CURLE_OK || code == CURLE_WRITE_ERROR)) {
        tide_admission_leave(&t->place);
        int failed = tide_redirect_follow(t);
        if (!failed)
            hop(t);
        else if (failed == TIDE_EINVAL)
            respond(t);
        return;
    }
    if (code == CURLE_OK && !t->refused && !t->head_over) {
        tide_transfer_fail(t, "closed", "%s: the connection was closed within the headers", t->target.url);
    } else if (code == CURLE_OK && !t->refused) {
        if (tide_body_complete(t))
            respond(t);
        else
            tide_transfer_fail(t, "protocol", "%s: the compressed body ends early", t->target.url);
    } else if (t->refused && strcmp(t->refused, "file") == 0 && t->file) {
        end(t); /* the end of the file tells why */
    } else if (t->refused) {
        fail_refused(t);
    } else {
        const char *why = t->curl_says[0] ? t->curl_says : tide_curl.curl_easy_strerror(code);
        tide_transfer_fail(t, tide_easy_failure(t, code), "%s: %s", t->target.url, why);
    }
}

void tide_transfer_written(struct tide_transfer *t, int error)
{
    t->file = NULL;
    if (error && !t->response.kind) {
        t->response.kind = "file";
        tide_strbuf_printf(&t->response.message, "cannot write '%s': %s", t->request.path, strerror(error));
    }
    finish(t);
}

/* ---- limits ---- */

static bool is_paused(struct tide_transfer *t)
{
    tide_mutex_lock(&t->operation.lock);
    bool paused = t->paused;
    tide_mutex_unlock(&t->operation.lock);
    return paused;
}

static void set_paused(struct tide_transfer *t, bool paused)
{
    tide_mutex_lock(&t->operation.lock);
    t->paused = paused;
    tide_mutex_unlock(&t->operation.lock);
}

static bool is_over_limit(struct tide_transfer *t, int64_t now)
{
    if (t->step == TIDE_STEP_NAME)
        return now - t->step_at > t->request.connect_ns;
    return t->step == TIDE_STEP_RUNS && now - t->active_at > t->request.stall_ns && !is_paused(t);
}

static void end_over_limit(struct tide_transfer *t)
{
    if (t->step == TIDE_STEP_NAME)
        tide_transfer_fail(t, "timeout", "%s: the look-up of '%s' took more than %.6g s", t->target.url,
                           t->request.proxy ? t->proxy.host : t->target.host, (double)t->request.connect_ns * 1e-9);
    else
        tide_transfer_fail(t, "timeout", "%s: stalled, no byte came or went for %.6g s", t->target.url,
                           (double)t->request.stall_ns * 1e-9);
}

static void sweep_cb(uv_timer_t *timer)
{
    int64_t now = tide_reactor_now_ns();
    struct tide_list *link = live.next;
    (void)timer;
    while (link != &live) {
        struct tide_transfer *t = tide_container(link, struct tide_transfer, live);
        link = link->next;
        if (!is_over_limit(t, now))
            continue;
        end_over_limit(t);
        link = live.next; /* others may have been admitted in that, and ended: any of them */
    }
    tide_resolver_sweep(now);
    tide_admission_refresh();
}

static void turn(void)
{
    tide_multi_turn();
}

static void stop(void)
{
    for (struct tide_list *link = live.next; link != &live;) {
        struct tide_transfer *t = tide_container(link, struct tide_transfer, live);
        bool ending = t->response.kind; /* it only waits for the end of its file, which the loop still brings */
        tide_transfer_fail(t, "cancelled", "the program ends");
        link = ending ? link->next : live.next;
    }
    tide_multi_stop();
    tide_easy_stop();
    tide_resolver_stop();
    tide_admission_stop();
    tide_transfer_free_spares();
}

static const struct tide_reactor_part part = {turn, stop};

enum { RESERVED = 128 }; /* descriptors for everything else: the script's files, libraries, the runtime */

/* Each connection is a descriptor. Where there are few, transfers wait for one instead of failing. */
static void respect_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > UINT32_MAX)
        return;
    uint32_t all = (uint32_t)limit.rlim_cur, reserved = all > 2 * RESERVED ? RESERVED : all / 2;
    tide_admission_set_ceiling(all > reserved ? all - reserved : 1);
}

static void begin(struct tide_transfer *t)
{
    tide_list_append(&live, &t->live);
    tide_reactor_add_part(&part);
    if (tide_multi_start()) {
        tide_transfer_fail(t, "memory", "not enough memory for libcurl");
        return;
    }
    if (!has_sweeper) { /* the first one of all */
        uv_timer_init(tide_reactor_loop(), &sweeper); /* once: it stays in the loop's list while it does not run */
        respect_descriptors();
    }
    has_sweeper = true;
    if (!sweeping) {
        uv_timer_start(&sweeper, sweep_cb, SWEEP_MS, SWEEP_MS);
        sweeping = true;
    }
    hop(t);
}

static void load(struct tide_mail *mail, struct tide_worker *worker)
{
    char problem[TIDE_LIBRARY_PROBLEM];
    (void)mail;
    (void)worker;
    tide_curl_ready(problem);
}

void tide_transfer_expect(struct tide_runtime *runtime)
{
    static struct tide_mail mail = {.deliver = load};
    static _Atomic bool expected;
    if (!atomic_exchange(&expected, true) && !tide_reactor_start(runtime))
        tide_reactor_post(&mail);
}

static void act(struct tide_operation *op, uint32_t asks)
{
    struct tide_transfer *t = (struct tide_transfer *)(void *)op;
    if (asks & TIDE_ASK_START)
        begin(t);
    if (asks & TIDE_ASK_DROP)
        tide_transfer_fail(t, "cancelled", "nobody waits for it any more");
    if (asks & TIDE_ASK_RESUME && t->step == TIDE_STEP_RUNS) {
        set_paused(t, false);
        t->active_at = tide_reactor_now_ns();
        tide_multi_resume(t);
    }
}
