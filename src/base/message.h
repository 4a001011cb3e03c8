/* message.h - an opaque value on its way between states.
 *
 * Used by   sync, exec and sched, which carry messages and never look inside; transport makes and reads them.
 * Threads   immutable once made; references are counted, any thread may drop the last.
 */
#ifndef TIDE_BASE_MESSAGE_H
#define TIDE_BASE_MESSAGE_H

#include <stdatomic.h>
#include <stdint.h>

struct tide_message {
    void (*destroy)(struct tide_message *); /* frees it and what it refers to */
    _Atomic uint32_t refs;
    uint32_t size;                          /* payload bytes (saturated), charged to whoever holds it */
};

static inline void tide_message_init(struct tide_message *m, void (*destroy)(struct tide_message *), uint32_t size)
{
    m->destroy = destroy;
    m->size = size;
    atomic_init(&m->refs, 1);
}

static inline struct tide_message *tide_message_ref(struct tide_message *m)
{
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

/* Drops a reference; accepts NULL. */
static inline void tide_message_unref(struct tide_message *m)
{
    if (m && atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1)
        m->destroy(m);
}

#endif
