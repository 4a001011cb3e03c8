#define _GNU_SOURCE /* strcasestr */
#include "unit.h"

#include "base/error.h"
#include "base/time.h"
#include "fake_http.h"
#include "reactor/transfer_run.h"

#include <stdio.h>
#include <string.h>

#define TO(status, location) "HTTP/1.1 " #status " Look there\r\nLocation: " location "\r\nContent-Length: 5\r\n\r\nmoved"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static const struct fake_reply replies[] = {
    {"/ok", OK, 0, false},
    {"/a/ok", OK, 0, false},
    {"/a/ok?x=1", OK, 0, false},
    {"/301", TO(301, "/ok"), 0, false},
    {"/302", TO(302, "/ok"), 0, false},
    {"/303", TO(303, "/ok"), 0, false},
    {"/307", TO(307, "/ok"), 0, false},
    {"/308", TO(308, "/ok"), 0, false},
    {"/300", TO(300, "/ok"), 0, false},
    {"/304", "HTTP/1.1 304 Not Modified\r\nLocation: /ok\r\n\r\n", 0, false},
    {"/loop", TO(302, "/loop"), 0, false},
    {"/1", TO(302, "/2"), 0, false},
    {"/2", TO(302, "/3"), 0, true},
    {"/3", TO(302, "/ok"), 0, false},
    {"/a/relative", TO(302, "ok"), 0, false},
    {"/a/b/relative", TO(302, "../ok?x=1#part"), 0, false},
    {"/space", TO(302, "  /ok \t"), 0, false},
    {"/none", "HTTP/1.1 302 Found\r\nContent-Length: 4\r\n\r\nnone", 0, false},
    {"/empty", TO(302, ""), 0, false},
    {"/ftp", TO(302, "ftp://127.0.0.1/ok"), 0, false},
    {"/file", TO(302, "file:///etc/passwd"), 0, false},
    {"/bad", TO(302, "http://127.0.0.1:99999/"), 0, false},
    {"/two", "HTTP/1.1 302 Found\r\nlocation: /missing\r\nLOCATION: /ok\r\nContent-Length: 0\r\n\r\n", 0, false},
    {"/away", TO(302, "http://127.0.0.1:%d/back"), 0, false},
    {"/back", TO(302, "http://127.0.0.1:%d/ok"), 0, false},
    {"/userinfo", TO(302, "http://them:theirs@127.0.0.1:%d/ok"), 0, false},
    {"/large", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 300000\r\n\r\n", 300000, false},
    {"/endless", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nConnection: close\r\n\r\n", 64 * 1024 * 1024, true},
    {"/cookie", "HTTP/1.1 302 Found\r\nSet-Cookie: a=1\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n", 0, false},
    {0},
};

static struct fake_server *server, *elsewhere;

static int setup(void **state)
{
    server = fake_server_open(replies);
    elsewhere = fake_server_open(replies);
    fake_server_knows(server, elsewhere);
    fake_server_knows(elsewhere, server);
    return 0;
}

static int teardown(void **state)
{
    fake_server_close(server);
    fake_server_close(elsewhere);
    return 0;
}

/* The response to a request that is followed to its end. */
static struct tide_transfer *followed(const struct tide_request *request)
{
    struct tide_transfer *t = fake_fetch(request);
    if (t->response.kind)
        fail_msg("%s: %s", t->response.kind, tide_strbuf_text(&t->response.message));
    return t;
}

static void fails_with(const char *path, const char *kind, const char *message)
{
    struct tide_request request = fake_get(server, path);
    struct tide_transfer *t = fake_fetch(&request);
    assert_non_null(t->response.kind);
    assert_string_equal(t->response.kind, kind);
    if (!strstr(tide_strbuf_text(&t->response.message), message))
        fail_msg("'%s' is not in '%s'", message, tide_strbuf_text(&t->response.message));
    tide_transfer_unref(t);
}

static bool has(const struct fake_server *of, int i, const char *text)
{
    const char *request = fake_server_request((struct fake_server *)(uintptr_t)of, i);
    assert_non_null(request);
    return strcasestr(request, text) != NULL;
}

/* ---- methods ---- */

/* Sends a request with a body; the one that follows must have that method, and the body or not. */
static void becomes(const char *method, int status, const char *then, bool with_body)
{
    static const char *const headers[] = {"Content-Type: text/plain", "X-Own: stays"};
    char path[16], start[32];
    snprintf(path, sizeof path, "/%d", status);
    snprintf(start, sizeof start, "%s /ok HTTP/1.1", then);
    bool head = strcmp(method, "HEAD") == 0, get = strcmp(method, "GET") == 0;
    struct tide_request request = fake_get(server, path);
    int before = fake_server_count(server);
    request.method = method;
    request.body = head || get ? NULL : "the body";
    request.body_size = request.body ? 8 : 0;
    request.headers = headers;
    request.header_count = 2;
    struct tide_transfer *t = followed(&request);
    assert_int_equal(t->response.status, 200);
    assert_int_equal(t->response.redirects, 1);
    assert_int_equal(fake_server_count(server), before + 2);
    if (!has(server, before + 1, start))
        fail_msg("%s after %d became: %s", method, status, fake_server_request(server, before + 1));
    assert_int_equal(has(server, before + 1, "the body"), with_body);
    assert_int_equal(has(server, before + 1, "Content-Type: text/plain"), with_body);
    assert_int_equal(has(server, before + 1, "Content-Length: 8"), with_body);
    assert_true(has(server, before + 1, "X-Own: stays"));
    tide_transfer_unref(t);
}

static void methods_change_as_clients_have_it(void **state)
{
    static const int all[] = {301, 302, 303, 307, 308};
    for (int i = 0; i < 5; i++) {
        becomes("GET", all[i], "GET", false);
        becomes("HEAD", all[i], "HEAD", false);
        becomes("POST", all[i], i < 3 ? "GET" : "POST", i >= 3);
        becomes("PUT", all[i], i == 2 ? "GET" : "PUT", i != 2);
        becomes("PATCH", all[i], i == 2 ? "GET" : "PATCH", i != 2);
        becomes("DELETE", all[i], i == 2 ? "GET" : "DELETE", i != 2);
    }
}

static void a_large_body_is_sent_again_from_its_beginning(void **state)
{
    static char body[200000];
    memset(body, 'b', sizeof body);
    struct tide_request request = fake_get(server, "/307");
    request.method = "PUT";
    request.body = body;
    request.body_size = sizeof body;
    int before = fake_server_count(server);
    struct tide_transfer *t = followed(&request);
    const char *second = fake_server_request(server, before + 1);
    assert_int_equal(strspn(strstr(second, "\r\n\r\n") + 4, "b"), sizeof body);
    tide_transfer_unref(t);
}

static void other_statuses_are_no_redirects(void **state)
{
    static const int others[] = {300, 304};
    for (int i = 0; i < 2; i++) {
        char path[16];
        snprintf(path, sizeof path, "/%d", others[i]);
        struct tide_request request = fake_get(server, path);
        struct tide_transfer *t = followed(&request);
        assert_int_equal(t->response.status, others[i]);
        assert_int_equal(t->response.redirects, 0);
        tide_transfer_unref(t);
    }
}

/* ---- where to ---- */

static void leads_to(const char *path, const char *end, int redirects)
{
    char url[128];
    struct tide_request request = fake_get(server, path);
    struct tide_transfer *t = followed(&request);
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", fake_server_port(server), end);
    assert_string_equal(tide_strbuf_text(&t->response.url), url);
    assert_string_equal(tide_strbuf_text(&t->response.body), "ok");
    assert_int_equal(t->response.redirects, redirects);
    tide_transfer_unref(t);
}

static void a_location_may_be_relative(void **state)
{
    leads_to("/1", "/ok", 3);
    leads_to("/a/relative", "/a/ok", 1);
    leads_to("/a/b/relative", "/a/ok?x=1", 1);
    leads_to("/space", "/ok", 1);
    leads_to("/two", "/ok", 1); /* the last one counts */
}

static void a_body_on_the_way_is_skipped(void **state)
{
    leads_to("/large", "/ok", 1);
    leads_to("/endless", "/ok", 1); /* not to its end: the connection is dropped */
}

static void without_a_location_it_is_a_response(void **state)
{
    struct tide_request request = fake_get(server, "/none");
    struct tide_transfer *t = followed(&request);
    assert_int_equal(t->response.status, 302);
    assert_string_equal(tide_strbuf_text(&t->response.body), "none");
    tide_transfer_unref(t);
}

static void a_bad_location_is_a_failure(void **state)
{
    fails_with("/ftp", "redirects", "redirects to a bad URL 'ftp://127.0.0.1/ok': http and https are known, not 'ftp'");
    fails_with("/file", "redirects", "redirects to a bad URL 'file:///etc/passwd'");
    fails_with("/bad", "redirects", "redirects to a bad URL 'http://127.0.0.1:99999/'");
}

static void an_empty_location_is_none(void **state)
{
    struct tide_request request = fake_get(server, "/empty");
    struct tide_transfer *t = followed(&request);
    assert_int_equal(t->response.status, 302);
    tide_transfer_unref(t);
}

static void loops_end(void **state)
{
    int before = fake_server_count(server);
    fails_with("/loop", "redirects", "more than 10 redirects, the last one from ");
    assert_int_equal(fake_server_count(server), before + 11);
}

static void the_limit_is_the_number_of_redirects(void **state)
{
    struct tide_request request = fake_get(server, "/1");
    request.max_redirects = 3;
    struct tide_transfer *t = followed(&request);
    tide_transfer_unref(t);
    request.max_redirects = 2;
    t = fake_fetch(&request);
    assert_string_equal(t->response.kind, "redirects");
    tide_transfer_unref(t);
}

static void none_are_followed_where_none_are_wanted(void **state)
{
    struct tide_request request = fake_get(server, "/302");
    request.max_redirects = 0;
    struct tide_transfer *t = followed(&request);
    assert_int_equal(t->response.status, 302);
    assert_string_equal(tide_strbuf_text(&t->response.body), "moved");
    tide_transfer_unref(t);
}

/* ---- secrets ---- */

static void secrets_stay_with_their_origin(void **state)
{
    static const char *const headers[] = {"Authorization: Bearer secret", "cookie: secret=1", "X-Own: stays", "Host: own.test"};
    int here = fake_server_count(server), there = fake_server_count(elsewhere);
    struct tide_request request = fake_get(server, "/away"); /* and from there back, to /ok */
    request.headers = headers;
    request.header_count = 4;
    struct tide_transfer *t = followed(&request);
    assert_int_equal(t->response.redirects, 2);
    assert_true(has(server, here, "Bearer secret") && has(server, here, "secret=1") && has(server, here, "own.test"));
    assert_false(has(elsewhere, there, "secret"));
    assert_false(has(elsewhere, there, "own.test"));
    assert_true(has(elsewhere, there, "X-Own: stays"));
    assert_false(has(server, here + 1, "secret")); /* they stay off where the way leads back */
    tide_transfer_unref(t);
}

static void user_and_password_stay_with_their_origin(void **state)
{
    int here = fake_server_count(server), there = fake_server_count(elsewhere);
    struct tide_request request = fake_get(server, "/away");
    request.user = "me";
    request.password = "mine";
    request.auth = TIDE_AUTH_BASIC;
    struct tide_transfer *t = followed(&request);
    assert_true(has(server, here, "Authorization: Basic bWU6bWluZQ=="));
    assert_false(has(elsewhere, there, "Authorization"));
    assert_false(has(server, here + 1, "Authorization"));
    tide_transfer_unref(t);
}

static void within_an_origin_secrets_go_along(void **state)
{
    static const char *const headers[] = {"Authorization: Bearer secret", "Cookie: secret=1", "Host: own.test"};
    int here = fake_server_count(server);
    struct tide_request request = fake_get(server, "/302");
    request.headers = headers;
    request.header_count = 3;
    struct tide_transfer *t = followed(&request);
    assert_true(has(server, here + 1, "Bearer secret") && has(server, here + 1, "secret=1"));
    assert_true(has(server, here + 1, "Host: own.test"));
    tide_transfer_unref(t);
}

static void a_password_in_a_location_is_used(void **state)
{
    int there = fake_server_count(elsewhere);
    struct tide_request request = fake_get(server, "/userinfo");
    struct tide_transfer *t = followed(&request);
    assert_true(has(elsewhere, there, "Authorization: Basic dGhlbTp0aGVpcnM="));
    tide_transfer_unref(t);
}

static void cookies_that_are_set_on_the_way_go_along(void **state)
{
    int here = fake_server_count(server);
    struct tide_request request = fake_get(server, "/cookie");
    struct tide_transfer *t = followed(&request);
    assert_true(has(server, here + 1, "Cookie: a=1"));
    assert_non_null(strstr(tide_strbuf_text(&t->response.cookies), "\ta\t1\n")); /* and are told */
    tide_transfer_unref(t);
    struct tide_request next = fake_get(server, "/ok"); /* and are forgotten: it had the same handle of libcurl */
    t = followed(&next);
    assert_false(has(server, here + 2, "Cookie"));
    assert_int_equal(t->response.cookies.size, 0);
    tide_transfer_unref(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(methods_change_as_clients_have_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_large_body_is_sent_again_from_its_beginning, setup, teardown),
        cmocka_unit_test_setup_teardown(other_statuses_are_no_redirects, setup, teardown),
        cmocka_unit_test_setup_teardown(a_location_may_be_relative, setup, teardown),
        cmocka_unit_test_setup_teardown(a_body_on_the_way_is_skipped, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_location_it_is_a_response, setup, teardown),
        cmocka_unit_test_setup_teardown(a_bad_location_is_a_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_location_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(loops_end, setup, teardown),
        cmocka_unit_test_setup_teardown(the_limit_is_the_number_of_redirects, setup, teardown),
        cmocka_unit_test_setup_teardown(none_are_followed_where_none_are_wanted, setup, teardown),
        cmocka_unit_test_setup_teardown(secrets_stay_with_their_origin, setup, teardown),
        cmocka_unit_test_setup_teardown(user_and_password_stay_with_their_origin, setup, teardown),
        cmocka_unit_test_setup_teardown(within_an_origin_secrets_go_along, setup, teardown),
        cmocka_unit_test_setup_teardown(a_password_in_a_location_is_used, setup, teardown),
        cmocka_unit_test_setup_teardown(cookies_that_are_set_on_the_way_go_along, setup, teardown),
    };
    return cmocka_run_group_tests(tests, fake_reactor_open, fake_reactor_close);
}
