#include "reactor/admission.h"

#include "base/alloc.h"
#include "base/error.h"

#include <stdatomic.h>

/* any thread */
static _Atomic uint32_t max_in_all = TIDE_TRANSFERS_IN_ALL, max_per_origin = TIDE_TRANSFERS_PER_ORIGIN;
static _Atomic uint32_t ceiling = UINT32_MAX;
static _Atomic uint32_t running, waiting; /* written by the reactor alone */

/* reactor */
static struct tide_map origins;
static struct tide_list ring = {&ring, &ring}; /* origins where one more could run */
static bool pumping;

static uint32_t in_all_now(void)
{
    uint32_t wanted = atomic_load(&max_in_all), possible = atomic_load(&ceiling);
    return wanted < possible ? wanted : possible;
}

void tide_admission_set_ceiling(uint32_t possible)
{
    atomic_store(&ceiling, possible);
}

static void count(_Atomic uint32_t *what, int by)
{
    atomic_store_explicit(what, atomic_load_explicit(what, memory_order_relaxed) + (uint32_t)by, memory_order_relaxed);
}

static struct tide_origin *find(const char *key)
{
    struct tide_map_entry *entry = tide_map_find(&origins, key);
    if (entry)
        return tide_container(entry, struct tide_origin, entry);
    struct tide_origin *origin = tide_calloc(1, sizeof *origin);
    if (!origin)
        return NULL;
    tide_list_init(&origin->waiting);
    origin->entry.key = tide_strdup(key);
    if (origin->entry.key && tide_map_add(&origins, &origin->entry) == 0)
        return origin;
    tide_free((char *)(uintptr_t)origin->entry.key);
    tide_free(origin);
    return NULL;
}

static void free_unused(struct tide_origin *origin)
{
    if (origin->running || !tide_list_empty(&origin->waiting))
        return;
    tide_list_remove(&origin->turn);
    tide_map_remove(&origins, &origin->entry);
    tide_free((char *)(uintptr_t)origin->entry.key);
    tide_free(origin);
}

static bool could_run(struct tide_origin *origin)
{
    return !tide_list_empty(&origin->waiting) && origin->running < atomic_load(&max_per_origin);
}

/* Puts the origin at the end of the ring, or takes it out. */
static void queue_up(struct tide_origin *origin)
{
    bool could = could_run(origin);
    if (could && !tide_list_linked(&origin->turn))
        tide_list_append(&ring, &origin->turn);
    else if (!could)
        tide_list_remove(&origin->turn);
}

static void admit(struct tide_place *place)
{
    struct tide_origin *origin = place->origin;
    place->held = true;
    origin->running++;
    count(&running, 1);
    count(&waiting, -1);
    queue_up(origin);
    place->admitted(place);
}

/* Who is admitted may give its place back at once; so one loop does it for all. */
static void pump(void)
{
    if (pumping)
        return;
    pumping = true;
    while (atomic_load_explicit(&running, memory_order_relaxed) < in_all_now()) {
        struct tide_list *turn = tide_list_pop(&ring);
        if (!turn)
            break;
        struct tide_origin *origin = tide_container(turn, struct tide_origin, turn);
        if (could_run(origin)) /* the limit may have been lowered meanwhile */
            admit(tide_container(tide_list_pop(&origin->waiting), struct tide_place, link));
    }
    pumping = false;
}

int tide_admission_ask(struct tide_place *place, const char *key)
{
    struct tide_origin *origin = find(key);
    if (!origin)
        return TIDE_ENOMEM;
    place->origin = origin;
    place->held = false;
    tide_list_append(&origin->waiting, &place->link);
    count(&waiting, 1);
    queue_up(origin);
    pump();
    return 0;
}

void tide_admission_leave(struct tide_place *place)
{
    struct tide_origin *origin = place->origin;
    if (!origin)
        return;
    place->origin = NULL;
    if (place->held) {
        place->held = false;
        origin->running--;
        count(&running, -1);
    } else {
        tide_list_remove(&place->link);
        count(&waiting, -1);
    }
    queue_up(origin);
    free_unused(origin);
    pump();
}

void tide_admission_refresh(void)
{
    static uint32_t in_all, per_origin; /* as they were last time */
    uint32_t now_in_all, now_per_origin;
    tide_admission_limits(&now_in_all, &now_per_origin);
    if (now_in_all == in_all && now_per_origin == per_origin)
        return;
    in_all = now_in_all;
    per_origin = now_per_origin;
    for (struct tide_map_entry *each = tide_map_next(&origins, NULL); each; each = tide_map_next(&origins, each))
        queue_up(tide_container(each, struct tide_origin, entry));
    pump();
}

void tide_admission_set_limits(uint32_t in_all, uint32_t per_origin)
{
    atomic_store(&max_in_all, in_all);
    atomic_store(&max_per_origin, per_origin);
}

void tide_admission_limits(uint32_t *in_all, uint32_t *per_origin)
{
    *in_all = in_all_now();
    *per_origin = atomic_load(&max_per_origin);
}

void tide_admission_counts(uint32_t *now_running, uint32_t *now_waiting)
{
    *now_running = atomic_load_explicit(&running, memory_order_relaxed);
    *now_waiting = atomic_load_explicit(&waiting, memory_order_relaxed);
}

void tide_admission_stop(void)
{
    tide_map_fini(&origins); /* nobody runs or waits any more */
}
