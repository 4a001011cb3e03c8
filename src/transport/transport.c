#include "transport/transport.h"

#include "transport/bytecode.h"
#include "transport/code.h"
#include "transport/env.h"
#include "transport/names.h"
#include "transport/packer.h"
#include "transport/record.h"

#include <lauxlib.h>
#include <stdatomic.h>
#include <string.h>

static const char key; /* registry[&key] = the record */

/* The record that this thread found last. The registry's address names the state; `closed` tells that an address may have
 * passed on to another state since. */
static _Thread_local struct {
    const void *registry;
    struct tide_transport *record;
    unsigned closed;
} last;
static _Atomic unsigned closed;

struct tide_transport *tide_transport_of(lua_State *L)
{
    const void *registry = lua_topointer(L, LUA_REGISTRYINDEX);
    /* relaxed: whoever handed this state to this thread did so after the state that stood here before was closed */
    unsigned now = atomic_load_explicit(&closed, memory_order_relaxed);
    if (last.registry == registry && last.closed == now)
        return last.record;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &key);
    struct tide_transport *t = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (!t)
        luaL_error(L, "this state was not opened for transport");
    last.registry = registry;
    last.record = t;
    last.closed = now;
    return t;
}

static int transport_gc(lua_State *L)
{
    atomic_fetch_add_explicit(&closed, 1, memory_order_relaxed);
    return 0;
}

void tide_transport_nomem(lua_State *L)
{
    tide_slot_push(L, tide_transport_of(L), TIDE_SLOT_NOMEM);
    lua_error(L);
    __builtin_unreachable();
}

void tide_transport_set_strict(lua_State *L, bool strict)
{
    tide_transport_of(L)->strict = strict;
}

/* out: { __mode = mode } */
static void push_weak(lua_State *L, const char *mode)
{
    lua_createtable(L, 0, 1);
    lua_pushstring(L, mode);
    lua_setfield(L, -2, "__mode");
}

/* Fills a slot with a new table whose metatable is that of slot `meta`. */
static void weak_slot(lua_State *L, struct tide_transport *t, enum tide_slot slot, enum tide_slot meta)
{
    lua_newtable(L);
    tide_slot_push(L, t, meta);
    lua_setmetatable(L, -2);
    tide_slot_set(L, t, slot);
}

/* out: a table of raw copies of the pairs with a string key of the table at `index` (each key → true if `keys_only`) */
static void push_copy(lua_State *L, int index, bool keys_only)
{
    index = lua_absindex(L, index);
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, index);) {
        if (lua_type(L, -2) == LUA_TSTRING) {
            if (keys_only) {
                lua_pop(L, 1);
                lua_pushboolean(L, 1);
            }
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, -4);
        } else {
            lua_pop(L, 1);
        }
    }
}

static void open_slots(lua_State *L, struct tide_transport *t)
{
    for (int i = 0; i < TIDE_SLOT_COUNT; i++) {
        lua_pushboolean(L, 0);
        t->ref[i] = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_pushliteral(L, "not enough memory");
    tide_slot_set(L, t, TIDE_SLOT_NOMEM);
    push_weak(L, "k");
    tide_slot_set(L, t, TIDE_SLOT_WEAK_KEYS);
    push_weak(L, "v");
    tide_slot_set(L, t, TIDE_SLOT_WEAK_VALUES);

    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    push_copy(L, -1, true);
    tide_slot_set(L, t, TIDE_SLOT_STANDARD);
    tide_slot_set(L, t, TIDE_SLOT_LOADED);
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    t->globals = lua_topointer(L, -1);
    push_copy(L, -1, false);
    tide_slot_set(L, t, TIDE_SLOT_BASE);
    lua_pop(L, 1);

    weak_slot(L, t, TIDE_SLOT_HANDLES, TIDE_SLOT_WEAK_VALUES);
    weak_slot(L, t, TIDE_SLOT_CODES, TIDE_SLOT_WEAK_KEYS);
    weak_slot(L, t, TIDE_SLOT_PACKERS, TIDE_SLOT_WEAK_KEYS);
}

int tide_transport_open(lua_State *L)
{
    luaL_checkstack(L, 20, NULL);
    struct tide_transport *t = lua_newuserdatauv(L, sizeof *t, 0);
    memset(t, 0, sizeof *t);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, transport_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
    open_slots(L, t);
    tide_names_open(L, t);
    tide_env_open(L, t);
    tide_packer_open(L, t);
    tide_code_open(L, t);
    tide_bytecode_prove(L);
    return 0;
}
