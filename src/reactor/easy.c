/* What libcurl is told for one hop, and what it tells of it afterwards. Handles are kept: they have allocated what they
 * need. */
#include "base/alloc.h"
#include "base/error.h"
#include "reactor/multi.h"
#include "reactor/transfer_run.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

enum { IDLE_HANDLES = 1024, WIDE_BUFFER = 512 * 1024, SMALL_BODY = 64 * 1024, NAMES_KEPT_S = 3600 };

#define AGENT "tidemill/" TIDE_VERSION

#define SET(easy, option, value) (failed |= tide_curl.curl_easy_setopt((easy), (option), (value)) != CURLE_OK)

/* A handle that waits for its next transfer. What the last one set is still in it. */
struct idle {
    CURL *easy;
    bool plain; /* that was a plain one */
};

/* reactor */
static struct idle idle[IDLE_HANDLES];
static int idle_count;

static bool is_header(const char *line, const char *name)
{
    size_t size = strlen(name);
    return strncasecmp(line, name, size) == 0 && (line[size] == ':' || line[size] == ';');
}

/* A redirect to elsewhere takes no secrets along, nor the name that the other origin has; one that became a GET has no body
 * to describe. */
static bool is_sent(const struct tide_transfer *t, const char *line)
{
    if (!t->send_secrets && (is_header(line, "Authorization") || is_header(line, "Cookie") || is_header(line, "Host")))
        return false;
    return t->send_body || t->response.redirects == 0 || strncasecmp(line, "Content-", 8) != 0;
}

static void add_node(struct curl_slist *nodes, size_t *count, const char *line)
{
    nodes[*count] = (struct curl_slist){.data = (char *)(uintptr_t)line}; /* libcurl only reads them */
    if (*count)
        nodes[*count - 1].next = &nodes[*count];
    ++*count;
}

static bool is_method(const struct tide_transfer *t, const char *method)
{
    return strcmp(t->method, method) == 0;
}

/* Of size 0 where none was given and the method is one that has a body. */
static bool has_body(const struct tide_transfer *t)
{
    return t->send_body || is_method(t, "POST") || is_method(t, "PUT") || is_method(t, "PATCH");
}

static void build_headers(struct tide_transfer *t)
{
    const struct tide_request *request = &t->request;
    size_t count = 0;
    bool has_type = false, has_encoding = !request->decode, has_agent = request->proxy != NULL;
    for (size_t i = 0; i < request->header_count; i++)
        if (is_sent(t, request->headers[i])) {
            has_type |= is_header(request->headers[i], "Content-Type");
            has_encoding |= is_header(request->headers[i], "Accept-Encoding");
            has_agent |= is_header(request->headers[i], "User-Agent");
            add_node(t->header_nodes, &count, request->headers[i]);
        }
    if (!has_encoding) /* as a header: inflate.h undoes them, not libcurl */
        add_node(t->header_nodes, &count, "Accept-Encoding: gzip, deflate");
    if (!has_agent) /* as an option libcurl would format it twice */
        add_node(t->header_nodes, &count, "User-Agent: " AGENT);
    if (has_body(t)) {
        add_node(t->header_nodes, &count, "Expect:"); /* no second of waiting for servers that do not know it */
        if (!has_type)
            add_node(t->header_nodes, &count, "Content-Type:");
    }
    t->header_count = count;
}

static bool set_method(struct tide_transfer *t)
{
    const struct tide_request *request = &t->request;
    bool failed = false;
    if (is_method(t, "HEAD")) {
        SET(t->easy, CURLOPT_NOBODY, 1L);
        return !failed;
    }
    SET(t->easy, CURLOPT_HTTPGET, 1L); /* what the last hop set is gone */
    if (has_body(t)) {
        curl_off_t size = t->send_body ? (curl_off_t)request->body_size : 0;
        SET(t->easy, CURLOPT_POST, 1L);
        SET(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, size);
        if (size > SMALL_BODY) { /* piece by piece, so that a stall can be seen */
            SET(t->easy, CURLOPT_READFUNCTION, tide_body_read_cb);
            SET(t->easy, CURLOPT_READDATA, t);
            SET(t->easy, CURLOPT_SEEKFUNCTION, tide_body_seek_cb);
            SET(t->easy, CURLOPT_SEEKDATA, t);
        } else {
            SET(t->easy, CURLOPT_POSTFIELDS, size ? request->body : "");
        }
    }
    SET(t->easy, CURLOPT_CUSTOMREQUEST, t->method);
    return !failed;
}

static bool set_security(struct tide_transfer *t)
{
    const struct tide_request *request = &t->request;
    bool failed = false;
    struct stat status;
    if (!request->verify) {
        SET(t->easy, CURLOPT_SSL_VERIFYPEER, 0L);
        SET(t->easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (request->ca && stat(request->ca, &status) == 0 && S_ISDIR(status.st_mode)) {
        SET(t->easy, CURLOPT_CAPATH, request->ca);
        SET(t->easy, CURLOPT_CAINFO, NULL);
    } else if (request->ca) {
        SET(t->easy, CURLOPT_CAINFO, request->ca);
        SET(t->easy, CURLOPT_CAPATH, NULL);
    }
    return !failed;
}

static bool set_secrets(struct tide_transfer *t)
{
    const struct tide_request *request = &t->request;
    bool failed = false, send = request->user && t->send_secrets;
    if (send) {
        SET(t->easy, CURLOPT_HTTPAUTH, request->auth == TIDE_AUTH_DIGEST ? CURLAUTH_DIGEST : CURLAUTH_BASIC);
        SET(t->easy, CURLOPT_USERNAME, request->user);
        SET(t->easy, CURLOPT_PASSWORD, request->password ? request->password : "");
    } else if (request->user) {
        SET(t->easy, CURLOPT_USERNAME, NULL);
        SET(t->easy, CURLOPT_PASSWORD, NULL);
    }
    return !failed;
}

/* Most requests differ in nothing but their URL: a handle that served one serves the next as it is. */
static bool is_plain(const struct tide_request *request)
{
    return !request->header_count && !request->body && !request->user && !request->cookies && !request->proxy && !request->ca &&
           request->sink == TIDE_SINK_MEMORY && request->verify && request->decode && request->http == 0 &&
           request->max_redirects && strcmp(request->method, "GET") == 0;
}

/* What belongs to this transfer in any handle. */
static bool set_own(struct tide_transfer *t)
{
    bool failed = false;
    SET(t->easy, CURLOPT_PRIVATE, t);
    SET(t->easy, CURLOPT_HEADERDATA, t);
    SET(t->easy, CURLOPT_WRITEDATA, t);
    SET(t->easy, CURLOPT_ERRORBUFFER, t->curl_says);
    return !failed;
}

/* What stays the same over all hops. */
static bool set_fixed(struct tide_transfer *t)
{
    static const long versions[] = {CURL_HTTP_VERSION_2TLS, CURL_HTTP_VERSION_1_1, CURL_HTTP_VERSION_2_0};
    const struct tide_request *request = &t->request;
    CURL *easy = t->easy;
    bool failed = false;
    SET(easy, CURLOPT_NOSIGNAL, 1L);
    SET(easy, CURLOPT_HEADERFUNCTION, tide_body_header_cb);
    SET(easy, CURLOPT_WRITEFUNCTION, tide_body_write_cb);
    SET(easy, CURLOPT_CLOSESOCKETFUNCTION, tide_multi_close_socket_cb);
    SET(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(easy, CURLOPT_DNS_CACHE_TIMEOUT, (long)NAMES_KEPT_S); /* far longer than ours, so that it never asks by itself */
    SET(easy, CURLOPT_HTTP_VERSION, versions[request->http]);
    if (request->proxy)
        SET(easy, CURLOPT_USERAGENT, AGENT); /* for the proxy as well, which sees no headers of the request */
    SET(easy, CURLOPT_PROXY, request->proxy ? t->proxy.url : ""); /* "": the environment is not its business */
    SET(easy, CURLOPT_NOPROXY, "");                               /* nor here: it would look up the name of the server */
    if (request->proxy)
        SET(easy, CURLOPT_PROXYPORT, strtol(t->proxy.port, NULL, 10)); /* else 1080 where the URL has none */
    if (request->sink == TIDE_SINK_FILE)
        SET(easy, CURLOPT_BUFFERSIZE, (long)WIDE_BUFFER);
    SET(easy, CURLOPT_COOKIEFILE, ""); /* starts the engine */
    if (request->cookies && *request->cookies) {
        const char *line = request->cookies;
        for (size_t size; *line; line += size + (line[size] == '\n')) {
            char one[8192]; /* libcurl takes no longer ones from servers */
            size = strcspn(line, "\n");
            snprintf(one, sizeof one, "%.*s", (int)size, line);
            SET(easy, CURLOPT_COOKIELIST, one);
        }
    }
    return !failed;
}

static bool set_hop(struct tide_transfer *t)
{
    bool failed = false;
    int64_t left = t->request.connect_ns / 1000000 - (int64_t)(t->dns_s * 1e3);
    SET(t->easy, CURLOPT_URL, t->target.url);
    SET(t->easy, CURLOPT_CURLU, t->target.parts);
    SET(t->easy, CURLOPT_HTTPHEADER, t->header_count ? t->header_nodes : NULL);
    SET(t->easy, CURLOPT_CONNECTTIMEOUT_MS, left < 1 ? 1L : left < INT_MAX ? (long)left : (long)INT_MAX);
    t->resolve_node = (struct curl_slist){.data = t->addresses};
    SET(t->easy, CURLOPT_RESOLVE, t->addresses ? &t->resolve_node : NULL);
    return !failed;
}

/* A handle for the transfer. True: it has nothing of another one in it any more, and everything has to be set. */
static bool take_handle(struct tide_transfer *t)
{
    if (!idle_count) {
        t->easy = tide_curl.curl_easy_init();
        return true;
    }
    struct idle taken = idle[--idle_count];
    t->easy = taken.easy;
    if (taken.plain && is_plain(&t->request))
        return false;
    tide_curl.curl_easy_setopt(t->easy, CURLOPT_COOKIEFILE, NULL); /* reset would forget the list of files, and leak it */
    tide_curl.curl_easy_reset(t->easy);
    return true;
}

/* One in which not everything is set must not serve the next transfer. */
static int give_up_handle(struct tide_transfer *t)
{
    if (t->easy)
        tide_curl.curl_easy_cleanup(t->easy);
    t->easy = NULL;
    return TIDE_ENOMEM;
}

int tide_easy_prepare(struct tide_transfer *t)
{
    bool first = !t->easy, fresh = first && take_handle(t);
    if (!t->easy || (first && !set_own(t)) || (fresh && (!set_fixed(t) || !set_security(t))))
        return give_up_handle(t);
    bool as_it_was = first && !fresh; /* a plain one after a plain one */
    build_headers(t);
    if ((!as_it_was && (!set_method(t) || !set_secrets(t))) || !set_hop(t))
        return give_up_handle(t);
    t->body_sent = 0;
    return 0;
}

static double seconds(CURL *easy, CURLINFO what)
{
    curl_off_t us = 0;
    return tide_curl.curl_easy_getinfo(easy, what, &us) == CURLE_OK ? (double)us * 1e-6 : 0;
}

static void take_timings(struct tide_transfer *t)
{
    double before = t->queue_s + t->dns_s, connect = seconds(t->easy, CURLINFO_CONNECT_TIME_T),
           tls = seconds(t->easy, CURLINFO_APPCONNECT_TIME_T);
    t->response.timings = (struct tide_timings){
        .queue = t->queue_s,
        .dns = t->dns_s,
        .connect = connect > 0 ? before + connect : 0,
        .tls = tls > 0 ? before + tls : 0,
        .first_byte = before + seconds(t->easy, CURLINFO_STARTTRANSFER_TIME_T),
        .total = before + seconds(t->easy, CURLINFO_TOTAL_TIME_T),
    };
}

/* One that the server takes back is listed all the same. The fifth field says until when it is kept; 0: for the session. */
static bool is_expired(const char *line)
{
    for (int i = 0; line && i < 4; i++) {
        line = strchr(line, '\t');
        line += line != NULL;
    }
    long long until = line ? strtoll(line, NULL, 10) : 0;
    return until != 0 && until <= (long long)time(NULL);
}

static void take_cookies(struct tide_transfer *t)
{
    struct curl_slist *cookies = NULL;
    if (tide_curl.curl_easy_getinfo(t->easy, CURLINFO_COOKIELIST, &cookies) != CURLE_OK)
        return;
    for (struct curl_slist *each = cookies; each; each = each->next)
        if (!is_expired(each->data))
            tide_strbuf_printf(&t->response.cookies, "%s\n", each->data);
    tide_curl.curl_slist_free_all(cookies);
}

void tide_easy_release(struct tide_transfer *t)
{
    CURL *easy = t->easy;
    if (!easy)
        return;
    t->easy = NULL;
    if (idle_count == IDLE_HANDLES) {
        tide_curl.curl_easy_cleanup(easy);
        return;
    }
    tide_curl.curl_easy_setopt(easy, CURLOPT_COOKIELIST, "ALL"); /* they are nobody else's */
    idle[idle_count++] = (struct idle){easy, is_plain(&t->request)};
}

void tide_easy_stop(void)
{
    while (idle_count)
        tide_curl.curl_easy_cleanup(idle[--idle_count].easy);
}

void tide_easy_take_head(struct tide_transfer *t)
{
    long version = 0;
    take_cookies(t);
    tide_curl.curl_easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &version);
    t->response.version = version == CURL_HTTP_VERSION_2_0 ? 20 : version == CURL_HTTP_VERSION_1_0 ? 10 : 11;
}

void tide_easy_take_results(struct tide_transfer *t)
{
    take_timings(t);
    if (!t->has_head) /* else it was told already */
        tide_easy_take_head(t);
}

/* A proxy was asked for a tunnel and said no: libcurl calls that an error in receiving. */
static bool proxy_refused(struct tide_transfer *t)
{
    long status = 0;
    return t->request.proxy && tide_curl.curl_easy_getinfo(t->easy, CURLINFO_HTTP_CONNECTCODE, &status) == CURLE_OK &&
           status >= 300;
}

const char *tide_easy_failure(struct tide_transfer *t, CURLcode code)
{
    if (proxy_refused(t))
        return "proxy";
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return "dns";
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
        return "connect";
    case CURLE_OPERATION_TIMEDOUT:
        return "timeout";
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_SHUTDOWN_FAILED:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return "tls";
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
        return "closed";
    case CURLE_OUT_OF_MEMORY:
        return "memory";
    case CURLE_URL_MALFORMAT:
        return "url";
    case CURLE_PROXY:
        return "proxy";
    default: /* an answer that is no HTTP, bad status lines, headers, chunks, encodings, frames */
        return "protocol";
    }
}
