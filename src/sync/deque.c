#include "sync/deque.h"

#include "base/alloc.h"
#include "base/error.h"

static void release(struct tide_holder *holder)
{
    struct tide_deque *deque = tide_container(holder, struct tide_deque, holder);
    tide_ring_fini(&deque->ring);
    tide_free(deque);
}

static void destroy(struct tide_object *object)
{
    tide_holder_end(tide_container(object, struct tide_holder, object), release);
}

const struct tide_class tide_deque_class = {"tidemill.deque", destroy};

static void empty(struct tide_holder *holder)
{
    tide_deque_clear(tide_container(holder, struct tide_deque, holder));
}

struct tide_deque *tide_deque_new(size_t maxlen)
{
    struct tide_deque *deque = tide_calloc(1, sizeof *deque);
    if (!deque)
        return NULL;
    deque->maxlen = maxlen;
    tide_holder_init(&deque->holder, &tide_deque_class, empty);
    return deque;
}

static void unlock(struct tide_deque *deque)
{
    struct tide_item *spare = tide_ring_trim(&deque->ring);
    tide_mutex_unlock(&deque->lock);
    tide_free(spare);
}

/* Adds one at an end that has room, or makes room at the other. Returns what fell out. */
static struct tide_item add(struct tide_deque *deque, enum tide_deque_end end, struct tide_item item)
{
    struct tide_item fell = {.kind = TIDE_ITEM_NONE};
    if (deque->maxlen == 0)
        return item;
    if (deque->ring.count == deque->maxlen)
        fell = end == TIDE_DEQUE_LEFT ? tide_ring_pop(&deque->ring) : tide_ring_pop_first(&deque->ring);
    if (end == TIDE_DEQUE_LEFT)
        tide_ring_push_first(&deque->ring, item);
    else
        tide_ring_push(&deque->ring, item);
    return fell;
}

int tide_deque_extend(struct tide_deque *deque, enum tide_deque_end end, struct tide_item *items, size_t count)
{
    int result = 0;
    tide_mutex_lock(&deque->lock);
    for (;;) { /* reserve may let go of the lock, and then there may be fewer inside than before */
        size_t left = deque->maxlen - deque->ring.count, wanted = count < left ? count : left;
        if (deque->ring.room - deque->ring.count >= wanted)
            break;
        result = tide_ring_reserve(&deque->ring, &deque->lock, wanted);
        if (result != 0)
            break;
    }
    for (size_t i = 0; result == 0 && i < count; i++)
        items[i] = add(deque, end, items[i]);
    unlock(deque);
    return result;
}

bool tide_deque_pop(struct tide_deque *deque, enum tide_deque_end end, struct tide_item *item)
{
    tide_mutex_lock(&deque->lock);
    bool any = deque->ring.count > 0;
    if (any)
        *item = end == TIDE_DEQUE_LEFT ? tide_ring_pop_first(&deque->ring) : tide_ring_pop(&deque->ring);
    unlock(deque);
    return any;
}

/* Under the lock: the place of `index`; at least count where there is none. */
static size_t place_of(struct tide_deque *deque, int64_t index)
{
    size_t count = deque->ring.count;
    if (index > 0)
        return (uint64_t)index - 1 < count ? (size_t)index - 1 : count;
    return index < 0 && 0 - (uint64_t)index <= count ? count - (size_t)(0 - (uint64_t)index) : count;
}

bool tide_deque_get(struct tide_deque *deque, int64_t index, struct tide_item *item)
{
    tide_mutex_lock(&deque->lock);
    size_t place = place_of(deque, index);
    bool any = place < deque->ring.count;
    if (any)
        *item = tide_item_ref(*tide_ring_at(&deque->ring, place));
    tide_mutex_unlock(&deque->lock);
    return any;
}

int tide_deque_insert(struct tide_deque *deque, int64_t index, struct tide_item *item)
{
    tide_mutex_lock(&deque->lock);
    int result = deque->ring.count < deque->maxlen ? tide_ring_reserve(&deque->ring, &deque->lock, 1) : TIDE_EAGAIN;
    if (result == 0 && deque->ring.count >= deque->maxlen) /* reserve may have let go of the lock */
        result = TIDE_EAGAIN;
    if (result == 0) {
        size_t place = index < 0 && 0 - (uint64_t)index > deque->ring.count ? 0 : place_of(deque, index);
        tide_ring_insert(&deque->ring, place, tide_item_take(item));
    }
    unlock(deque);
    return result;
}

bool tide_deque_remove(struct tide_deque *deque, int64_t index, struct tide_item *item)
{
    tide_mutex_lock(&deque->lock);
    size_t place = place_of(deque, index);
    bool any = place < deque->ring.count;
    if (any)
        *item = tide_ring_remove(&deque->ring, place);
    unlock(deque);
    return any;
}

void tide_deque_rotate(struct tide_deque *deque, int64_t steps)
{
    tide_mutex_lock(&deque->lock);
    size_t count = deque->ring.count;
    if (count > 0) {
        uint64_t by = (steps < 0 ? 0 - (uint64_t)steps : (uint64_t)steps) % count;
        tide_ring_rotate(&deque->ring, steps < 0 && by ? count - (size_t)by : (size_t)by);
    }
    tide_mutex_unlock(&deque->lock);
}

size_t tide_deque_count(struct tide_deque *deque)
{
    tide_mutex_lock(&deque->lock);
    size_t count = deque->ring.count;
    tide_mutex_unlock(&deque->lock);
    return count;
}

size_t tide_deque_copy(struct tide_deque *deque, struct tide_item *items, size_t room)
{
    tide_mutex_lock(&deque->lock);
    size_t count = deque->ring.count;
    for (size_t i = 0; count <= room && i < count; i++)
        items[i] = tide_item_ref(*tide_ring_at(&deque->ring, i));
    tide_mutex_unlock(&deque->lock);
    return count;
}

void tide_deque_clear(struct tide_deque *deque)
{
    tide_mutex_lock(&deque->lock);
    struct tide_ring ring = deque->ring;
    deque->ring = (struct tide_ring){0};
    tide_mutex_unlock(&deque->lock);
    tide_ring_fini(&ring);
}
