#include "sync/counter.h"

#include "base/alloc.h"

#include <stddef.h>

static void destroy(struct tide_object *object)
{
    tide_free(object);
}

const struct tide_class tide_counter_class = {"tidemill.counter", destroy};

struct tide_counter *tide_counter_new(int64_t value)
{
    struct tide_counter *counter = tide_malloc(sizeof *counter);
    if (!counter)
        return NULL;
    tide_object_init(&counter->object, &tide_counter_class);
    atomic_init(&counter->value, (uint64_t)value);
    return counter;
}
