/* holder.h - objects that hold items, and so may hold each other: counting never drops a queue that was put into itself.
 *
 * Every holder stands on one list from init to fini. The end of the run empties them all, before the states close.
 *
 * Used by   sync (embedded first by queues, dictionaries), bindings/program.c (the end).
 * Threads   init and fini on any; tide_holders_empty on main, when no task is left.
 * Lock      one for the list, rank 50; nothing is called under it.
 */
#ifndef TIDE_SYNC_HOLDER_H
#define TIDE_SYNC_HOLDER_H

#include "base/list.h"
#include "base/object.h"

struct tide_holder {
    struct tide_object object;
    struct tide_list link;                /* in the list of all */
    void (*empty)(struct tide_holder *);  /* drops its items; nobody waits on it any more */
};

void tide_holder_init(struct tide_holder *holder, const struct tide_class *class, void (*empty)(struct tide_holder *));

/* In the class's destroy. */
void tide_holder_fini(struct tide_holder *holder);

/* In the class's destroy, all that it does: fini, and `release`, which drops the items and frees the holder. Where that
 * destroys holders in turn they are released after this one, not inside of it: a chain of a million queues, each in the next,
 * needs no stack. */
void tide_holder_end(struct tide_holder *holder, void (*release)(struct tide_holder *));

/* Empties all there are; those that nothing else keeps are destroyed by it. */
void tide_holders_empty(void);

#endif
