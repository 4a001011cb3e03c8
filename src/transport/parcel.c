#include "transport/parcel.h"

#include "base/alloc.h"
#include "base/list.h"
#include "transport/origin.h"

#include <string.h>

static uint32_t saturated(size_t size)
{
    return size > UINT32_MAX ? UINT32_MAX : (uint32_t)size;
}

/* An object may hold a parcel in turn: the result of a future, the values of a once. They go one after the other, not one
 * inside the other: a chain of a million futures, each in the result of the next, needs no stack. */
static void parcel_destroy(struct tide_message *m)
{
    static _Thread_local struct tide_parcel *dying;
    static _Thread_local bool destroying;
    struct tide_parcel *p = tide_container(m, struct tide_parcel, base);
    if (p->objects == 0) {
        tide_free(p);
        return;
    }
    p->next = dying;
    dying = p;
    if (destroying)
        return;
    destroying = true;
    while ((p = dying) != NULL) {
        dying = p->next;
        for (uint32_t i = 0; i < p->objects; i++)
            tide_object_unref(p->slots[i]);
        tide_free(p);
    }
    destroying = false;
}

struct tide_parcel *tide_parcel_new(uint32_t objects, size_t size)
{
    size_t total = sizeof(struct tide_parcel) + objects * sizeof(struct tide_object *) + size;
    struct tide_parcel *p = tide_malloc(total);
    if (!p)
        return NULL;
    tide_message_init(&p->base, parcel_destroy, saturated(total));
    p->objects = objects;
    p->count = 0;
    p->foreign = false;
    p->size = size;
    return p;
}

struct tide_parcel *tide_parcel_from_bytes(const void *bytes, size_t size)
{
    struct tide_parcel *p = tide_parcel_new(0, size);
    if (!p)
        return NULL;
    p->foreign = true;
    if (size)
        memcpy(tide_parcel_bytes(p), bytes, size);
    return p;
}

static void code_destroy(struct tide_message *m)
{
    struct tide_code *c = tide_container(m, struct tide_code, base);
    tide_parcel_unref(c->parcel);
    tide_free(c);
}

struct tide_code *tide_code_new(struct tide_parcel *parcel, struct tide_origin *origin)
{
    static _Atomic uint64_t last_id;
    struct tide_code *c = tide_calloc(1, sizeof *c);
    if (!c) {
        tide_parcel_unref(parcel);
        return NULL;
    }
    tide_message_init(&c->base, code_destroy, parcel->base.size);
    c->id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1; /* only has to be unique */
    c->origin = origin;
    c->parcel = parcel;
    return c;
}

const char *tide_code_name(const struct tide_code *code)
{
    return tide_origin_name(code->origin);
}
