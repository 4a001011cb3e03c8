#include "reactor/target.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "reactor/curl.h"

#include <arpa/inet.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef CURLU_PUNYCODE
#define CURLU_PUNYCODE 0 /* libcurl before 7.88: a name that is not ASCII fails at its look-up */
#endif

static bool is_ascii(const char *text)
{
    while (*text && (unsigned char)*text < 0x80)
        text++;
    return !*text;
}

static int fail(CURLUcode code, const char *url, char *problem, size_t room)
{
    if (code == CURLUE_OUT_OF_MEMORY && is_ascii(url))
        return TIDE_ENOMEM;
    if (code == CURLUE_OUT_OF_MEMORY) { /* what libcurl 7.88 says of a name that it cannot make ASCII, too */
        snprintf(problem, room, "bad URL '%.200s': its host is no international name", url);
        return TIDE_EINVAL;
    }
    snprintf(problem, room, "bad URL '%.200s': %s", url, tide_curl.curl_url_strerror(code));
    return TIDE_EINVAL;
}

/* Takes one part out of libcurl's hands into ours. */
static CURLUcode part(CURLU *parts, CURLUPart which, unsigned flags, char **out)
{
    char *text = NULL;
    CURLUcode code = tide_curl.curl_url_get(parts, which, &text, flags);
    if (code == CURLUE_OK) {
        *out = tide_strdup(text);
        code = *out ? CURLUE_OK : CURLUE_OUT_OF_MEMORY;
        tide_curl.curl_free(text);
    }
    return code;
}

static bool is_literal(const char *host)
{
    unsigned char address[16];
    return host[0] == '[' || inet_pton(AF_INET, host, address) == 1;
}

static int complete(struct tide_target *target, const char *scheme)
{
    struct tide_strbuf origin = {0};
    for (char *at = target->host; *at; at++) /* in whatever case it stands in the URL, it is one host */
        if (*at >= 'A' && *at <= 'Z')
            *at += 'a' - 'A';
    tide_strbuf_printf(&origin, "%s://%s:%s", scheme, target->host, target->port);
    target->origin = tide_strbuf_detach(&origin);
    target->tls = strcmp(scheme, "https") == 0;
    target->literal = is_literal(target->host);
    return target->origin ? 0 : TIDE_ENOMEM;
}

static int take_apart(struct tide_target *target, CURLU *parts, const char *url, char *problem, size_t room)
{
    char *scheme = NULL;
    CURLUcode code = tide_curl.curl_url_set(parts, CURLUPART_FRAGMENT, NULL, 0);
    if (code == CURLUE_OK)
        code = part(parts, CURLUPART_SCHEME, 0, &scheme);
    if (code == CURLUE_OK && strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) {
        snprintf(problem, room, "bad URL '%.200s': http and https are known, not '%.20s'", url, scheme);
        tide_free(scheme);
        return TIDE_EINVAL;
    }
    if (code == CURLUE_OK)
        code = part(parts, CURLUPART_URL, CURLU_PUNYCODE, &target->url);
    if (code == CURLUE_OK)
        code = part(parts, CURLUPART_HOST, CURLU_PUNYCODE, &target->host);
    if (code == CURLUE_OK)
        code = part(parts, CURLUPART_PORT, CURLU_DEFAULT_PORT, &target->port);
    int failed = code == CURLUE_OK ? complete(target, scheme) : fail(code, url, problem, room);
    tide_free(scheme);
    return failed;
}

/* ---- the plain case, without libcurl ----
 * http or https, a name or an IPv4 address in lower case, a path in which nothing has to be encoded or resolved. Nearly all
 * URLs are such, and taking them apart by hand costs a fiftieth (300 instead of 18,000 instructions). */

static size_t host_size(const char *at)
{
    return strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789.-");
}

/* Nothing but what RFC 3986 lets stand in a path and a query, and no segment that begins with a dot. */
static bool is_plain_rest(const char *at)
{
    return at[strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/?@!$&'()*+,;=%")] == '\0' &&
           !strstr(at, "/.") && (*at == '/' || *at == '\0');
}

static char *copy(const char *text, size_t size)
{
    return tide_concat(text, size, "", 0, "", 0);
}

/* The URL as libcurl would have it after parsing, for a third of the instructions. NULL where it must do that itself: what is
 * percent-encoded would become lower case, and an empty query is none to libcurl. */
static CURLU *compose(const struct tide_target *target, bool has_port, char *path)
{
    char *query = strchr(path, '?');
    CURLU *parts = strchr(path, '%') || (query && !query[1]) ? NULL : tide_curl.curl_url();
    if (!parts)
        return NULL;
    if (query)
        *query = '\0';
    bool failed = tide_curl.curl_url_set(parts, CURLUPART_SCHEME, target->tls ? "https" : "http", 0) != CURLUE_OK ||
                  tide_curl.curl_url_set(parts, CURLUPART_HOST, target->host, 0) != CURLUE_OK ||
                  (has_port && tide_curl.curl_url_set(parts, CURLUPART_PORT, target->port, 0) != CURLUE_OK) ||
                  tide_curl.curl_url_set(parts, CURLUPART_PATH, path, 0) != CURLUE_OK ||
                  (query && tide_curl.curl_url_set(parts, CURLUPART_QUERY, query + 1, 0) != CURLUE_OK);
    if (query)
        *query = '?';
    if (!failed)
        return parts;
    tide_curl.curl_url_cleanup(parts);
    return NULL;
}

/* 1: done. 0: not that plain. TIDE_ENOMEM. */
static int init_plain(struct tide_target *target, const char *url)
{
    bool tls = strncmp(url, "https://", 8) == 0;
    if (!tls && strncmp(url, "http://", 7) != 0)
        return 0;
    const char *host = url + (tls ? 8 : 7), *end = host + host_size(host), *rest = end, *port = tls ? "443" : "80";
    size_t size = (size_t)(end - host), port_size = strlen(port);
    bool has_port = *end == ':';
    if (has_port) {
        port = end + 1;
        port_size = strspn(port, "0123456789");
        rest = port + port_size;
    }
    if (!size || size > 253 || !port_size || port_size > 5 || *port == '0' || !is_plain_rest(rest))
        return 0;
    const char *last = host; /* libcurl reads 0x7f.1 and 2130706433 as addresses too: what begins like one must be one */
    for (const char *at = host; at < end; at++)
        last = at[0] == '.' && at + 1 < end ? at + 1 : last;
    target->host = copy(host, size);
    target->port = copy(port, port_size);
    target->url = *rest ? tide_strdup(url) : tide_concat(url, (size_t)(rest - url), "/", 1, "", 0); /* an empty path is "/" */
    target->origin = tide_concat(url, (size_t)(end - url), ":", 1, port, port_size);
    target->tls = tls;
    target->literal = target->host && is_literal(target->host);
    bool failed = !target->host || !target->port || !target->url || !target->origin;
    bool strange = !failed && !target->literal && *last >= '0' && *last <= '9';
    if (failed || strange || strtol(target->port, NULL, 10) > 65535) {
        tide_target_fini(target);
        return failed ? TIDE_ENOMEM : 0;
    }
    target->parts = compose(target, has_port, target->url + (rest - url));
    return 1;
}

/* libcurl drops an empty query, but for RFC 3986, section 6.2.3, a URL with it is another one. */
static int keep_empty_query(struct tide_target *target, const char *url)
{
    size_t size = strcspn(url, "#");
    if (!size || url[size - 1] != '?' || strchr(target->url, '?'))
        return 0;
    struct tide_strbuf with_query = {0};
    tide_strbuf_printf(&with_query, "%s?", target->url);
    tide_free(target->url);
    target->url = tide_strbuf_detach(&with_query);
    return target->url ? 0 : TIDE_ENOMEM;
}

static int init_by_libcurl(struct tide_target *target, const char *base, const char *url, char *problem, size_t room)
{
    CURLU *parts = tide_curl.curl_url();
    if (!parts)
        return TIDE_ENOMEM;
    CURLUcode code = base ? tide_curl.curl_url_set(parts, CURLUPART_URL, base, 0) : CURLUE_OK;
    if (code == CURLUE_OK)
        code = tide_curl.curl_url_set(parts, CURLUPART_URL, url, CURLU_URLENCODE);
    int failed = code == CURLUE_OK ? take_apart(target, parts, url, problem, room) : fail(code, url, problem, room);
    tide_curl.curl_url_cleanup(parts);
    if (!failed)
        failed = keep_empty_query(target, url);
    if (failed)
        tide_target_fini(target);
    return failed;
}

int tide_target_init(struct tide_target *target, const char *base, const char *url, char *problem, size_t room)
{
    int plain = base ? 0 : init_plain(target, url);
    if (plain)
        return plain < 0 ? plain : 0;
    if (is_ascii(url))
        return init_by_libcurl(target, base, url, problem, room);
    /* libidn2 takes names to be in the encoding of the thread's locale, and the program's is "C" */
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
    int failed = init_by_libcurl(target, base, url, problem, room);
    if (utf8) {
        uselocale(before);
        freelocale(utf8);
    }
    return failed;
}

void tide_target_fini(struct tide_target *target)
{
    tide_free(target->url);
    tide_free(target->origin);
    tide_free(target->host);
    tide_free(target->port);
    if (target->parts)
        tide_curl.curl_url_cleanup(target->parts);
    *target = (struct tide_target){0};
}
