#include "exec/rate_limiter.h"

#include "base/alloc.h"
#include "base/list.h"
#include "base/time.h"

static void destroy(struct tide_object *object)
{
    tide_free(tide_container(object, struct tide_rate_limiter, object));
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

/* Takes n instants of a grid whose next one is *next, unless the last of them is later than `latest`. In any case out->at is
 * that one. */
static bool take(const struct tide_rate_limiter *limiter, _Atomic int64_t *grid, int64_t n, int64_t now, int64_t latest,
                 struct tide_reservation *out)
{
    int64_t cost = times(limiter->period, n);
    int64_t next = atomic_load_explicit(grid, memory_order_relaxed);
    for (;;) {
        int64_t due = next > now ? next : now, after;
        if (__builtin_add_overflow(due, cost, &after))
            after = INT64_MAX; /* not in this century */
        int64_t at = after - limiter->period - limiter->tolerance;
        *out = (struct tide_reservation){.at = at > now ? at : now, .after = after, .before = due};
        if (out->at > latest)
            return false;
        /* relaxed: the number is all there is, nothing else is published by it */
        if (atomic_compare_exchange_weak_explicit(grid, &next, after, memory_order_relaxed, memory_order_relaxed))
            return true;
    }
}

bool tide_rate_limiter_reserve(struct tide_rate_limiter *limiter, int64_t n, int64_t now, int64_t latest,
                               struct tide_reservation *out)
{
    return take(limiter, &limiter->next, n, now, latest, out);
}

int64_t tide_rate_limiter_pass(struct tide_rate_limiter *limiter, int64_t n, int64_t now)
{
    struct tide_reservation passes;
    /* Of more than a burst the first count as passed while it waited: they are never all due at one instant. */
    int64_t before = times(limiter->period, n) - limiter->period - limiter->tolerance;
    return take(limiter, &limiter->passed, n, before > 0 ? now - before : now, now, &passes) ? 0 : passes.at;
}

void tide_rate_limiter_give_back(struct tide_rate_limiter *limiter, const struct tide_reservation *reservation)
{
    int64_t after = reservation->after;
    atomic_compare_exchange_strong_explicit(&limiter->next, &after, reservation->before, memory_order_relaxed,
                                            memory_order_relaxed);
}
