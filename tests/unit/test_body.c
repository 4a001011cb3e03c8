#include "unit.h"

#include "base/alloc.h"
#include "base/time.h"
#include "reactor/curl_load.h"
#include "reactor/transfer_run.h"

#include <stdio.h>
#include <string.h>

/* libcurl's callbacks, played by the test: there is no server, and no reactor. */

static struct tide_transfer *t;

static int group_setup(void **state)
{
    char problem[TIDE_LIBRARY_PROBLEM];
    return tide_curl_ready(problem);
}

static void begin(enum tide_sink sink)
{
    char problem[320];
    struct tide_request request = {
        .method = "GET", .url = "http://a.test/x", .max_body = 1000, .max_redirects = 10, .sink = sink};
    t = tide_transfer_new(&request, problem, sizeof problem);
    assert_non_null(t);
    t->easy = tide_curl.curl_easy_init();
    assert_non_null(t->easy);
}

static int setup(void **state)
{
    begin(TIDE_SINK_MEMORY);
    return 0;
}

static int teardown(void **state)
{
    tide_curl.curl_easy_cleanup(t->easy);
    t->easy = NULL;
    tide_transfer_unref(t);
    return 0;
}

/* A line of the head; false where it is refused. */
static bool line(const char *text)
{
    return tide_body_header_cb((char *)(uintptr_t)text, 1, strlen(text), t) == strlen(text);
}

static size_t piece(const char *text, size_t size)
{
    return tide_body_write_cb((char *)(uintptr_t)text, 1, size, t);
}

static void head_is(const char *text)
{
    assert_string_equal(tide_strbuf_text(&t->response.head), text);
}

static const char *header(const char *name)
{
    static char value[64];
    return tide_body_header(t, name, value, sizeof value);
}

/* ---- status lines ---- */

static void a_status_line_tells_the_status(void **state)
{
    static const struct {
        const char *line;
        int status;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\n", 200},         {"HTTP/1.0 404 Not Found\r\n", 404}, {"HTTP/2 204 \r\n", 204},
        {"HTTP/2 503\r\n", 503},              {"HTTP/1.1 299\n", 299},             {"HTTP/1.1 200OK\r\n", 200},
        {"HTTP/1.1 999 So what\r\n", 999},    {"HTTP/1.1\r\n", 0},                 {"HTTP/1.1 \r\n", 0},
        {"HTTP/1.1 OK 200\r\n", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        t->response.status = -1;
        assert_true(line(cases[i].line));
        assert_int_equal(t->response.status, cases[i].status);
        head_is(cases[i].line); /* each begins a new head */
    }
}

static void the_head_is_kept_as_it_came(void **state)
{
    line("HTTP/1.1 200 OK\r\n");
    line("Content-Type: text/plain\r\n");
    line("x-a:  1 \r\n");
    assert_false(t->head_over);
    line("\r\n");
    assert_true(t->head_over);
    assert_false(t->skip_body);
    head_is("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nx-a:  1 \r\n\r\n");
}

static void answers_on_the_way_are_left_out(void **state)
{
    line("HTTP/1.1 100 Continue\r\n");
    line("\r\n");
    assert_false(t->head_over);
    line("HTTP/1.1 103 Early Hints\r\n");
    line("Link: </style.css>\r\n");
    line("\r\n");
    assert_false(t->head_over);
    line("HTTP/1.1 200 OK\r\n");
    line("A: 1\r\n");
    line("\r\n");
    assert_true(t->head_over);
    head_is("HTTP/1.1 200 OK\r\nA: 1\r\n\r\n");
}

static void trailers_are_left_out(void **state)
{
    line("HTTP/1.1 200 OK\r\n");
    line("Transfer-Encoding: chunked\r\n");
    line("\r\n");
    assert_int_equal(piece("body", 4), 4);
    assert_true(line("Expires: never\r\n"));
    assert_true(line("\r\n"));
    head_is("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_null(header("Expires"));
    assert_string_equal(tide_strbuf_text(&t->response.body), "body");
}

static void a_blank_line_may_be_missing(void **state)
{
    line("HTTP/1.1 200 OK\r\n");
    line("A: 1\r\n");
    assert_false(t->head_over); /* the connection ends here, or a body begins all the same */
    assert_int_equal(piece("body", 4), 4);
    assert_string_equal(tide_strbuf_text(&t->response.body), "body");
}

static void a_bare_line_feed_ends_a_line_too(void **state)
{
    line("HTTP/1.1 200 OK\n");
    line("A: 1\n");
    line("\n");
    assert_true(t->head_over);
    assert_string_equal(header("a"), "1");
}

static void a_head_has_a_limit(void **state)
{
    char text[1024];
    snprintf(text, sizeof text, "X: %01000d\r\n", 7);
    int lines = 0;
    line("HTTP/1.1 200 OK\r\n");
    while (line(text)) {
        lines++;
        assert_true(lines < 1000);
    }
    assert_true((size_t)lines * strlen(text) <= TIDE_MAX_HEAD);
    assert_true((size_t)(lines + 1) * strlen(text) > TIDE_MAX_HEAD - 100);
    assert_string_equal(t->refused, "headers");
}

static void a_head_that_does_not_fit_into_memory_is_refused(void **state)
{
    tide_strbuf_fini(&t->response.head); /* a spare transfer may have brought one along */
    tide_alloc_fail_after(0);
    bool taken = line("HTTP/1.1 200 OK\r\n");
    tide_alloc_fail_after(-1);
    assert_false(taken);
    assert_string_equal(t->refused, "memory");
}

/* ---- headers ---- */

static void a_header_is_found_in_any_case(void **state)
{
    line("HTTP/1.1 200 Content-Type: not this\r\n");
    line("Content-Type-Options: not this\r\n");
    line("content-type:\t text/plain \t\r\n");
    line("Empty:\r\n");
    line("Blank:   \r\n");
    line("No colon\r\n");
    line("\r\n");
    assert_string_equal(header("Content-Type"), "text/plain");
    assert_string_equal(header("CONTENT-TYPE"), "text/plain");
    assert_string_equal(header("empty"), "");
    assert_string_equal(header("blank"), "");
    assert_null(header("No colon"));
    assert_null(header("Content"));
    assert_null(header("Missing"));
}

static void the_last_of_several_counts(void **state)
{
    line("HTTP/1.1 302 Found\r\n");
    line("Location: /a\r\n");
    line("Location: /b\r\n");
    line("\r\n");
    assert_string_equal(header("location"), "/b");
}

static void a_value_that_is_too_long_is_none(void **state)
{
    char text[128];
    line("HTTP/1.1 200 OK\r\n");
    snprintf(text, sizeof text, "Long: %063d\r\n", 1);
    line(text);
    snprintf(text, sizeof text, "Longer: %064d\r\n", 1);
    line(text);
    line("\r\n");
    assert_non_null(header("Long"));
    assert_null(header("Longer"));
}

/* ---- bodies ---- */

static void a_body_has_a_limit(void **state)
{
    char text[600] = {0};
    line("HTTP/1.1 200 OK\r\n");
    line("\r\n");
    assert_int_equal(piece(text, 600), 600);
    assert_int_equal(piece(text, 400), 400); /* all that is allowed */
    assert_int_equal(t->response.body.size, 1000);
    assert_null(t->refused);
    assert_int_equal(piece(text, 1), 0);
    assert_string_equal(t->refused, "too_large");
    assert_int_equal(t->response.received, 1000);
}

static void a_body_that_does_not_fit_into_memory_is_refused(void **state)
{
    line("HTTP/1.1 200 OK\r\n");
    line("\r\n");
    tide_strbuf_fini(&t->response.body);
    tide_alloc_fail_after(0);
    size_t taken = piece("body", 4);
    tide_alloc_fail_after(-1);
    assert_int_equal(taken, 0);
    assert_string_equal(t->refused, "memory");
}

static void the_body_of_a_redirect_is_skipped_up_to_a_limit(void **state)
{
    static char text[512 * 1024];
    line("HTTP/1.1 302 Found\r\n");
    line("Location: /b\r\n");
    line("\r\n");
    assert_true(t->skip_body);
    assert_int_equal(piece(text, sizeof text), sizeof text); /* max_body is not meant for it */
    assert_int_equal(piece(text, sizeof text), sizeof text);
    assert_int_equal(piece(text, 1), 0);
    assert_null(t->refused);
    assert_int_equal(t->response.body.size, 0);
}

static void a_redirect_that_leads_nowhere_is_a_response(void **state)
{
    line("HTTP/1.1 302 Found\r\n");
    line("\r\n");
    assert_false(t->skip_body);
    assert_int_equal(piece("moved", 5), 5);
    assert_string_equal(tide_strbuf_text(&t->response.body), "moved");
}

/* ---- streams ---- */

static void a_stream_is_full_at_256_KiB(void **state)
{
    static char text[16 * 1024];
    struct tide_strbuf out = {0};
    t->request.sink = TIDE_SINK_STREAM;
    t->request.max_body = UINT64_MAX / 2;
    line("HTTP/1.1 200 OK\r\n");
    assert_false(t->has_head);
    line("\r\n");
    assert_true(t->has_head);
    assert_string_equal(tide_strbuf_text(&t->response.url), "http://a.test/x");
    assert_int_equal(tide_transfer_take(t, &out), 0);
    size_t taken = 0;
    while (piece(text, sizeof text) == sizeof text)
        taken += sizeof text;
    assert_int_equal(taken, TIDE_STREAM_FULL);
    assert_int_equal(piece(text, sizeof text), CURL_WRITEFUNC_PAUSE);
    assert_true(t->paused);
    assert_int_equal(t->response.received, taken);
}

static void a_head_that_was_told_stands(void **state)
{
    t->request.sink = TIDE_SINK_STREAM;
    line("HTTP/1.1 200 OK\r\n");
    line("A: 1\r\n");
    line("\r\n");
    assert_true(line("HTTP/1.1 500 Late\r\n"));
    assert_true(line("A: 2\r\n"));
    assert_true(line("\r\n"));
    assert_int_equal(t->response.status, 200);
    head_is("HTTP/1.1 200 OK\r\nA: 1\r\n\r\n");
}

static void a_redirect_of_a_stream_is_not_told(void **state)
{
    t->request.sink = TIDE_SINK_STREAM;
    line("HTTP/1.1 301 Moved\r\n");
    line("Location: /b\r\n");
    line("\r\n");
    assert_false(t->has_head);
    assert_int_equal(piece("moved", 5), 5);
    assert_int_equal(t->ready.size, 0);
}

/* ---- what is sent ---- */

static void a_body_is_read_piece_by_piece(void **state)
{
    char out[8];
    t->request.body = "abcdefghij";
    t->request.body_size = 10;
    assert_int_equal(tide_body_read_cb(out, 1, 8, t), 8);
    assert_memory_equal(out, "abcdefgh", 8);
    assert_int_equal(tide_body_read_cb(out, 1, 8, t), 2);
    assert_memory_equal(out, "ij", 2);
    assert_int_equal(tide_body_read_cb(out, 1, 8, t), 0);
    assert_int_equal(tide_body_seek_cb(t, 8, SEEK_SET), CURL_SEEKFUNC_OK);
    assert_int_equal(tide_body_read_cb(out, 1, 8, t), 2);
    assert_int_equal(tide_body_seek_cb(t, 11, SEEK_SET), CURL_SEEKFUNC_FAIL);
    assert_int_equal(tide_body_seek_cb(t, -1, SEEK_SET), CURL_SEEKFUNC_FAIL);
    assert_int_equal(tide_body_seek_cb(t, 0, SEEK_END), CURL_SEEKFUNC_FAIL);
    assert_int_equal(tide_body_seek_cb(t, 0, SEEK_SET), CURL_SEEKFUNC_OK);
    assert_int_equal(tide_body_read_cb(out, 1, 8, t), 8);
    t->request.body = NULL;
    t->request.body_size = 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_status_line_tells_the_status),
        TEST(the_head_is_kept_as_it_came),
        TEST(answers_on_the_way_are_left_out),
        TEST(trailers_are_left_out),
        TEST(a_blank_line_may_be_missing),
        TEST(a_bare_line_feed_ends_a_line_too),
        TEST(a_head_has_a_limit),
        TEST(a_head_that_does_not_fit_into_memory_is_refused),
        TEST(a_header_is_found_in_any_case),
        TEST(the_last_of_several_counts),
        TEST(a_value_that_is_too_long_is_none),
        TEST(a_body_has_a_limit),
        TEST(a_body_that_does_not_fit_into_memory_is_refused),
        TEST(the_body_of_a_redirect_is_skipped_up_to_a_limit),
        TEST(a_redirect_that_leads_nowhere_is_a_response),
        TEST(a_stream_is_full_at_256_KiB),
        TEST(a_head_that_was_told_stands),
        TEST(a_redirect_of_a_stream_is_not_told),
        TEST(a_body_is_read_piece_by_piece),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
