#define _GNU_SOURCE /* strcasestr */
#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "fake_http.h"
#include "fake_names.h"
#include "fake_worker.h"
#include "reactor/reactor.h"
#include "reactor/transfer_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

enum { LARGE = 8 * 1024 * 1024, HUGE_BODY = 512 * 1024 * 1024 };

#define SIZE(n) "HTTP/1.1 200 OK\r\nContent-Length: " #n "\r\n\r\n"
#define ENDLESS "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"

static const struct fake_reply replies[] = {
    {"/ok", SIZE(2) "ok", 0, false},
    {"/closed", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", 0, true},
    {"/empty", SIZE(0), 0, false},
    {"/large", SIZE(8388608), LARGE, false},
    {"/endless", ENDLESS, HUGE_BODY, true},
    {"/hang", NULL, 0, false},
    {"/missing", "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nnone!", 0, false},
    {"/cut", SIZE(100) "only this", 0, true},
    {"/lies", SIZE(9000000000) "x", 0, false},
    {"/nothing", "", 0, true},
    {"/garbage", "SSH-2.0-OpenSSH\r\n\r\n", 0, true},
    {"nowhere.test:443", "HTTP/1.1 407 Who are you?\r\nContent-Length: 0\r\n\r\n", 0, false},
    {"http://nowhere.test/proxied", SIZE(7) "proxied", 0, false},
    {0},
};

static struct fake_server *server;

static int setup(void **state)
{
    fake_names_release(0);
    server = fake_server_open(replies);
    return 0;
}

/* An operation is counted until shortly after its end. */
static bool nothing_is_left(void *arg)
{
    uint32_t running, waiting;
    (void)arg;
    tide_admission_counts(&running, &waiting);
    return !running && !waiting && !tide_operation_count();
}

static int teardown(void **state)
{
    fake_until(nothing_is_left, NULL);
    tide_admission_set_limits(TIDE_TRANSFERS_IN_ALL, TIDE_TRANSFERS_PER_ORIGIN);
    fake_names_release(1);
    fake_server_close(server);
    return 0;
}

static void body_is(struct tide_transfer *t, const char *text)
{
    if (t->response.kind)
        fail_msg("%s: %s", t->response.kind, tide_strbuf_text(&t->response.message));
    assert_int_equal(t->response.status, 200);
    assert_string_equal(tide_strbuf_text(&t->response.body), text);
}

static void failed_with(struct tide_transfer *t, const char *kind)
{
    if (!t->response.kind)
        fail_msg("it did not fail but has status %d", t->response.status);
    if (strcmp(t->response.kind, kind) != 0)
        fail_msg("%s: %s", t->response.kind, tide_strbuf_text(&t->response.message));
    assert_true(t->response.message.size > 0);
}

static void get_ok(const char *path)
{
    struct tide_request request = fake_get(server, path);
    struct tide_transfer *t = fake_fetch(&request);
    body_is(t, "ok");
    tide_transfer_unref(t);
}

static void get_fails(const char *path, const char *kind)
{
    struct tide_request request = fake_get(server, path);
    struct tide_transfer *t = fake_fetch(&request);
    failed_with(t, kind);
    tide_transfer_unref(t);
}

/* ---- in memory ---- */

static void a_response_comes_back(void **state)
{
    struct tide_request request = fake_get(server, "/ok");
    struct tide_transfer *t = fake_fetch(&request);
    body_is(t, "ok");
    assert_int_equal(t->response.version, 11);
    assert_int_equal(t->response.received, 2);
    assert_int_equal(t->response.redirects, 0);
    assert_string_equal(tide_strbuf_text(&t->response.head), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    assert_string_equal(tide_strbuf_text(&t->response.url), request.url);
    assert_true(t->response.timings.total > 0);
    tide_transfer_unref(t);
}

static void a_connection_is_used_again(void **state)
{
    for (int i = 0; i < 5; i++)
        get_ok("/ok");
    const char *first = fake_server_request(server, 0);
    for (int i = 1; i < 5; i++)
        assert_string_equal(fake_server_request(server, i), first);
}

static void count_handle(uv_handle_t *handle, void *arg)
{
    (void)handle;
    ++*(int *)arg;
}

static void count_handles(void *arg)
{
    uv_walk(tide_reactor_loop(), count_handle, arg);
}

static void the_loop_keeps_its_handles(void **state)
{
    int before = 0;
    get_ok("/ok");
    fake_on_reactor(count_handles, &before);
    for (int i = 0; i < 3; i++) { /* on the same connection */
        int after = 0;
        get_ok("/ok");
        fake_on_reactor(count_handles, &after);
        assert_int_equal(after, before);
    }
}

static void what_goes_wrong_has_a_kind(void **state)
{
    get_fails("/cut", "closed");
    get_fails("/nothing", "closed");
    get_fails("/garbage", "protocol");
    get_fails("/lies", "too_large");
    struct tide_request request = fake_get(server, "/large");
    request.max_body = LARGE - 1;
    struct tide_transfer *t = fake_fetch(&request);
    failed_with(t, "too_large");
    tide_transfer_unref(t);
    struct fake_server *gone = fake_server_open(replies);
    request = fake_get(gone, "/ok");
    fake_server_close(gone);
    t = fake_fetch(&request);
    failed_with(t, "connect");
    tide_transfer_unref(t);
    request.url = "http://missing.test/";
    t = fake_fetch(&request);
    failed_with(t, "dns");
    tide_transfer_unref(t);
}

static void a_name_is_resolved_by_us(void **state)
{
    char url[64];
    struct tide_request request = fake_get(server, "/ok");
    snprintf(url, sizeof url, "http://OK.test:%d/ok", fake_server_port(server));
    request.url = url;
    int before = fake_names_count();
    struct tide_transfer *t = fake_fetch(&request);
    body_is(t, "ok");
    assert_int_equal(fake_names_count(), before + 1);
    tide_transfer_unref(t);
}

/* The server listens on one of them only; the other refuses. */
static void all_addresses_are_tried(void **state)
{
    static const char *const names[] = {"two.test", "fallback.test"};
    for (int i = 0; i < 20; i++) {
        char url[64];
        struct tide_request request = fake_get(server, "/closed");
        snprintf(url, sizeof url, "http://%s:%d/closed", names[i % 2], fake_server_port(server));
        request.url = url;
        request.connect_ns = TIDE_MS(3000);
        struct tide_transfer *t = fake_fetch(&request);
        body_is(t, "ok");
        tide_transfer_unref(t);
    }
}

static void a_method_without_a_body_has_no_form(void **state)
{
    static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"};
    for (int i = 0; i < 6; i++) {
        struct tide_request request = fake_get(server, "/ok");
        request.method = methods[i];
        struct tide_transfer *t = fake_fetch(&request);
        body_is(t, "ok");
        tide_transfer_unref(t);
        const char *sent = fake_server_request(server, i);
        assert_int_equal(strncmp(sent, methods[i], strlen(methods[i])), 0);
        assert_null(strcasestr(sent, "Content-Type"));
        assert_null(strcasestr(sent, "Expect"));
        assert_int_equal(strcasestr(sent, "Content-Length: 0") != NULL, i < 3);
    }
}

static void a_limit_may_be_for_ever(void **state)
{
    struct tide_request request = fake_get(server, "/ok");
    request.connect_ns = request.stall_ns = (int64_t)1e18;
    struct tide_transfer *t = fake_fetch(&request);
    body_is(t, "ok");
    tide_transfer_unref(t);
}

/* ---- proxies ---- */

static void a_proxy_is_asked_whatever_the_environment_says(void **state)
{
    char proxy[64];
    struct tide_request request = fake_get(server, "/ok");
    int before = fake_names_count();
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", fake_server_port(server));
    request.url = "http://nowhere.test/proxied";
    request.proxy = proxy;
    setenv("no_proxy", "*", 1);
    struct tide_transfer *t = fake_fetch(&request);
    unsetenv("no_proxy");
    body_is(t, "proxied");
    assert_int_equal(fake_names_count(), before); /* the name is the proxy's to look up */
    tide_transfer_unref(t);
    request.url = "https://nowhere.test/";
    t = fake_fetch(&request);
    failed_with(t, "proxy");
    tide_transfer_unref(t);
    setenv("http_proxy", "http://127.0.0.1:1", 1); /* and none that was not asked for */
    get_ok("/ok");
    unsetenv("http_proxy");
}

/* ---- limits ---- */

static void a_server_that_says_nothing_stalls(void **state)
{
    struct tide_request request = fake_get(server, "/hang");
    request.stall_ns = TIDE_MS(300);
    int64_t start = tide_now_ns();
    struct tide_transfer *t = fake_fetch(&request);
    failed_with(t, "timeout");
    assert_non_null(strstr(tide_strbuf_text(&t->response.message), "no byte came or went for 0.3 s"));
    assert_true(tide_now_ns() - start >= TIDE_MS(290));
    tide_transfer_unref(t);
}

static void a_look_up_counts_as_connecting(void **state)
{
    struct tide_request request = fake_get(server, "/ok");
    request.url = "http://hang.test/";
    request.connect_ns = TIDE_MS(300);
    struct tide_transfer *t = fake_fetch(&request);
    failed_with(t, "timeout");
    assert_non_null(strstr(tide_strbuf_text(&t->response.message), "the look-up of 'hang.test' took more than 0.3 s"));
    tide_transfer_unref(t);
}

/* A transfer that stalls makes room for others, which fail at once: those are next in the list of who is under way. */
static void a_stall_may_end_others(void **state)
{
    struct tide_transfer *others[10];
    struct tide_request missing = fake_get(server, "/ok"), hangs = fake_get(server, "/hang");
    missing.url = "http://missing.test/";
    hangs.stall_ns = TIDE_MS(300);
    tide_admission_set_limits(1, 1);
    struct tide_transfer *first = fake_start(&missing); /* from now on it is known to be missing */
    fake_finish(first);
    struct tide_transfer *slow = fake_start(&hangs);
    for (int i = 0; i < 10; i++)
        others[i] = fake_start(&missing);
    fake_finish(slow);
    failed_with(slow, "timeout");
    for (int i = 0; i < 10; i++) {
        fake_finish(others[i]);
        failed_with(others[i], "dns");
        tide_transfer_unref(others[i]);
    }
    tide_transfer_unref(first);
    tide_transfer_unref(slow);
}

/* ---- dropping ---- */

static void dropped(struct tide_transfer *t)
{
    tide_operation_drop(tide_transfer_operation(t));
    tide_operation_drop(tide_transfer_operation(t));
    fake_finish(t);
    failed_with(t, "cancelled");
    tide_transfer_unref(t);
}

static bool server_has_requests(void *arg)
{
    return fake_server_count(server) >= *(int *)arg;
}

static void it_can_be_dropped_at_every_step(void **state)
{
    int one = 1;
    struct tide_request request = fake_get(server, "/hang");
    struct tide_transfer *runs = fake_start(&request);
    fake_until(server_has_requests, &one);
    tide_admission_set_limits(1, 1);
    struct tide_transfer *waits = fake_start(&request);
    dropped(waits); /* for its place */
    tide_admission_set_limits(2, 2);
    request.url = "http://hang.test/";
    struct tide_transfer *looks_up = fake_start(&request);
    dropped(looks_up);
    dropped(runs);
    request = fake_get(server, "/ok");
    dropped(fake_start(&request)); /* perhaps before it has begun */
}

static void dropping_what_is_done_does_nothing(void **state)
{
    struct tide_request request = fake_get(server, "/ok");
    struct tide_transfer *t = fake_fetch(&request);
    tide_operation_drop(tide_transfer_operation(t));
    body_is(t, "ok");
    tide_transfer_unref(t);
}

static void dropping_races_with_the_end(void **state)
{
    for (int i = 0; i < 300; i++) {
        struct tide_request request = fake_get(server, i % 3 ? "/ok" : "/closed");
        struct tide_transfer *t = fake_start(&request);
        if (i % 2)
            usleep((useconds_t)(fake_random(&(uint32_t){fake_seed() + (uint32_t)i}) % 400));
        tide_operation_drop(tide_transfer_operation(t));
        fake_finish(t);
        if (t->response.kind)
            failed_with(t, "cancelled");
        else
            body_is(t, "ok");
        tide_transfer_unref(t);
    }
}

/* ---- streams ---- */

static void wait_for(struct tide_transfer *t, int (*enqueue)(struct tide_transfer *, struct tide_waiter *, struct tide_task *))
{
    struct tide_task *task = fake_task();
    tide_wait_begin(task);
    if (enqueue(t, &task->waiter, task) == 0) {
        enum tide_wait_state how = fake_wait(task, tide_now_ns() + TIDE_MS(20000));
        tide_operation_leave(tide_transfer_operation(t), &task->waiter);
        assert_int_equal(how, TIDE_WAIT_WOKEN);
    } else {
        assert_true(tide_wait_abandon(task));
    }
    tide_task_free(task);
}

/* Reads to the end; how many bytes there were. */
static size_t drained(struct tide_transfer *t)
{
    size_t size = 0;
    for (;;) {
        struct tide_strbuf piece = {0};
        int got = tide_transfer_take(t, &piece);
        if (got < 0)
            return size;
        if (got == 0) {
            wait_for(t, tide_transfer_enqueue_body);
            continue;
        }
        assert_true(piece.size <= TIDE_STREAM_FULL + 16 * 1024);
        size += piece.size;
        tide_strbuf_fini(&piece);
    }
}

static bool is_full(void *arg)
{
    struct tide_transfer *t = arg;
    tide_mutex_lock(&t->operation.lock);
    bool paused = t->paused;
    tide_mutex_unlock(&t->operation.lock);
    return paused;
}

static struct tide_transfer *stream_of(const char *path, int64_t stall_ns)
{
    struct tide_request request = fake_get(server, path);
    request.sink = TIDE_SINK_STREAM;
    request.stall_ns = stall_ns;
    request.max_body = UINT64_MAX / 2;
    struct tide_transfer *t = fake_start(&request);
    wait_for(t, tide_transfer_enqueue_head);
    assert_int_equal(t->response.status, 200);
    return t;
}

static void a_stream_waits_for_who_reads_it(void **state)
{
    struct tide_transfer *t = stream_of("/large", TIDE_MS(20000));
    fake_until(is_full, t);
    assert_false(tide_operation_is_done(tide_transfer_operation(t)));
    assert_int_equal(drained(t), LARGE);
    assert_null(t->response.kind);
    tide_transfer_unref(t);
}

static void a_stream_that_is_not_read_does_not_stall(void **state)
{
    struct tide_transfer *t = stream_of("/large", TIDE_MS(300));
    for (int i = 0; i < 3; i++) {
        struct tide_strbuf piece = {0};
        fake_until(is_full, t);
        usleep(700000);
        assert_int_equal(tide_transfer_take(t, &piece), 1);
        tide_strbuf_fini(&piece);
    }
    drained(t);
    assert_null(t->response.kind);
    tide_transfer_unref(t);
}

static void a_stream_may_be_empty(void **state)
{
    struct tide_transfer *t = stream_of("/empty", TIDE_MS(20000));
    assert_int_equal(drained(t), 0);
    assert_null(t->response.kind);
    tide_transfer_unref(t);
}

static void a_stream_that_breaks_off_says_so_at_its_end(void **state)
{
    struct tide_transfer *t = stream_of("/cut", TIDE_MS(20000));
    assert_int_equal(drained(t), strlen("only this"));
    failed_with(t, "closed");
    tide_transfer_unref(t);
}

static void a_stream_ends_with_its_last_handle(void **state)
{
    struct tide_transfer *t = stream_of("/endless", TIDE_MS(20000));
    struct tide_stream *stream = tide_stream_new(t);
    assert_non_null(stream);
    tide_object_unref(&stream->object);
    fake_finish(t);
    failed_with(t, "cancelled");
    tide_transfer_unref(t);
}

/* ---- files ---- */

static char folder[] = "/tmp/tide-transfer-XXXXXX", path[64], part[80];

static struct tide_request download_of(const char *what)
{
    struct tide_request request = fake_get(server, what);
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(part, sizeof part, "%s.part", path);
    request.sink = TIDE_SINK_FILE;
    request.path = path;
    request.max_body = UINT64_MAX / 2;
    return request;
}

static off_t size_of(const char *name)
{
    struct stat status;
    return stat(name, &status) == 0 ? status.st_size : -1;
}

static void a_file_appears_when_it_is_complete(void **state)
{
    static const struct {
        const char *what;
        off_t size;
    } cases[] = {{"/large", LARGE}, {"/ok", 2}, {"/empty", 0}};
    for (int i = 0; i < 3; i++) {
        struct tide_request request = download_of(cases[i].what);
        struct tide_transfer *t = fake_fetch(&request);
        body_is(t, "");
        assert_int_equal(size_of(path), cases[i].size);
        assert_int_equal(size_of(part), -1);
        tide_transfer_unref(t);
        unlink(path);
    }
}

static void what_is_no_success_makes_no_file(void **state)
{
    struct tide_request request = download_of("/missing");
    struct tide_transfer *t = fake_fetch(&request);
    assert_null(t->response.kind);
    assert_int_equal(t->response.status, 404);
    assert_string_equal(tide_strbuf_text(&t->response.body), "none!");
    assert_int_equal(size_of(path), -1);
    assert_int_equal(size_of(part), -1);
    tide_transfer_unref(t);
}

static void a_file_that_breaks_off_is_removed(void **state)
{
    struct tide_request request = download_of("/cut");
    struct tide_transfer *t = fake_fetch(&request);
    failed_with(t, "closed");
    assert_int_equal(size_of(path), -1);
    assert_int_equal(size_of(part), -1);
    tide_transfer_unref(t);
}

static void a_file_that_cannot_be_written_is_a_failure(void **state)
{
    struct tide_request request = download_of("/large");
    request.path = "/nowhere/at/all/file";
    struct tide_transfer *t = fake_fetch(&request);
    failed_with(t, "file");
    assert_string_equal(tide_strbuf_text(&t->response.message),
                        "cannot write '/nowhere/at/all/file': No such file or directory");
    tide_transfer_unref(t);
    request = download_of("/empty");
    request.path = "/nowhere/at/all/file";
    t = fake_fetch(&request);
    failed_with(t, "file");
    tide_transfer_unref(t);
}

static bool is_growing(void *arg)
{
    (void)arg;
    return size_of(part) > 0;
}

static void a_download_may_be_dropped(void **state)
{
    struct tide_request request = download_of("/endless");
    struct tide_transfer *t = fake_start(&request);
    fake_until(is_growing, NULL);
    dropped(t);
    assert_int_equal(size_of(path), -1);
    assert_int_equal(size_of(part), -1);
}

/* ---- memory ---- */

static void allow(void *arg)
{
    tide_transfer_free_spares();
    tide_alloc_fail_after(*(long *)arg);
}

/* Everything that the reactor allocates for one transfer fails, one after the other. */
static void without_memory(struct tide_request (*request_of)(void))
{
    long all = -1;
    int failures = 0;
    for (long allowed = 0; allowed < 200; allowed++) {
        struct tide_request request = request_of();
        fake_on_reactor(allow, &allowed);
        struct tide_transfer *t = fake_fetch(&request);
        fake_on_reactor(allow, &all);
        bool failed = t->response.kind;
        if (failed && strcmp(t->response.kind, "memory") != 0 && strcmp(t->response.kind, "dns") != 0 &&
            strcmp(t->response.kind, "file") != 0)
            fail_msg("%s: %s", t->response.kind, tide_strbuf_text(&t->response.message));
        tide_transfer_unref(t);
        if (!failed)
            break;
        failures++;
    }
    print_message("%d allocations failed\n", failures);
    assert_in_range(failures, 2, 199);
}

static struct tide_request to_memory(void)
{
    return fake_get(server, "/large");
}

static struct tide_request by_name(void)
{
    static char url[64];
    static int n;
    struct tide_request request = fake_get(server, "/ok");
    snprintf(url, sizeof url, "http://many-%d.test:%d/ok", n++, fake_server_port(server));
    request.url = url;
    return request;
}

static struct tide_request to_file(void)
{
    return download_of("/large");
}

static void without_memory_a_transfer_fails(void **state)
{
    without_memory(to_memory);
    without_memory(by_name);
    without_memory(to_file);
    unlink(path);
}

static void without_memory_none_is_made(void **state)
{
    static const char *const headers[] = {"A: 1", "B: 2"};
    struct tide_request request = fake_get(server, "/ok");
    struct tide_transfer *t = NULL;
    request.headers = headers;
    request.header_count = 2;
    request.proxy = "http://127.0.0.1:1";
    int failures = -1;
    for (long allowed = 0; !t; allowed++, failures++) {
        char problem[320] = "";
        tide_transfer_free_spares();
        tide_alloc_fail_after(allowed);
        t = tide_transfer_new(&request, problem, sizeof problem);
        tide_alloc_fail_after(-1);
        if (!t)
            assert_string_equal(problem, "not enough memory");
    }
    assert_true(failures > 3);
    tide_transfer_unref(t);
}

/* ---- the end ---- */

static struct fake_server *last;
static struct tide_transfer *unfinished[2];

/* Left behind: one that writes a file, and one that waits for an answer. */
static void the_end_comes_while_files_are_written(void **state)
{
    last = server; /* and it is not closed before the reactor */
    struct tide_request request = download_of("/endless");
    unfinished[0] = fake_start(&request);
    fake_until(is_growing, NULL);
    request = fake_get(server, "/hang");
    unfinished[1] = fake_start(&request);
}

static int close_reactor(void **state)
{
    int64_t start = tide_now_ns();
    int failed = fake_reactor_close(state);
    for (int i = 0; i < 2; i++)
        tide_transfer_unref(unfinished[i]);
    if (last)
        fake_server_close(last);
    if (size_of(path) != -1 || size_of(part) != -1) {
        print_error("a file is left behind\n");
        failed = -1;
    }
    rmdir(folder);
    return failed || tide_now_ns() - start > TIDE_MS(8000) ? -1 : 0;
}

static int open_reactor(void **state)
{
    return mkdtemp(folder) ? fake_reactor_open(state) : -1;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_response_comes_back),
        TEST(a_connection_is_used_again),
        TEST(the_loop_keeps_its_handles),
        TEST(what_goes_wrong_has_a_kind),
        TEST(a_name_is_resolved_by_us),
        TEST(all_addresses_are_tried),
        TEST(a_method_without_a_body_has_no_form),
        TEST(a_limit_may_be_for_ever),
        TEST(a_proxy_is_asked_whatever_the_environment_says),
        TEST(a_server_that_says_nothing_stalls),
        TEST(a_look_up_counts_as_connecting),
        TEST(a_stall_may_end_others),
        TEST(it_can_be_dropped_at_every_step),
        TEST(dropping_what_is_done_does_nothing),
        TEST(dropping_races_with_the_end),
        TEST(a_stream_waits_for_who_reads_it),
        TEST(a_stream_that_is_not_read_does_not_stall),
        TEST(a_stream_may_be_empty),
        TEST(a_stream_that_breaks_off_says_so_at_its_end),
        TEST(a_stream_ends_with_its_last_handle),
        TEST(a_file_appears_when_it_is_complete),
        TEST(what_is_no_success_makes_no_file),
        TEST(a_file_that_breaks_off_is_removed),
        TEST(a_file_that_cannot_be_written_is_a_failure),
        TEST(a_download_may_be_dropped),
        TEST(without_memory_a_transfer_fails),
        TEST(without_memory_none_is_made),
        cmocka_unit_test_setup(the_end_comes_while_files_are_written, setup),
    };
    return cmocka_run_group_tests(tests, open_reactor, close_reactor);
}
