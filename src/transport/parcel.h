/* parcel.h - what travels: parcels of values, and codes, which are functions made ready to travel.
 *
 * Used by   sync and exec as opaque messages (`&parcel->base`), bindings, pack.h.
 * Threads   both are immutable once made; references are counted, any thread may drop the last. Neither belongs to a Lua
 *           state, and both outlive the one that made them.
 * Owns      a parcel holds one reference to each shared object in it; a code holds its parcel.
 */
#ifndef TIDE_TRANSPORT_PARCEL_H
#define TIDE_TRANSPORT_PARCEL_H

#include "base/message.h"
#include "base/object.h"

#include <stdbool.h>
#include <stddef.h>

struct tide_origin;

struct tide_parcel {
    struct tide_message base;       /* base.size: all bytes of it, saturated */
    uint32_t objects;               /* how many shared objects it holds */
    uint32_t count;                 /* values; 0 and not known in a foreign one */
    bool foreign;                   /* not made by this process: names no bytecode, object or address */
    union {
        size_t size;                /* bytes behind the slots */
        struct tide_parcel *next;   /* among those that a thread is destroying */
    };
    struct tide_object *slots[];
};

struct tide_code {
    struct tide_message base;       /* base.size: that of the parcel */
    uint64_t id;                    /* unique in the process, never reused */
    struct tide_origin *origin;     /* where the function stands in the script; lives as long as the process */
    struct tide_parcel *parcel;     /* one value: the function */
    bool reusable;                  /* nobody can tell whether a state decodes it once or each time */
    bool watched;                   /* what it captured may be changed by running it */
    bool sets_globals;              /* assigns globals of its environment */
    bool reflects;                  /* uses its environment as a value, or reaches load, debug and the like */
};

static inline struct tide_parcel *tide_parcel_ref(struct tide_parcel *p)
{
    tide_message_ref(&p->base);
    return p;
}

static inline void tide_parcel_unref(struct tide_parcel *p)
{
    tide_message_unref(p ? &p->base : NULL);
}

static inline struct tide_code *tide_code_ref(struct tide_code *c)
{
    tide_message_ref(&c->base);
    return c;
}

static inline void tide_code_unref(struct tide_code *c)
{
    tide_message_unref(c ? &c->base : NULL);
}

/* The name of a function for reports: "fetch (script.lua:12)" or "function at script.lua:12". Lives with the process. */
const char *tide_code_name(const struct tide_code *code);

/* A parcel of bytes from elsewhere, copied. Reading it is safe whatever they are; bytecode, shared objects and addresses in
 * it are refused then. NULL: out of memory. */
struct tide_parcel *tide_parcel_from_bytes(const void *bytes, size_t size);

/* The bytes of a parcel, which owns them. */
static inline unsigned char *tide_parcel_bytes(const struct tide_parcel *p)
{
    return (unsigned char *)(p->slots + p->objects);
}

/* ---- for transport ---- */

/* A parcel with room for `objects` and `size` bytes, both still to be filled in; no slot is referenced yet. NULL: out of
 * memory. */
struct tide_parcel *tide_parcel_new(uint32_t objects, size_t size);

/* Takes over the parcel, also on failure. NULL: out of memory. */
struct tide_code *tide_code_new(struct tide_parcel *parcel, struct tide_origin *origin);

#endif
