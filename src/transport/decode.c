/* The decoder: from bytes to values, whatever the bytes are.
 *
 * A graph is read in one pass: first every object is made empty (the shells), then all are filled (the bodies), then the
 * environment, then the values that were asked for. Nothing recurses. The objects stand on the Lua stack if they are few,
 * else in a table. No C memory is used, so that a raise loses nothing; decoding runs Lua code (require, finalizers) and is
 * re-entrant. What a table is said to hold is checked against the bytes that are left, over all tables together. */
#include "transport/decode.h"

#include "transport/env.h"
#include "transport/handle.h"
#include "transport/names.h"
#include "transport/pack.h"
#include "transport/record.h"

#include <lauxlib.h>

enum { ON_STACK_MAX = 40 };

struct decoder {
    lua_State *L;
    struct tide_transport *t;
    const struct tide_parcel *parcel;
    struct tide_reader in;
    int base;               /* objects stand above it, or, with `memo`, in the table at base + 1 */
    bool memo;
    size_t objects;         /* of the graph */
    size_t budget;          /* entries that tables may still announce */
    int env;                /* the object that is the environment, 0: none */
};

_Noreturn static void corrupt(lua_State *L)
{
    luaL_error(L, "corrupt message");
    __builtin_unreachable();
}

static void push_string(struct decoder *d, size_t size)
{
    const char *text;
    if (!tide_get_span(&d->in, size, &text))
        corrupt(d->L);
    lua_pushlstring(d->L, text, size);
}

#define PUSH_NUMBER(d, type, push)                          \
    do {                                                    \
        type number_;                                       \
        if (!tide_get_raw(&(d)->in, &number_, sizeof number_)) \
            corrupt((d)->L);                                \
        push((d)->L, number_);                              \
    } while (0)

static void push_light(lua_State *L, uint64_t bits)
{
    lua_pushlightuserdata(L, (void *)(uintptr_t)bits);
}

/* The rarer plain values. False: the tag is none of them. */
static bool push_rare(struct decoder *d, unsigned tag)
{
    size_t size;
    uint64_t n;
    switch (tag) {
    case TIDE_TAG_STRING:
        if (!tide_get_count(&d->in, &size))
            corrupt(d->L);
        push_string(d, size);
        return true;
    case TIDE_TAG_LIGHT:
        if (d->parcel->foreign)
            luaL_error(d->L, "corrupt message (an address from elsewhere)");
        PUSH_NUMBER(d, uint64_t, push_light);
        return true;
    case TIDE_TAG_HANDLE:
        if (!tide_get_varint(&d->in, &n) || n >= d->parcel->objects)
            corrupt(d->L);
        tide_handle_push(d->L, d->parcel->slots[n]);
        return true;
    default: return false;
    }
}

/* A value without identity, whose tag was read. */
static inline bool push_plain(struct decoder *d, unsigned tag)
{
    lua_State *L = d->L;
    if (tag >= TIDE_TAG_SMALL) {
        lua_pushinteger(L, (lua_Integer)tag - TIDE_TAG_SMALL);
        return true;
    }
    if (tag >= TIDE_TAG_SHORT && tag <= TIDE_TAG_SHORT + TIDE_SHORT_MAX) {
        push_string(d, tag - TIDE_TAG_SHORT);
        return true;
    }
    switch (tag) {
    case TIDE_TAG_NIL: lua_pushnil(L); return true;
    case TIDE_TAG_FALSE: lua_pushboolean(L, 0); return true;
    case TIDE_TAG_TRUE: lua_pushboolean(L, 1); return true;
    case TIDE_TAG_INT8: PUSH_NUMBER(d, int8_t, lua_pushinteger); return true;
    case TIDE_TAG_INT16: PUSH_NUMBER(d, int16_t, lua_pushinteger); return true;
    case TIDE_TAG_INT32: PUSH_NUMBER(d, int32_t, lua_pushinteger); return true;
    case TIDE_TAG_INT64: PUSH_NUMBER(d, int64_t, lua_pushinteger); return true;
    case TIDE_TAG_FLOAT: PUSH_NUMBER(d, double, lua_pushnumber); return true;
    default: return push_rare(d, tag);
    }
}

static void push_object(struct decoder *d, uint64_t id)
{
    if (id == 0 || id > d->objects)
        corrupt(d->L);
    if (d->memo)
        lua_rawgeti(d->L, d->base + 1, (lua_Integer)id);
    else
        lua_pushvalue(d->L, d->base + (int)id);
}

/* Any value inside a graph. */
static inline void push_value(struct decoder *d)
{
    unsigned tag;
    uint64_t id;
    if (!tide_get_byte(&d->in, &tag))
        corrupt(d->L);
    if (tag == TIDE_TAG_REF) {
        if (!tide_get_varint(&d->in, &id))
            corrupt(d->L);
        push_object(d, id);
    } else if (!push_plain(d, tag)) {
        corrupt(d->L);
    }
}

/* ---- shells ---- */

/* The sizes of a table. */
static void get_sizes(struct decoder *d, struct tide_reader *in, size_t *items, size_t *pairs)
{
    if (!tide_get_count(in, items) || !tide_get_count(in, pairs))
        corrupt(d->L);
}

static void push_table(struct decoder *d)
{
    size_t items, pairs;
    get_sizes(d, &d->in, &items, &pairs);
    if (items > d->budget || pairs > d->budget - items || items > INT32_MAX || pairs > INT32_MAX)
        corrupt(d->L);
    d->budget -= items + pairs;
    lua_createtable(d->L, (int)items, (int)pairs);
}

static void push_function(struct decoder *d)
{
    uint32_t size;
    unsigned upvalues;
    const char *code;
    if (d->parcel->foreign)
        luaL_error(d->L, "untrusted bytecode in a message from elsewhere");
    if (!tide_get_byte(&d->in, &upvalues) || !tide_get_raw(&d->in, &size, sizeof size) ||
        !tide_get_span(&d->in, size, &code))
        corrupt(d->L);
    if (luaL_loadbufferx(d->L, code, size, "=function", "b") != LUA_OK)
        lua_error(d->L);
}

static void push_env(struct decoder *d, size_t id)
{
    uint32_t entries;
    if (d->env || !tide_get_raw(&d->in, &entries, sizeof entries) || entries > d->budget)
        corrupt(d->L);
    d->budget -= entries;
    d->env = (int)id;
    tide_env_push_new(d->L, d->t, (int)entries);
}

static void push_shell(struct decoder *d, size_t id)
{
    unsigned kind;
    const char *text;
    size_t size;
    if (!tide_get_byte(&d->in, &kind))
        corrupt(d->L);
    switch (kind) {
    case TIDE_SHELL_TABLE:
    case TIDE_SHELL_TABLE_META: push_table(d); break;
    case TIDE_SHELL_FUNCTION: push_function(d); break;
    case TIDE_SHELL_ENV: push_env(d, id); break;
    case TIDE_SHELL_NAMED:
        if (!tide_get_block(&d->in, &text, &size))
            corrupt(d->L);
        tide_names_push(d->L, d->t, text, size, d->parcel->foreign);
        break;
    case TIDE_SHELL_STRING:
        if (!tide_get_block(&d->in, &text, &size))
            corrupt(d->L);
        lua_pushlstring(d->L, text, size);
        break;
    default: corrupt(d->L);
    }
}

/* ---- bodies ---- */

static void set_metatable(struct decoder *d, int table)
{
    lua_State *L = d->L;
    push_value(d);
    if (!lua_istable(L, -1))
        corrupt(L);
    if (d->parcel->foreign) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, -2) != LUA_TNIL)
            corrupt(L); /* nothing from elsewhere is run behind the script's back */
        lua_pop(L, 1);
    }
    lua_setmetatable(L, table);
}

static void fill_table(struct decoder *d, size_t id, size_t items, size_t pairs, bool meta)
{
    lua_State *L = d->L;
    push_object(d, id);
    int table = lua_gettop(L);
    if (meta)
        set_metatable(d, table);
    for (size_t i = 1; i <= items; i++) {
        push_value(d);
        lua_rawseti(L, table, (lua_Integer)i);
    }
    for (; pairs > 0; pairs--) {
        push_value(d);
        if (lua_isnil(L, -1) || (lua_type(L, -1) == LUA_TNUMBER && !lua_rawequal(L, -1, -1)))
            corrupt(L); /* nil and NaN are no keys */
        push_value(d);
        lua_rawset(L, table);
    }
    lua_settop(L, table - 1);
}

/* Only in messages of this process. */
static void fill_function(struct decoder *d, size_t id, unsigned upvalues)
{
    lua_State *L = d->L;
    push_object(d, id);
    int function = lua_gettop(L);
    for (unsigned i = 1; i <= upvalues; i++) {
        uint64_t owner;
        unsigned index;
        if (d->in.at < d->in.end && *d->in.at == TIDE_TAG_SAME) {
            d->in.at++;
            if (!tide_get_varint(&d->in, &owner) || !tide_get_byte(&d->in, &index))
                corrupt(L);
            push_object(d, owner);
            lua_upvaluejoin(L, function, (int)i, -1, (int)index);
            lua_pop(L, 1);
        } else {
            push_value(d);
            lua_setupvalue(L, function, (int)i);
        }
    }
    lua_settop(L, function - 1);
}

/* Fills every object that has a body; `shells` is read a second time for what it is. */
static void fill_objects(struct decoder *d, struct tide_reader shells)
{
    size_t items, pairs;
    const char *text;
    for (size_t id = 1; id <= d->objects; id++) {
        unsigned kind, upvalues;
        uint32_t size;
        if (!tide_get_byte(&shells, &kind))
            corrupt(d->L);
        switch (kind) {
        case TIDE_SHELL_TABLE:
        case TIDE_SHELL_TABLE_META:
            get_sizes(d, &shells, &items, &pairs);
            fill_table(d, id, items, pairs, kind == TIDE_SHELL_TABLE_META);
            break;
        case TIDE_SHELL_FUNCTION:
            if (!tide_get_byte(&shells, &upvalues) || !tide_get_raw(&shells, &size, sizeof size) ||
                !tide_get_span(&shells, size, &text))
                corrupt(d->L);
            fill_function(d, id, upvalues);
            break;
        case TIDE_SHELL_ENV: shells.at += sizeof size; break;
        default:
            if (!tide_get_block(&shells, &text, &items))
                corrupt(d->L);
        }
    }
}

/* The globals in the environment: standard ones by name, then the user's. */
static void fill_env(struct decoder *d)
{
    lua_State *L = d->L;
    unsigned flags;
    size_t count, size;
    const char *name;
    push_object(d, (uint64_t)d->env);
    int env = lua_gettop(L);
    if (!tide_get_byte(&d->in, &flags) || !tide_get_count(&d->in, &count))
        corrupt(L);
    if (flags & TIDE_ENV_EXPOSED)
        tide_env_expose(L, d->t, env);
    if (flags & TIDE_ENV_COMPLETE)
        tide_env_complete(L, d->t, env);
    for (; count > 0; count--) {
        if (!tide_get_block(&d->in, &name, &size))
            corrupt(L);
        lua_pushlstring(L, name, size);
        tide_env_push_standard(L, d->t, name, size);
        lua_rawset(L, env);
    }
    if (!tide_get_count(&d->in, &count))
        corrupt(L);
    for (; count > 0; count--) {
        push_value(d);
        if (lua_type(L, -1) != LUA_TSTRING)
            corrupt(L);
        push_value(d);
        lua_rawset(L, env);
    }
    lua_settop(L, env - 1);
}

/* ---- groups ---- */

static int decode_graph(struct decoder *d)
{
    lua_State *L = d->L;
    size_t roots;
    d->base = lua_gettop(L);
    if (!tide_get_count(&d->in, &roots) || !tide_get_count(&d->in, &d->objects))
        corrupt(L);
    d->memo = d->objects > ON_STACK_MAX;
    d->budget = tide_left(&d->in);
    if (roots > INT32_MAX / 2 || d->objects > INT32_MAX)
        corrupt(L);
    luaL_checkstack(L, (d->memo ? 1 : (int)d->objects) + (int)roots + 20, "too many values");
    if (d->memo)
        lua_createtable(L, (int)d->objects, 0);

    struct tide_reader shells = d->in;
    for (size_t id = 1; id <= d->objects; id++) {
        push_shell(d, id);
        if (d->memo)
            lua_rawseti(L, d->base + 1, (lua_Integer)id);
    }
    fill_objects(d, shells);
    if (d->env)
        fill_env(d);

    int first = lua_gettop(L) + 1;
    for (size_t i = 0; i < roots; i++)
        push_value(d);
    for (int i = 0; i < (int)roots && first > d->base + 1; i++)
        lua_copy(L, first + i, d->base + 1 + i); /* downwards: a place is read before it is written */
    lua_settop(L, d->base + (int)roots);
    return (int)roots;
}

int tide_decode(lua_State *L, const struct tide_parcel *parcel, struct tide_reader *in)
{
    struct decoder d = {.L = L, .parcel = parcel, .in = *in};
    unsigned tag;
    int pushed = 1;
    luaL_checkstack(L, 8, "too many values");
    if (!tide_get_byte(&d.in, &tag))
        corrupt(L);
    if (tag == TIDE_TAG_GRAPH) {
        d.t = tide_transport_of(L);
        pushed = decode_graph(&d);
    } else if (!push_plain(&d, tag)) {
        corrupt(L);
    }
    *in = d.in;
    return pushed;
}

/* Values one after the other, as long as they are plain: the way of most parcels. */
int tide_unpack(lua_State *L, struct tide_parcel *p)
{
    struct decoder d = {.L = L, .parcel = p, .in = tide_reader_of(p)};
    int pushed = 0;
    luaL_checkstack(L, (p->count < INT32_MAX / 2 ? (int)p->count : INT32_MAX / 2) + 8, "too many values");
    while (d.in.at < d.in.end) {
        if (*d.in.at == TIDE_TAG_GRAPH || p->foreign) {
            pushed += tide_decode(L, p, &d.in);
        } else {
            unsigned tag = *d.in.at++;
            if (!push_plain(&d, tag))
                corrupt(L);
            pushed++;
        }
    }
    return pushed;
}

int tide_cursor_next(lua_State *L, struct tide_cursor *cursor)
{
    struct tide_reader in = tide_reader_of(cursor->parcel);
    if (cursor->at > tide_left(&in))
        corrupt(L);
    in.at += cursor->at;
    if (in.at == in.end)
        return 0;
    int pushed = tide_decode(L, cursor->parcel, &in);
    if (pushed != 1)
        luaL_error(L, "this message cannot be read one value at a time");
    cursor->at = cursor->parcel->size - tide_left(&in);
    return 1;
}
