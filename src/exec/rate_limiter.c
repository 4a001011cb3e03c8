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

bool tide_rate_limiter_reserve(struct tide_rate_limiter *limiter, int64_t n, int64_t now, int64_t latest,
                               struct tide_reservation *out)
{
    int64_t cost = times(limiter->period, n);
    int64_t next = atomic_load_explicit(&limiter->next, memory_order_relaxed);
    for (;;) {
        int64_t due = next > now ? next : now, after;
        if (__builtin_add_overflow(due, cost, &after))
            return false; /* not in this century */
        int64_t at = after - limiter->period - limiter->tolerance;
        if (at < now)
            at = now;
        if (at > latest)
            return false;
        /* relaxed: the number is all there is, nothing else is published by it */
        if (atomic_compare_exchange_weak_explicit(&limiter->next, &next, after, memory_order_relaxed, memory_order_relaxed)) {
            *out = (struct tide_reservation){.at = at, .after = after, .before = due};
            return true;
        }
    }
}

void tide_rate_limiter_give_back(struct tide_rate_limiter *limiter, const struct tide_reservation *reservation)
{
    int64_t after = reservation->after;
    atomic_compare_exchange_strong_explicit(&limiter->next, &after, reservation->before, memory_order_relaxed,
                                            memory_order_relaxed);
}
