#include "base/heap.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"

#include <assert.h>

enum { ARITY = 4, FIRST_ROOM = 64 };

void tide_heap_init(struct tide_heap *heap)
{
    *heap = (struct tide_heap){0};
}

void tide_heap_fini(struct tide_heap *heap)
{
    assert(heap->count == 0);
    tide_free(heap->at);
    *heap = (struct tide_heap){0};
}

static void put(struct tide_heap *heap, uint32_t i, struct tide_heap_entry e)
{
    heap->at[i] = e;
    e.timer->place = i + 1;
}

static void sift_up(struct tide_heap *heap, uint32_t i, struct tide_heap_entry e)
{
    while (i > 0) {
        uint32_t parent = (i - 1) / ARITY;
        if (heap->at[parent].when <= e.when)
            break;
        put(heap, i, heap->at[parent]);
        i = parent;
    }
    put(heap, i, e);
}

static void sift_down(struct tide_heap *heap, uint32_t i, struct tide_heap_entry e)
{
    for (;;) {
        uint32_t first = i * ARITY + 1, least = i;
        int64_t when = e.when;
        for (uint32_t c = first; c < first + ARITY && c < heap->count; c++)
            if (heap->at[c].when < when) {
                least = c;
                when = heap->at[c].when;
            }
        if (least == i)
            break;
        put(heap, i, heap->at[least]);
        i = least;
    }
    put(heap, i, e);
}

int tide_heap_add(struct tide_heap *heap, struct tide_timer *timer, int64_t when)
{
    assert(!tide_timer_armed(timer));
    if (heap->count == heap->room) {
        uint32_t room = heap->room ? heap->room * 2 : FIRST_ROOM;
        struct tide_heap_entry *at = tide_realloc(heap->at, room * sizeof *at);
        if (!at)
            return TIDE_ENOMEM;
        heap->at = at;
        heap->room = room;
    }
    heap->count++;
    sift_up(heap, heap->count - 1, (struct tide_heap_entry){when, timer});
    return 0;
}

static void take_out(struct tide_heap *heap, uint32_t i)
{
    heap->at[i].timer->place = 0;
    struct tide_heap_entry last = heap->at[--heap->count];
    if (i == heap->count)
        return;
    if (i > 0 && heap->at[(i - 1) / ARITY].when > last.when)
        sift_up(heap, i, last);
    else
        sift_down(heap, i, last);
}

void tide_heap_remove(struct tide_heap *heap, struct tide_timer *timer)
{
    if (tide_timer_armed(timer))
        take_out(heap, timer->place - 1);
}

int64_t tide_heap_next(const struct tide_heap *heap)
{
    return heap->count ? heap->at[0].when : TIDE_NEVER;
}

struct tide_timer *tide_heap_pop_due(struct tide_heap *heap, int64_t now)
{
    if (!heap->count || heap->at[0].when > now)
        return NULL;
    struct tide_timer *timer = heap->at[0].timer;
    take_out(heap, 0);
    return timer;
}
