/* object.h - what every shared object begins with: a class and a count of references.
 *
 * Used by   sync and exec (their objects embed it first), transport (handles in messages), bindings (handles in states).
 * Threads   any. References are counted over all states and messages; the one that drops the last destroys.
 */
#ifndef TIDE_BASE_OBJECT_H
#define TIDE_BASE_OBJECT_H

#include <stdatomic.h>
#include <stdint.h>

struct tide_object;

struct tide_class {
    const char *name;                        /* also the name of the metatable of its handles, "tidemill.event" */
    void (*destroy)(struct tide_object *);   /* frees the object; nobody else can reach it any more */
    int kept;                                /* 1: its handles have a place for what bindings/kept.h keeps; most have nothing */
};

struct tide_object {
    const struct tide_class *class;
    _Atomic uint32_t refs;
};

static inline void tide_object_init(struct tide_object *o, const struct tide_class *class)
{
    o->class = class;
    atomic_init(&o->refs, 1);
}

static inline void tide_object_ref(struct tide_object *o)
{
    atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed); /* the caller's own reference orders it */
}

/* Drops a reference; accepts NULL. */
static inline void tide_object_unref(struct tide_object *o)
{
    /* acq_rel: what every other holder did happens before the destruction */
    if (o && atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) == 1)
        o->class->destroy(o);
}

#endif
