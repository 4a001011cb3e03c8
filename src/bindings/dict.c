/* tm.dict: the class, and what needs no lock on a key. */
#include "bindings/dict.h"

#include "base/error.h"
#include "bindings/module.h"
#include "transport/item.h"

#include <stdio.h>

static const char guard_name[] = "tidemill.dict_guard", pairs_name[] = "tidemill.dict_pairs";

/* ---- shared with dict_update.c ---- */

struct tide_dict *tide_dict_check(lua_State *L, int arg)
{
    return (struct tide_dict *)(void *)tide_handle_check(L, arg, &tide_dict_class);
}

bool tide_dict_to_key(lua_State *L, int index, struct tide_dict_key *key)
{
    struct tide_object *object;
    const char *bytes;
    size_t length;
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        bytes = lua_tolstring(L, index, &length);
        *key = tide_dict_key_text(bytes, length);
        return true;
    case LUA_TNUMBER:
        if (!lua_isinteger(L, index))
            return tide_dict_key_float(lua_tonumber(L, index), key);
        *key = tide_dict_key_integer(lua_tointeger(L, index));
        return true;
    case LUA_TBOOLEAN: *key = tide_dict_key_boolean(lua_toboolean(L, index)); return true;
    case LUA_TLIGHTUSERDATA: *key = tide_dict_key_pointer(lua_touserdata(L, index)); return true;
    case LUA_TUSERDATA:
        object = tide_handle_test(L, index, NULL);
        if (!object)
            return false;
        tide_handle_register(L, index); /* it may come back to this state */
        *key = tide_dict_key_object(object);
        return true;
    default: return false;
    }
}

/* Pushes why the value at `index` cannot be a key. */
static const char *why_no_key(lua_State *L, int index)
{
    const char *what = lua_type(L, index) == LUA_TNUMBER ? "NaN" : luaL_typename(L, index);
    return lua_pushfstring(L, "%s cannot be a key; strings, numbers, booleans and shared objects can", what);
}

struct tide_dict_key tide_dict_check_key(lua_State *L, int arg)
{
    struct tide_dict_key key;
    if (!tide_dict_to_key(L, arg, &key))
        luaL_argerror(L, arg, why_no_key(L, arg));
    return key;
}

struct tide_dict_guard *tide_dict_push_guard(lua_State *L)
{
    struct tide_dict_guard *guard = lua_newuserdatauv(L, sizeof *guard, 0);
    *guard = (struct tide_dict_guard){0};
    luaL_setmetatable(L, guard_name);
    return guard;
}

static int guard_gc(lua_State *L)
{
    struct tide_dict_guard *guard = luaL_checkudata(L, 1, guard_name);
    tide_dict_lock_release(&guard->hold);
    tide_item_drop(&guard->item);
    return 0;
}

void tide_dict_charge(lua_State *L, size_t bytes, bool added)
{
    if (bytes || added)
        tide_handle_charge(L, bytes + (added ? sizeof(struct tide_dict_entry) + sizeof(uint32_t) : 0));
}

int tide_dict_no_memory(lua_State *L)
{
    return luaL_error(L, "not enough memory");
}

bool tide_dict_push_value(lua_State *L, struct tide_dict *dict, const struct tide_dict_key *key)
{
    struct tide_dict_peek peek;
    enum tide_item_kind kind = tide_dict_peek(dict, key, &peek);
    if (kind == TIDE_ITEM_NONE)
        return false;
    if (peek.small && kind == TIDE_ITEM_TEXT) {
        lua_pushlstring(L, peek.bytes, peek.length);
        return true;
    }
    if (peek.small) {
        tide_unpack_item(L, &peek.item);
        return true;
    }
    struct tide_dict_guard *guard = tide_dict_push_guard(L);
    guard->item = tide_dict_get(dict, key);
    bool found = guard->item.kind != TIDE_ITEM_NONE; /* it may have gone since */
    if (found) {
        tide_unpack_item(L, &guard->item);
        tide_item_drop(&guard->item);
        lua_remove(L, -2);
    } else {
        lua_pop(L, 1);
    }
    return found;
}

/* ---- one key ---- */

static int get(lua_State *L)
{
    struct tide_dict *dict = tide_dict_check(L, 1);
    struct tide_dict_key key = tide_dict_check_key(L, 2);
    lua_settop(L, 3);
    tide_dict_push_value(L, dict, &key); /* else the default is on top */
    return 1;
}

static int has(lua_State *L)
{
    struct tide_dict *dict = tide_dict_check(L, 1);
    struct tide_dict_key key = tide_dict_check_key(L, 2);
    lua_pushboolean(L, tide_dict_has(dict, &key));
    return 1;
}

static int set(lua_State *L)
{
    struct tide_dict *dict = tide_dict_check(L, 1);
    struct tide_dict_key key = tide_dict_check_key(L, 2);
    struct tide_item old;
    luaL_checkany(L, 3);
    lua_settop(L, 3);
    struct tide_item value = tide_pack_item(L, 3, "value");
    size_t bytes = tide_item_bytes(&value);
    bool stored = value.kind != TIDE_ITEM_NONE;
    int failed = tide_dict_exchange(dict, &key, &value, &old);
    if (failed) {
        tide_item_drop(&value);
        return failed == TIDE_EAGAIN ? tide_dict_locked(L, TIDE_DICT_SET) : tide_dict_no_memory(L);
    }
    bool added = stored && old.kind == TIDE_ITEM_NONE;
    tide_item_drop(&old);
    tide_dict_charge(L, bytes, added);
    return 0;
}

static int pop(lua_State *L)
{
    struct tide_dict *dict = tide_dict_check(L, 1);
    struct tide_dict_key key = tide_dict_check_key(L, 2);
    struct tide_item none = {.kind = TIDE_ITEM_NONE};
    lua_settop(L, 3);
    struct tide_dict_guard *guard = tide_dict_push_guard(L);
    int failed = tide_dict_exchange(dict, &key, &none, &guard->item);
    if (failed) { /* nothing is stored, so memory does not lack */
        lua_settop(L, 3);
        return tide_dict_locked(L, TIDE_DICT_POP);
    }
    if (guard->item.kind == TIDE_ITEM_NONE) {
        lua_settop(L, 3);
        return 1;
    }
    tide_unpack_item(L, &guard->item);
    tide_item_drop(&guard->item);
    return 1;
}

static int setdefault(lua_State *L)
{
    struct tide_dict *dict = tide_dict_check(L, 1);
    struct tide_dict_key key = tide_dict_check_key(L, 2);
    luaL_checkany(L, 3);
    lua_settop(L, 3);
    struct tide_dict_guard *guard = tide_dict_push_guard(L);
    struct tide_item value = tide_pack_item(L, 3, "value");
    size_t bytes = tide_item_bytes(&value);
    int failed = tide_dict_setdefault(dict, &key, &value, &guard->item);
    bool stored = value.kind == TIDE_ITEM_NONE; /* or it was nil */
    tide_item_drop(&value);
    if (failed) {
        lua_settop(L, 3);
        return failed == TIDE_EAGAIN ? tide_dict_locked(L, TIDE_DICT_SETDEFAULT) : tide_dict_no_memory(L);
    }
    if (guard->item.kind != TIDE_ITEM_NONE) {
        tide_unpack_item(L, &guard->item);
        tide_item_drop(&guard->item);
        return 1;
    }
    tide_dict_charge(L, bytes, stored && !lua_isnil(L, 3));
    lua_settop(L, 3);
    return 1;
}

int tide_dict_not_a_number(lua_State *L, int index, struct tide_item *value)
{
    const char *what = value->kind == TIDE_ITEM_BOOLEAN ? "a boolean"
        : value->kind == TIDE_ITEM_TEXT                 ? "a string"
                                                        : "no number";
    tide_item_drop(value);
    return luaL_error(L, "cannot add to key '%s': its value is %s", luaL_tolstring(L, index, NULL), what);
}

static int add(lua_State *L)
{
    struct tide_dict *dict = tide_dict_check(L, 1);
    struct tide_dict_key key = tide_dict_check_key(L, 2);
    struct tide_item sum;
    if (lua_isnoneornil(L, 3)) {
        lua_settop(L, 2);
        lua_pushinteger(L, 1);
    }
    luaL_checktype(L, 3, LUA_TNUMBER);
    lua_settop(L, 3);
    struct tide_item number = tide_pack_item(L, 3, "number"); /* has nothing to drop */
    int failed = tide_dict_add(dict, &key, &number, &sum);
    if (failed == TIDE_EAGAIN)
        return tide_dict_locked(L, TIDE_DICT_ADD);
    if (failed == TIDE_EINVAL)
        return tide_dict_not_a_number(L, 2, &sum);
    if (failed)
        return tide_dict_no_memory(L);
    tide_unpack_item(L, &sum);
    return 1;
}

/* ---- all keys ---- */

static struct tide_dict_pairs *push_pairs(lua_State *L)
{
    struct tide_dict_pairs *pairs = lua_newuserdatauv(L, sizeof *pairs, 0);
    *pairs = (struct tide_dict_pairs){0};
    luaL_setmetatable(L, pairs_name);
    return pairs;
}

static int pairs_gc(lua_State *L)
{
    tide_dict_pairs_fini(luaL_checkudata(L, 1, pairs_name));
    return 0;
}

/* Reads the table at `index` into new pairs on top. Raises before anything was stored. */
static void push_pairs_of_table(lua_State *L, int index)
{
    struct tide_dict_pairs *pairs = push_pairs(L);
    struct tide_dict_key key;
    lua_pushnil(L);
    while (lua_next(L, index)) {
        if (!tide_dict_to_key(L, -2, &key))
            luaL_argerror(L, index, why_no_key(L, -2));
        if (tide_dict_pairs_reserve(pairs, 1) != 0)
            tide_dict_no_memory(L);
        struct tide_dict_entry *entry = &pairs->list[pairs->count];
        *entry = (struct tide_dict_entry){0};
        if (tide_dict_key_item(&key, &entry->key) != 0)
            tide_dict_no_memory(L);
        pairs->count++;
        char noun[80] = "value";
        if (lua_type(L, -1) > LUA_TSTRING && lua_type(L, -2) == LUA_TSTRING) /* it may be refused */
            snprintf(noun, sizeof noun, "value of key '%.60s'", lua_tostring(L, -2));
        entry->value = tide_pack_item(L, -1, noun);
        lua_pop(L, 1);
    }
}

/* Stores the pairs one by one. Stack: 1 dict, 2 pairs; the context counts those that are done. */
static int store_pairs(lua_State *L, int status, lua_KContext done)
{
    struct tide_dict *dict = tide_dict_check(L, 1);
    struct tide_dict_pairs *pairs = luaL_checkudata(L, 2, pairs_name);
    (void)status;
    for (size_t i = (size_t)done; i < pairs->count; i++) {
        struct tide_dict_entry *entry = &pairs->list[i];
        struct tide_dict_key key = tide_dict_key_of(&entry->key);
        struct tide_item old;
        size_t bytes = tide_item_bytes(&entry->value);
        int failed = tide_dict_exchange(dict, &key, &entry->value, &old);
        if (failed == TIDE_ENOMEM)
            return tide_dict_no_memory(L);
        if (failed == TIDE_EAGAIN) { /* as anybody who sets a key that is locked */
            lua_pushcfunction(L, set);
            lua_pushvalue(L, 1);
            tide_unpack_item(L, &entry->key);
            tide_unpack_item(L, &entry->value);
            lua_callk(L, 3, 0, (lua_KContext)i + 1, store_pairs);
            continue;
        }
        bool added = old.kind == TIDE_ITEM_NONE;
        tide_item_drop(&old);
        tide_dict_charge(L, bytes, added);
    }
    return 0;
}

static int set_many(lua_State *L)
{
    tide_dict_check(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    push_pairs_of_table(L, 2);
    lua_replace(L, 2);
    return store_pairs(L, LUA_OK, 0);
}

static struct tide_dict_pairs *push_snapshot(lua_State *L, struct tide_dict *dict)
{
    struct tide_dict_pairs *pairs = push_pairs(L);
    if (tide_dict_snapshot(dict, pairs) != 0)
        tide_dict_no_memory(L);
    return pairs;
}

static int next(lua_State *L)
{
    struct tide_dict_pairs *pairs = lua_touserdata(L, lua_upvalueindex(1));
    size_t i = (size_t)lua_tointeger(L, lua_upvalueindex(2));
    if (i >= pairs->count)
        return 0;
    lua_pushinteger(L, (lua_Integer)i + 1);
    lua_replace(L, lua_upvalueindex(2));
    tide_unpack_item(L, &pairs->list[i].key);
    tide_unpack_item(L, &pairs->list[i].value);
    return 2;
}

static int items(lua_State *L)
{
    struct tide_dict_pairs *pairs = push_snapshot(L, tide_dict_check(L, 1));
    tide_handle_charge(L, pairs->count * sizeof *pairs->list);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next, 2);
    return 1;
}

static int keys(lua_State *L)
{
    struct tide_dict_pairs *pairs = push_snapshot(L, tide_dict_check(L, 1));
    lua_createtable(L, pairs->count < INT32_MAX ? (int)pairs->count : 0, 0);
    for (size_t i = 0; i < pairs->count; i++) {
        tide_unpack_item(L, &pairs->list[i].key);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    tide_dict_pairs_fini(pairs);
    return 1;
}

static int clear(lua_State *L)
{
    tide_dict_clear(tide_dict_check(L, 1));
    return 0;
}

static int len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)tide_dict_count(tide_dict_check(L, 1)));
    return 1;
}

static int tostring(lua_State *L)
{
    lua_Integer count = (lua_Integer)tide_dict_count(tide_dict_check(L, 1));
    lua_pushfstring(L, "dict (%I %s)", (LUAI_UACINT)count, count == 1 ? "key" : "keys");
    return 1;
}

static int new(lua_State *L)
{
    bool filled = !lua_isnoneornil(L, 1);
    if (filled)
        luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (filled)
        push_pairs_of_table(L, 1);
    tide_bind_new(L, (struct tide_object *)tide_dict_new());
    if (!filled)
        return 1;
    lua_replace(L, 1);
    store_pairs(L, LUA_OK, 0); /* nobody else knows it: no wait */
    lua_settop(L, 1);
    return 1;
}

void tide_open_dict(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"get", get}, {"has", has}, {"set", set}, {"pop", pop}, {"setdefault", setdefault}, {"add", add},
        {"update", tide_dict_update}, {"get_or_set", tide_dict_get_or_set}, {"set_many", set_many},
        {"items", items}, {"keys", keys}, {"clear", clear}, {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__tostring", tostring}, {"__len", len}, {"__pairs", items}, {NULL, NULL}};
    tide_bind_hidden_class(L, pairs_name, pairs_gc);
    tide_bind_hidden_class(L, guard_name, guard_gc);
    luaL_getmetatable(L, guard_name);
    lua_pushcfunction(L, guard_gc);
    lua_setfield(L, -2, "__close");
    lua_pop(L, 1);
    tide_bind_class(L, &tide_dict_class, methods, meta);
    lua_pushcfunction(L, new);
    lua_setfield(L, -2, "dict");
}
