/* admission.h - how many transfers run at once: in all, and to one origin. Waiting for a place is queueing, not failure.
 *
 * Used by   transfer.c.
 * Threads   reactor; the limits may be set and read from any thread.
 * Order     first come first served within an origin; origins take turns.
 */
#ifndef TIDE_REACTOR_ADMISSION_H
#define TIDE_REACTOR_ADMISSION_H

#include "base/list.h"
#include "base/map.h"

#include <stdbool.h>
#include <stdint.h>

enum { TIDE_TRANSFERS_IN_ALL = 1024, TIDE_TRANSFERS_PER_ORIGIN = 128 }; /* defaults */

/* Scheme, host and port: what has connections of its own. Lives while somebody runs or waits there. */
struct tide_origin {
    struct tide_map_entry entry;
    struct tide_list waiting;  /* places */
    struct tide_list turn;     /* in the ring, while somebody waits and one more may run */
    uint32_t running;
};

/* What a transfer holds while it runs. Zeroed: none. */
struct tide_place {
    struct tide_list link;     /* while it waits */
    struct tide_origin *origin;
    bool held;
    void (*admitted)(struct tide_place *place); /* it runs from now on */
};

/* Asks for a place; `admitted` may be called before this returns. 0 or TIDE_ENOMEM. */
int tide_admission_ask(struct tide_place *place, const char *origin);

/* Gives it back, or leaves the queue; harmless without one. Others may be admitted in it. */
void tide_admission_leave(struct tide_place *place);

/* Now and then: admits those for whom higher limits have made room. */
void tide_admission_refresh(void);

/* Any thread. The limits hold for what is admitted from then on: who runs is not stopped. Higher ones take effect at the next
 * refresh. */
void tide_admission_set_limits(uint32_t in_all, uint32_t per_origin);
void tide_admission_limits(uint32_t *in_all, uint32_t *per_origin);

/* Any thread: more than this never run, whatever the limit in all says: the system has no more descriptors. */
void tide_admission_set_ceiling(uint32_t possible);

/* Any thread: how many run, how many wait. */
void tide_admission_counts(uint32_t *running, uint32_t *waiting);

void tide_admission_stop(void);

#endif
