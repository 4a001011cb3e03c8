/* fifo.h - an intrusive, singly linked queue: one word an element.
 *
 * Owns      nothing. Threads: none of its own.
 */
#ifndef TIDE_BASE_FIFO_H
#define TIDE_BASE_FIFO_H

#include <stddef.h>

struct tide_link {
    struct tide_link *next;
};

struct tide_fifo {
    struct tide_link *first;
    struct tide_link *last; /* meaningless while first is NULL */
};

static inline void tide_fifo_push(struct tide_fifo *q, struct tide_link *link)
{
    link->next = NULL;
    if (q->first)
        q->last->next = link;
    else
        q->first = link;
    q->last = link;
}

static inline void tide_fifo_push_front(struct tide_fifo *q, struct tide_link *link)
{
    link->next = q->first;
    if (!q->first)
        q->last = link;
    q->first = link;
}

static inline struct tide_link *tide_fifo_pop(struct tide_fifo *q)
{
    struct tide_link *link = q->first;
    if (link)
        q->first = link->next;
    return link;
}

#endif
