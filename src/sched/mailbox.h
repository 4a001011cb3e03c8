/* mailbox.h - what other threads hand to a worker: a lock-free stack, taken whole and turned into arrival order.
 *
 * Used by   sched/worker.c.
 * Threads   push from any thread; take by the owner alone.
 * Owns      nothing: a piece of mail lives in its sender's object and must stay until it has been delivered.
 * Model     Treiber's stack (IBM RJ 5118, 1986); as the owner takes everything at once there is no ABA.
 */
#ifndef TIDE_SCHED_MAILBOX_H
#define TIDE_SCHED_MAILBOX_H

#include "base/fifo.h"

#include <stdatomic.h>
#include <stdbool.h>

struct tide_worker;

struct tide_mail {
    struct tide_link link;
    /* Runs on the receiving worker, between two tasks. It owns the mail from then on. No Lua may be run in it. */
    void (*deliver)(struct tide_mail *mail, struct tide_worker *worker);
};

struct tide_mailbox {
    _Atomic(struct tide_link *) top;
};

static inline void tide_mailbox_push(struct tide_mailbox *box, struct tide_mail *mail)
{
    struct tide_link *top = atomic_load_explicit(&box->top, memory_order_relaxed);
    do
        mail->link.next = top;
    while (!atomic_compare_exchange_weak(&box->top, &top, &mail->link)); /* seq_cst: see tide_worker_post */
}

static inline bool tide_mailbox_empty(struct tide_mailbox *box)
{
    return atomic_load(&box->top) == NULL;
}

/* Everything that arrived, oldest first; NULL if nothing did. */
static inline struct tide_link *tide_mailbox_take(struct tide_mailbox *box)
{
    struct tide_link *link = atomic_exchange(&box->top, NULL), *oldest = NULL;
    while (link) {
        struct tide_link *next = link->next;
        link->next = oldest;
        oldest = link;
        link = next;
    }
    return oldest;
}

#endif
