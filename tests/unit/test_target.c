#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "reactor/curl.h"
#include "reactor/curl_load.h"
#include "reactor/target.h"

#include <stdio.h>
#include <string.h>

/* A plain URL is taken apart by hand, any other by libcurl. Both must see the same in it. A URL relative to a base always
 * goes through libcurl, and an absolute one does not care for its base. */
#define BASE "http://base.test/"

#define COUNT(x) (sizeof(x) / sizeof *(x))

static int setup(void **state)
{
    char problem[TIDE_LIBRARY_PROBLEM];
    return tide_curl_ready(problem);
}

static int parse(struct tide_target *target, const char *base, const char *url)
{
    char problem[300] = "";
    *target = (struct tide_target){0};
    int failed = tide_target_init(target, base, url, problem, sizeof problem);
    if (failed) {
        assert_int_equal(failed, TIDE_EINVAL);
        assert_non_null(strstr(problem, "bad URL '"));

        assert_null(target->url);
        assert_null(target->origin);
        assert_null(target->host);
        assert_null(target->port);
    }
    return failed;
}

static bool same_text(const char *what, const char *url, const char *plain, const char *libcurl)
{
    if (strcmp(plain, libcurl) == 0)
        return true;
    print_error("%s of '%s': '%s' by hand, '%s' by libcurl\n", what, url, plain, libcurl);
    return false;
}

static bool same_part(CURLU *plain, CURLU *libcurl, CURLUPart which, const char *url)
{
    char *a = NULL, *b = NULL;
    CURLUcode code = tide_curl.curl_url_get(plain, which, &a, 0);
    bool same = code == tide_curl.curl_url_get(libcurl, which, &b, 0) &&
                (code || same_text("a part", url, a, b));
    if (!same)
        print_error("part %d of '%s' differs\n", which, url);
    tide_curl.curl_free(a);
    tide_curl.curl_free(b);
    return same;
}

/* Handed to a transfer they must be what libcurl would have made of the URL itself, with the flags that it uses there. */
static bool parts_agree(const struct tide_target *target)
{
    if (!target->parts)
        return true;
    CURLU *libcurl = tide_curl.curl_url();
    bool same = tide_curl.curl_url_set(libcurl, CURLUPART_URL, target->url, CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME) == 0;
    for (CURLUPart which = CURLUPART_URL; which <= CURLUPART_ZONEID; which++)
        same &= same_part(target->parts, libcurl, which, target->url);
    tide_curl.curl_url_cleanup(libcurl);
    return same;
}

static bool agree_on(const char *url)
{
    struct tide_target plain, libcurl;
    int by_hand = parse(&plain, NULL, url), by_libcurl = parse(&libcurl, BASE, url);
    bool same = by_hand == by_libcurl;
    if (!same)
        print_error("'%s': %d by hand, %d by libcurl\n", url, by_hand, by_libcurl);
    if (!by_hand && !by_libcurl)
        same = same_text("URL", url, plain.url, libcurl.url) & same_text("origin", url, plain.origin, libcurl.origin) &
               same_text("host", url, plain.host, libcurl.host) & same_text("port", url, plain.port, libcurl.port) &
               (plain.tls == libcurl.tls) & (plain.literal == libcurl.literal) & parts_agree(&plain);
    tide_target_fini(&plain);
    tide_target_fini(&libcurl);
    return same;
}

static void both_ways_agree(void **state)
{
    static const char *const hosts[] = {
        "example.com", "EXAMPLE.com", "Example.Com", "localhost", "a", "A", "a.b.c.d.e.f", "xn--bcher-kva.example",
        "bücher.example", "BÜCHER.example", "日本語.jp", "straße.de", "a_b.example", "a-b.example", "-a.example", "a-.example",
        "example.com.", "example.com..", ".example.com", "..", ".", "-", "a..b", "1a.example", "a1", "a.1a", "a.a1", "1.a",
        "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f.1", "0x7f000001", "0x7f.0.0.1", "017700000001", "0177.1",
        "0x7g.1", "4294967295", "4294967296", "256.1.1.1", "1.2.3.4.5", "1.2.3.4.", "1.2.3", "01.02.03.04", "08.1.1.1", "0",
        "0x", "1.2.3.0x4", "1.2.3.x", "300", "99999999999", "a.1", "a.0x1", "a.2130706433", "[::1]", "[2001:DB8::1]",
        "[2001:db8:0:0:0:0:0:1]", "[::ffff:1.2.3.4]", "[::1", "::1", "[1.2.3.4]", "[]", "[fe80::1%25eth0]", "[v1.a]", "",
        "user@example.com", "user:pass@example.com", "user:p%40ss@example.com", "u:p:q@example.com", "@example.com",
        ":@example.com", "user@", "a b.example", "a%20b.example", "%61.example", "ex%41mple.com", "a!b", "a$b", "a,b", "a;b",
        "a'b", "a\"b", "a<b", "a>b", "a\\b", "a^b", "a`b", "a{b}", "a|b", "a*b", "a(b)", "a~b", "a=b", "a+b", "a&b",
        "xn--", "xn--a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example",
    };
    static const char *const ports[] = {"", ":", ":0", ":1", ":80", ":443", ":8080", ":080", ":00080", ":65535", ":65536",
                                        ":99999", ":100000", ":4294967376", ":-1", ":+80", ":8a", ":a", ": 80", ":80 "};
    static const char *const rests[] = {
        "", "/", "//", "/a", "/a/", "/A/b.html", "/.", "/..", "/./a", "/../a", "/a/./b", "/a/../b", "/a/..", "/a/.", "/a/.b",
        "/a/..b", "/...", "/a//../b", "/%2e/a", "/%2E%2e/a", "/a/%2e%2e/b", "/a/.%2e/b", "/%2f", "/%2F", "/%41", "/%61%7e",
        "/%zz", "/%", "/%4", "/100%", "/a b", "/a\tb", "/ü", "/a%20b", "/a+b", "/a|b", "/a\"b", "/a<b>", "/a\\b", "/a^b",
        "/a`b", "/a{b}", "/a[b]", "/a;b=c", "/a:b", "/a@b", "/a,b", "/!$&'()*+,;=", "/~u/_x-y.z", "?", "?a", "?a=b&c=d",
        "?a=b c", "?a=ü", "?a=%2e", "?a/../b", "?a/./b", "?/./", "?a=b?c", "/?", "/?a=b", "/a?b/../c", "/a?b=%2E%2E/", "/a?b'c",
        "/a?b|c", "/a?b[]=1", "/a?b=/.", "#", "#f", "/#f", "/a#f?g", "/a?b#c", "?a#b", "/a#/../b", "/a# b",
    };
    static const char *const others[] = {
        "HTTP://example.com/", "HTTPS://example.com/", "Http://example.com", "http://", "https://", "http:///a", "http:////a",
        "ftp://example.com/", "file:///etc/passwd", "gopher://a/", "http://a/ ", "ws://a/", "http://a:80:80/",
        "http://user@a:80/", "http://a@b@c/", "http://a/b@c", "http://a?b@c", "http://a#b@c", "http://a;b@c/",
    };
    char url[512];
    int differ = 0, count = 0;
    for (size_t tls = 0; tls < 2; tls++) {
        for (size_t h = 0; h < COUNT(hosts); h++)
            for (size_t p = 0; p < COUNT(ports); p++, count++) {
                snprintf(url, sizeof url, "http%s://%s%s%s", tls ? "s" : "", hosts[h], ports[p], count % 2 ? "/a?b" : "");
                differ += !agree_on(url);
            }
        for (size_t r = 0; r < COUNT(rests); r++, count += 2) {
            snprintf(url, sizeof url, "http%s://example.com%s", tls ? "s" : "", rests[r]);
            differ += !agree_on(url);
            snprintf(url, sizeof url, "http%s://example.com:8080%s", tls ? "s" : "", rests[r]);
            differ += !agree_on(url);
        }
    }
    for (size_t i = 0; i < COUNT(others); i++, count++)
        differ += !agree_on(others[i]);
    print_message("%d URLs\n", count);
    assert_int_equal(differ, 0);
}

static void it_says_where_to_go(void **state)
{
    static const struct {
        const char *url, *absolute, *origin;
        bool literal;
    } cases[] = {
        {"http://example.com", "http://example.com/", "http://example.com:80", false},
        {"https://example.com/a?b#c", "https://example.com/a?b", "https://example.com:443", false},
        {"http://example.com:8080/", "http://example.com:8080/", "http://example.com:8080", false},
        {"http://example.com:80/", "http://example.com:80/", "http://example.com:80", false},
        {"https://example.com:00443/", "https://example.com:443/", "https://example.com:443", false},
        {"HTTP://EXAMPLE.com/A", "http://EXAMPLE.com/A", "http://example.com:80", false},
        {"http://u:p@Example.com/", "http://u:p@Example.com/", "http://example.com:80", false},
        {"http://example.com?a=b", "http://example.com/?a=b", "http://example.com:80", false},
        {"http://example.com/a b", "http://example.com/a%20b", "http://example.com:80", false},
        {"http://example.com/\xc3\xbc", "http://example.com/%c3%bc", "http://example.com:80", false},
        {"http://example.com/a/../b", "http://example.com/b", "http://example.com:80", false},
        {"http://127.0.0.1/", "http://127.0.0.1/", "http://127.0.0.1:80", true},
        {"http://2130706433/", "http://127.0.0.1/", "http://127.0.0.1:80", true},
        {"http://0x7f.1/", "http://127.0.0.1/", "http://127.0.0.1:80", true},
        {"http://127.1/", "http://127.0.0.1/", "http://127.0.0.1:80", true},
        {"http://[::1]:81/", "http://[::1]:81/", "http://[::1]:81", true},
        {"http://[2001:DB8::1]/", "http://[2001:DB8::1]/", "http://[2001:db8::1]:80", true},
        {"http://b\xc3\xbc" "cher.example/", "http://xn--bcher-kva.example/", "http://xn--bcher-kva.example:80", false},
        {"http://\xe6\x97\xa5\xe6\x9c\xac.jp/", "http://xn--wgv71a.jp/", "http://xn--wgv71a.jp:80", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tide_target target;
        assert_int_equal(parse(&target, NULL, cases[i].url), 0);
        assert_string_equal(target.url, cases[i].absolute);
        assert_string_equal(target.origin, cases[i].origin);
        assert_int_equal(target.literal, cases[i].literal);
        assert_int_equal(target.tls, cases[i].absolute[4] == 's');
        tide_target_fini(&target);
    }
}

static void a_bad_url_is_refused_with_a_reason(void **state)
{
    static const char *const bad[] = {
        "", " ", "example.com", "//example.com/", "/a", "http://", "http:///", "http://a:65536/", "http://a:99999/",
        "http://a:b/", "http://[::1/", "http://[1.2.3.4]/", "http://a b/", "ftp://a/", "file:///etc/passwd", "http://a\r\nb/",
        "http://\xff\xfe.example/", "http://xn--\xc3\xbc/",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct tide_target target;
        if (parse(&target, NULL, bad[i]) == 0)
            fail_msg("'%s' is taken", bad[i]);
    }
}

/* RFC 3986, section 5.4 */
static void a_reference_is_relative_to_its_base(void **state)
{
    static const struct {
        const char *reference, *absolute;
    } cases[] = {
        {"g", "http://a/b/c/g"},
        {"./g", "http://a/b/c/g"},
        {"g/", "http://a/b/c/g/"},
        {"/g", "http://a/g"},
        {"//g", "http://g/"},
        {"?y", "http://a/b/c/d;p?y"},
        {"g?y", "http://a/b/c/g?y"},
        {"g#s", "http://a/b/c/g"},
        {"g?y#s", "http://a/b/c/g?y"},
        {";x", "http://a/b/c/;x"},
        {"g;x", "http://a/b/c/g;x"},
        {"g;x?y#s", "http://a/b/c/g;x?y"},
        {".", "http://a/b/c/"},
        {"./", "http://a/b/c/"},
        {"..", "http://a/b/"},
        {"../", "http://a/b/"},
        {"../g", "http://a/b/g"},
        {"../..", "http://a/"},
        {"../../", "http://a/"},
        {"../../g", "http://a/g"},
        {"../../../g", "http://a/g"},
        {"/./g", "http://a/g"},
        {"/../g", "http://a/g"},
        {"g.", "http://a/b/c/g."},
        {".g", "http://a/b/c/.g"},
        {"./../g", "http://a/b/g"},
        {"./g/.", "http://a/b/c/g/"},
        {"g/../h", "http://a/b/c/h"},
        {"g?y/./x", "http://a/b/c/g?y/./x"},
        {"https://h/x", "https://h/x"},
        {"//user:secret@g/x", "http://user:secret@g/x"},
        {"a b", "http://a/b/c/a%20b"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tide_target target;
        assert_int_equal(parse(&target, "http://a/b/c/d;p?q", cases[i].reference), 0);
        if (strcmp(target.url, cases[i].absolute) != 0)
            fail_msg("'%s' becomes '%s', not '%s'", cases[i].reference, target.url, cases[i].absolute);
        tide_target_fini(&target);
    }
}

static void a_password_does_not_follow_to_another_host(void **state)
{
    struct tide_target target;
    assert_int_equal(parse(&target, "http://user:secret@a/b", "//c/d"), 0);
    assert_string_equal(target.url, "http://c/d");
    tide_target_fini(&target);
    assert_int_equal(parse(&target, "http://user:secret@a/b", "http://c/d"), 0);
    assert_string_equal(target.url, "http://c/d");
    tide_target_fini(&target);
}

static void without_memory_nothing_is_left_behind(void **state)
{
    static const char *const urls[] = {"http://example.com/plain", "http://example.com", "http://Example.com/not plain"};
    for (size_t i = 0; i < COUNT(urls); i++) {
        int failed = TIDE_ENOMEM, failures = -1;
        for (long allowed = 0; failed; allowed++, failures++) {
            struct tide_target target = {0};
            char problem[300];
            tide_alloc_fail_after(allowed);
            failed = tide_target_init(&target, NULL, urls[i], problem, sizeof problem);
            tide_alloc_fail_after(-1);
            if (failed) {
                assert_int_equal(failed, TIDE_ENOMEM);
                assert_null(target.url);
            }
            tide_target_fini(&target);
        }
        assert_true(failures >= 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_agree),
        cmocka_unit_test(it_says_where_to_go),
        cmocka_unit_test(a_bad_url_is_refused_with_a_reason),
        cmocka_unit_test(a_reference_is_relative_to_its_base),
        cmocka_unit_test(a_password_does_not_follow_to_another_host),
        cmocka_unit_test(without_memory_nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
