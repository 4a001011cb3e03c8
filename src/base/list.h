/* list.h - an intrusive, circular, doubly linked list.
 *
 * Owns      nothing: links live in their elements, the head in its owner.
 * Threads   none of its own; whoever guards the head guards the links.
 */
#ifndef TIDE_BASE_LIST_H
#define TIDE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct tide_list {
    struct tide_list *prev, *next; /* both NULL: in no list (a zeroed link is valid) */
};

#define tide_container(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void tide_list_init(struct tide_list *head)
{
    head->prev = head->next = head;
}

static inline bool tide_list_empty(const struct tide_list *head)
{
    return head->next == head;
}

static inline bool tide_list_linked(const struct tide_list *link)
{
    return link->next != NULL;
}

/* Appends `link`, which is in no list, behind the last element. */
static inline void tide_list_append(struct tide_list *head, struct tide_list *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

static inline void tide_list_prepend(struct tide_list *head, struct tide_list *link)
{
    tide_list_append(head->next, link);
}

/* Takes `link` out of its list; one that is in none stays so. */
static inline void tide_list_remove(struct tide_list *link)
{
    if (!link->next)
        return;
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->prev = link->next = NULL;
}

/* The first link, taken out; NULL where the list is empty. */
static inline struct tide_list *tide_list_pop(struct tide_list *head)
{
    struct tide_list *link = head->next;
    if (link == head)
        return NULL;
    tide_list_remove(link);
    return link;
}

#define tide_list_each(link, head) for (struct tide_list *link = (head)->next; link != (head); link = link->next)

#endif
