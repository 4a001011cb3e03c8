/* record.h - what transport keeps for each Lua state. Internal to transport.
 *
 * Registry  [luaL_ref of each slot below]; [&key] = the record; [class] and [class->name] = metatable of a class's handles.
 * Owns      the record is a full userdata of the state; so is each packer (packer.h).
 */
#ifndef TIDE_TRANSPORT_RECORD_H
#define TIDE_TRANSPORT_RECORD_H

#include "transport/transport.h"

#include <stdint.h>

struct tide_packer;

enum tide_slot {
    TIDE_SLOT_NOMEM,        /* the string "not enough memory" */
    TIDE_SLOT_WEAK_KEYS,    /* metatable { __mode = "k" } */
    TIDE_SLOT_WEAK_VALUES,  /* metatable { __mode = "v" } */
    TIDE_SLOT_HANDLES,      /* object (light) → its userdata; weak values */
    TIDE_SLOT_BASE,         /* global name → value, as they were at the start */
    TIDE_SLOT_LOADED,       /* package.loaded */
    TIDE_SLOT_STANDARD,     /* the names in package.loaded at the start → true */
    TIDE_SLOT_SCANNED,      /* name in package.loaded → the module whose members are named; weak values */
    TIDE_SLOT_NAMES,        /* function, table or file → "module\0member"; weak keys */
    TIDE_SLOT_CODES,        /* function → record of its code, or true: seen once; weak keys */
    TIDE_SLOT_DECODED,      /* code id → function, for the present layer; weak values */
    TIDE_SLOT_ENV_META,     /* metatable of environments over the present layer */
    TIDE_SLOT_LAYERS,       /* layer → { metatable, decoded }; weak keys */
    TIDE_SLOT_ENVS,         /* environment that code can get hold of → true; weak keys */
    TIDE_SLOT_PACKERS,      /* coroutine → packer with an open stream; weak keys */
    TIDE_SLOT_SPARE,        /* the packer that is kept for the next message */
    TIDE_SLOT_PACKER_META,
    TIDE_SLOT_CODE_META,
    TIDE_SLOT_COUNT
};

struct tide_transport {
    int ref[TIDE_SLOT_COUNT];       /* references in the registry; fixed after open */
    const void *globals;            /* the base's table of globals; fixed after open */
    const void *layer;              /* the present layer; equals globals where there is none */
    struct tide_packer *spare;      /* in SLOT_SPARE, NULL while it is in use */
    struct tide_packer *stream;     /* the packer used last by tide_packer_add, */
    lua_State *stream_owner;        /* and its coroutine */
    size_t charged;                 /* bytes outside the state that its collector was not told of yet */
    bool strict;
    bool names_stale;               /* package.loaded has changed since SLOT_NAMES was filled */
};

/* The record of L's state. A few nanoseconds. */
struct tide_transport *tide_transport_of(lua_State *L);

/* Raises "not enough memory" without allocating. */
_Noreturn void tide_transport_nomem(lua_State *L);

static inline void tide_slot_push(lua_State *L, const struct tide_transport *t, enum tide_slot slot)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, t->ref[slot]);
}

/* in: value on top; out: popped */
static inline void tide_slot_set(lua_State *L, const struct tide_transport *t, enum tide_slot slot)
{
    lua_rawseti(L, LUA_REGISTRYINDEX, t->ref[slot]);
}

#endif
