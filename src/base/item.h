/* item.h - one value in a container, or handed from task to task: small ones lie in it, the rest are messages.
 *
 * Used by   sync (queues, dictionaries), sched (what a waker hands to a waiter); transport makes and reads them (item.h there).
 * Threads   a plain struct: whoever holds it guards it. What it refers to is counted, any thread may drop the last.
 * Owns      one reference of its object, text or message; moved by assignment, dropped by tide_item_drop.
 */
#ifndef TIDE_BASE_ITEM_H
#define TIDE_BASE_ITEM_H

#include "base/message.h"
#include "base/object.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tide_item_kind {
    TIDE_ITEM_NONE = 0, /* no value; a zeroed item is one */
    TIDE_ITEM_BOOLEAN,
    TIDE_ITEM_INTEGER,
    TIDE_ITEM_FLOAT,
    TIDE_ITEM_POINTER,
    TIDE_ITEM_OBJECT,
    TIDE_ITEM_TEXT,
    TIDE_ITEM_MESSAGE,  /* anything else, as transport packs it */
};

/* A string. base.size counts its bytes, saturated. */
struct tide_text {
    struct tide_message base;
    size_t length;
    char bytes[];
};

struct tide_item {
    enum tide_item_kind kind;
    union {
        void *pointer; /* first, so that a zeroed item has none */
        bool boolean;
        int64_t integer;
        double number;
        struct tide_object *object;
        struct tide_text *text;
        struct tide_message *message;
    } as;
};

/* A text with one reference, the caller's; `bytes` may be NULL, to be filled in. NULL: out of memory. */
struct tide_text *tide_text_new(const char *bytes, size_t length);

/* A second reference to what it refers to. */
static inline struct tide_item tide_item_ref(struct tide_item item)
{
    if (item.kind == TIDE_ITEM_OBJECT)
        tide_object_ref(item.as.object);
    else if (item.kind == TIDE_ITEM_TEXT)
        tide_message_ref(&item.as.text->base);
    else if (item.kind == TIDE_ITEM_MESSAGE)
        tide_message_ref(item.as.message);
    return item;
}

/* Lets go of what it refers to and leaves no value. May destroy: not under a lock. */
static inline void tide_item_drop(struct tide_item *item)
{
    struct tide_item dropped = *item;
    item->kind = TIDE_ITEM_NONE;
    if (dropped.kind == TIDE_ITEM_OBJECT)
        tide_object_unref(dropped.as.object);
    else if (dropped.kind == TIDE_ITEM_TEXT)
        tide_message_unref(&dropped.as.text->base);
    else if (dropped.kind == TIDE_ITEM_MESSAGE)
        tide_message_unref(dropped.as.message);
}

/* Takes the value out, and leaves none. */
static inline struct tide_item tide_item_take(struct tide_item *item)
{
    struct tide_item taken = *item;
    item->kind = TIDE_ITEM_NONE;
    return taken;
}

/* Bytes that it keeps alive beside itself, for the collector's account. */
static inline size_t tide_item_bytes(const struct tide_item *item)
{
    if (item->kind == TIDE_ITEM_TEXT)
        return sizeof *item->as.text + item->as.text->length;
    return item->kind == TIDE_ITEM_MESSAGE ? item->as.message->size : 0;
}

#endif
