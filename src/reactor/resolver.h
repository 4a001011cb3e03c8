/* resolver.h - names to addresses, before libcurl sees them.
 *
 * libcurl waits for its own look-ups when a transfer is taken from it; so it never gets a name that is not resolved. One
 * look-up per name at a time, on detached threads of our own (at most 32), apart from the threads for files. Nobody waits for
 * a thread: who loses interest leaves the list, and at the end of the program a thread that hangs is left alone.
 *
 * Used by   transfer.c.
 * Threads   reactor; a look-up's thread runs getaddrinfo (POSIX) and posts its result.
 * Cache     addresses for 60 s, a name that does not exist for 5 s, a look-up that failed otherwise not at all.
 */
#ifndef TIDE_REACTOR_RESOLVER_H
#define TIDE_REACTOR_RESOLVER_H

#include "base/list.h"

#include <stdint.h>

/* Who waits for a name. `found` is called once on the reactor, unless it was left before: with addresses as
 * "192.0.2.1,[2001:db8::1]" in the order of RFC 6724, or NULL and the reason. */
struct tide_name_waiter {
    struct tide_list link;
    void (*found)(struct tide_name_waiter *waiter, const char *addresses, const char *problem);
};

/* Asks for a name; `found` may be called before this returns. 0 or TIDE_ENOMEM (then it is not called). */
int tide_resolver_ask(const char *host, struct tide_name_waiter *waiter);

/* Not interested any more; harmless where it was not waiting. */
void tide_resolver_leave(struct tide_name_waiter *waiter);

/* Now and then: forgets what is old. */
void tide_resolver_sweep(int64_t now);

/* The end: forgets everything; look-ups that still run are left to themselves. */
void tide_resolver_stop(void);

#endif
