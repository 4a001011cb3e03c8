/* target.h - where a request goes: its URL, taken apart and made absolute.
 *
 * Used by   transfer.c, redirect.c.
 * Threads   any, once libcurl is loaded; a target belongs to one thread at a time.
 * Model     RFC 3986 section 5 for relative references, as libcurl's URL functions have it; international names become
 *           ASCII (RFC 5891).
 */
#ifndef TIDE_REACTOR_TARGET_H
#define TIDE_REACTOR_TARGET_H

#include <stdbool.h>
#include <stddef.h>

struct tide_target {
    char *url;       /* absolute, without fragment */
    char *origin;    /* "https://example.com:443" */
    char *host;      /* "example.com", "127.0.0.1", "[::1]" */
    char *port;      /* "443" */
    struct Curl_URL *parts; /* what libcurl would make of the URL, so that it need not parse it again; NULL: it has to */
    bool tls;
    bool literal;    /* the host is an address: no look-up */
};

/* Parses `url`, relative to `base` if that is not NULL, into a zeroed target. 0; TIDE_EINVAL with `problem` (of `room` bytes)
 * saying what is wrong with it; TIDE_ENOMEM. */
int tide_target_init(struct tide_target *target, const char *base, const char *url, char *problem, size_t room);
void tide_target_fini(struct tide_target *target);

#endif
