#include "exec/rate_limiter.h"

#include "base/alloc.h"
#include "base/list.h"
#include "base/time.h"

#include <string.h>

static void destroy(struct tide_object *object)
{
    struct tide_rate_limiter *limiter = tide_container(object, struct tide_rate_limiter, object);
    tide_free(limiter->gaps);
    tide_free(limiter);
}

const struct tide_class tide_rate_limiter_class = {"tidemill.rate_limiter", destroy};

/* a * n, saturating; both >= 0 */
static int64_t times(int64_t a, int64_t n)
{
    int64_t product;
    return __builtin_mul_overflow(a, n, &product) ? INT64_MAX / 2 : product;
}

struct tide_rate_limiter *tide_rate_limiter_new(double per_second, int64_t burst)
{
    struct tide_rate_limiter *limiter = tide_calloc(1, sizeof *limiter);
    if (!limiter)
        return NULL;
    tide_object_init(&limiter->object, &tide_rate_limiter_class);
    double period = 1e9 / per_second;
    limiter->period = period < 1e18 ? (int64_t)(period + 0.5) : (int64_t)1e18;
    limiter->tolerance = times(limiter->period, burst - 1);
    return limiter;
}

/* What n instants of the grid are from `due` on; `cost` is theirs. */
static struct tide_reservation from(const struct tide_rate_limiter *limiter, int64_t due, int64_t cost, int64_t now)
{
    int64_t after;
    if (__builtin_add_overflow(due, cost, &after))
        after = INT64_MAX; /* not in this century */
    int64_t at = after - limiter->period - limiter->tolerance;
    return (struct tide_reservation){.at = at > now ? at : now, .before = due, .after = after};
}

/* Takes n instants of a grid whose next one is *next, unless the last of them is later than `latest`. In any case out->at is
 * that one. */
static bool take(const struct tide_rate_limiter *limiter, _Atomic int64_t *grid, int64_t n, int64_t now, int64_t latest,
                 struct tide_reservation *out)
{
    int64_t cost = times(limiter->period, n);
    int64_t next = atomic_load_explicit(grid, memory_order_relaxed);
    for (;;) {
        *out = from(limiter, next > now ? next : now, cost, now);
        if (out->at > latest)
            return false;
        /* relaxed: the number is all there is, nothing else is published by it */
        if (atomic_compare_exchange_weak_explicit(grid, &next, out->after, memory_order_relaxed, memory_order_relaxed))
            return true;
    }
}

/* ---- what was given back; under the lock ---- */

struct tide_rate_gap {
    int64_t from, to;
};

static void remove_gaps(struct tide_rate_limiter *limiter, uint32_t at, uint32_t count)
{
    uint32_t left = atomic_load(&limiter->gap_count) - count;
    memmove(limiter->gaps + at, limiter->gaps + at + count, (left - at) * sizeof *limiter->gaps);
    atomic_store(&limiter->gap_count, left);
}

/* Instants that have passed are of no use any more. */
static void forget_past(struct tide_rate_limiter *limiter, int64_t now)
{
    uint32_t past = 0;
    while (past < atomic_load(&limiter->gap_count) && limiter->gaps[past].to <= now)
        past++;
    if (past)
        remove_gaps(limiter, 0, past);
}

static bool take_gap(struct tide_rate_limiter *limiter, int64_t n, int64_t now, int64_t latest, struct tide_reservation *out)
{
    int64_t cost = times(limiter->period, n);
    forget_past(limiter, now);
    for (uint32_t i = 0; i < atomic_load(&limiter->gap_count); i++) {
        struct tide_rate_gap *gap = &limiter->gaps[i];
        *out = from(limiter, gap->from > now ? gap->from : now, cost, now);
        if (out->after > gap->to)
            continue;
        if (out->at > latest)
            return false;
        gap->from = out->after;
        if (gap->from == gap->to)
            remove_gaps(limiter, i, 1);
        return true;
    }
    return false;
}

/* Where memory is short it is lost. */
static void add_gap(struct tide_rate_limiter *limiter, int64_t begin, int64_t end)
{
    uint32_t count = atomic_load(&limiter->gap_count), at = count;
    while (at > 0 && limiter->gaps[at - 1].from > begin)
        at--;
    bool follows = at > 0 && limiter->gaps[at - 1].to == begin, precedes = at < count && limiter->gaps[at].from == end;
    if (follows) {
        limiter->gaps[at - 1].to = precedes ? limiter->gaps[at].to : end;
        if (precedes)
            remove_gaps(limiter, at, 1);
        return;
    }
    if (precedes) {
        limiter->gaps[at].from = begin;
        return;
    }
    if (count == limiter->gap_room) {
        uint32_t room = count ? 2 * count : 8;
        struct tide_rate_gap *larger = tide_realloc(limiter->gaps, room * sizeof *larger);
        if (!larger)
            return;
        limiter->gaps = larger;
        limiter->gap_room = room;
    }
    memmove(limiter->gaps + at + 1, limiter->gaps + at, (count - at) * sizeof *limiter->gaps);
    limiter->gaps[at] = (struct tide_rate_gap){begin, end};
    atomic_store(&limiter->gap_count, count + 1);
}

static bool take_back(struct tide_rate_limiter *limiter, int64_t begin, int64_t end)
{
    return atomic_compare_exchange_strong_explicit(&limiter->next, &end, begin, memory_order_relaxed, memory_order_relaxed);
}

/* ---- reserving ---- */

bool tide_rate_limiter_reserve(struct tide_rate_limiter *limiter, int64_t n, int64_t now, int64_t latest,
                               struct tide_reservation *out)
{
    bool taken = false;
    if (atomic_load(&limiter->gap_count) > 0) {
        tide_mutex_lock(&limiter->lock);
        taken = take_gap(limiter, n, now, latest, out);
        tide_mutex_unlock(&limiter->lock);
    }
    return taken || take(limiter, &limiter->next, n, now, latest, out);
}

void tide_rate_limiter_give_back(struct tide_rate_limiter *limiter, const struct tide_reservation *reservation)
{
    int64_t begin = reservation->before;
    if (begin == reservation->after)
        return;
    tide_mutex_lock(&limiter->lock);
    if (!take_back(limiter, begin, reservation->after)) {
        add_gap(limiter, begin, reservation->after);
    } else { /* the newest: and those before it that were given back already */
        for (uint32_t last; (last = atomic_load(&limiter->gap_count)) > 0;) {
            struct tide_rate_gap gap = limiter->gaps[last - 1];
            if (gap.to != begin || !take_back(limiter, gap.from, gap.to))
                break;
            remove_gaps(limiter, last - 1, 1);
            begin = gap.from;
        }
    }
    tide_mutex_unlock(&limiter->lock);
}

int64_t tide_rate_limiter_pass(struct tide_rate_limiter *limiter, int64_t n, int64_t now)
{
    struct tide_reservation passes;
    /* Of more than a burst the first count as passed while it waited: they are never all due at one instant. */
    int64_t before = times(limiter->period, n) - limiter->period - limiter->tolerance;
    return take(limiter, &limiter->passed, n, before > 0 ? now - before : now, now, &passes) ? 0 : passes.at;
}
