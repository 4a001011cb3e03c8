#include "sync/local.h"

#include "base/alloc.h"
#include "base/list.h"
#include "base/thread.h"

/* An index, with the generation of the last that had it. There are as many as there were locals at once; they stay. */
struct number {
    struct number *next; /* in `unused` */
    uint32_t index, generation;
};

struct numbered {
    struct tide_local base; /* first */
    struct number *number;
};

static struct {
    struct tide_mutex lock;
    /* protected by lock */
    struct number *unused;
    uint32_t count;
} numbers;

static struct number *take_number(void)
{
    tide_mutex_lock(&numbers.lock);
    struct number *number = numbers.unused;
    if (number)
        numbers.unused = number->next;
    uint32_t index = number ? number->index : ++numbers.count;
    tide_mutex_unlock(&numbers.lock);
    if (!number && (number = tide_calloc(1, sizeof *number)) != NULL)
        number->index = index; /* where memory is short the index is lost, nothing else */
    return number;
}

static void destroy(struct tide_object *object)
{
    struct numbered *local = (struct numbered *)(void *)object;
    tide_item_drop(&local->base.initial);
    tide_message_unref(local->base.maker);
    tide_mutex_lock(&numbers.lock);
    local->number->next = numbers.unused;
    numbers.unused = local->number;
    tide_mutex_unlock(&numbers.lock);
    tide_free(local);
}

const struct tide_class tide_local_class = {"tidemill.local", destroy};

struct tide_local *tide_local_new(bool of_worker)
{
    struct numbered *local = tide_calloc(1, sizeof *local);
    if (!local || !(local->number = take_number())) {
        tide_free(local);
        return NULL;
    }
    tide_object_init(&local->base.object, &tide_local_class);
    local->base.of_worker = of_worker;
    local->base.index = local->number->index;
    local->base.generation = ++local->number->generation;
    return &local->base;
}
