/* ranking.h - items by priority: a 4-ary min-heap. Equal priorities come out in the order they went in.
 *
 * Used by   sync/queue.c.
 * Threads   none of its own: a mutex of the owner's guards it; tide_ranking_reserve lets go of it, as base/ring.h says.
 * Owns      its array, and the items between push and pop.
 */
#ifndef TIDE_SYNC_RANKING_H
#define TIDE_SYNC_RANKING_H

#include "base/item.h"
#include "base/thread.h"

struct tide_ranked {
    double priority;         /* smallest first; never NaN */
    uint64_t number;         /* counts the pushes */
    struct tide_item item;
};

struct tide_ranking {
    struct tide_ranked *at;
    size_t room, count;
    uint64_t pushed;
};

void tide_ranking_fini(struct tide_ranking *ranking);

/* As tide_ring_reserve. */
int tide_ranking_reserve(struct tide_ranking *ranking, struct tide_mutex *lock, size_t more);

/* As tide_ring_trim. */
struct tide_ranked *tide_ranking_trim(struct tide_ranking *ranking);

/* There is room. */
void tide_ranking_push(struct tide_ranking *ranking, struct tide_item item, double priority);

/* It is not empty. */
struct tide_item tide_ranking_pop(struct tide_ranking *ranking, double *priority);

#endif
