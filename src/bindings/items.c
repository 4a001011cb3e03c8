#include "bindings/items.h"

#include "bindings/bind.h"
#include "transport/item.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>

static const char class_name[] = "tidemill.items";

static int collect(lua_State *L)
{
    struct tide_batch *batch = &((struct tide_hand *)lua_touserdata(L, 1))->batch;
    for (size_t i = 0; i < batch->count; i++)
        tide_item_drop(&batch->items[i]);
    batch->count = 0;
    return 0;
}

void tide_items_open(lua_State *L)
{
    tide_bind_hidden_class(L, class_name, collect);
}

struct tide_hand *tide_items_hand(lua_State *L, size_t count, bool priorities)
{
    size_t each = sizeof(struct tide_item) + (priorities ? sizeof(double) : 0);
    if (count > INT_MAX)
        luaL_error(L, "not enough memory");
    struct tide_hand *hand = lua_newuserdatauv(L, sizeof *hand + count * each, 0);
    hand->loops = false;
    hand->batch = (struct tide_batch){.items = hand->items, .count = count};
    if (priorities)
        hand->batch.priorities = (double *)(void *)(hand->items + count);
    for (size_t i = 0; i < count; i++)
        hand->items[i] = (struct tide_item){.kind = TIDE_ITEM_NONE};
    luaL_setmetatable(L, class_name);
    return hand;
}

static struct tide_item pack(lua_State *L, int index, const char *noun)
{
    struct tide_item item = tide_pack_item(L, index, noun);
    size_t bytes = tide_item_bytes(&item);
    if (bytes)
        tide_handle_charge(L, bytes);
    return item;
}

struct tide_hand *tide_items_of_list(lua_State *L, int arg, bool priorities)
{
    luaL_checktype(L, arg, LUA_TTABLE);
    struct tide_hand *hand = tide_items_hand(L, lua_rawlen(L, arg), priorities);
    for (size_t i = 0; i < hand->batch.count; i++) {
        char noun[32] = "item";
        int type = lua_rawgeti(L, arg, (lua_Integer)i + 1);
        if (type == LUA_TNIL)
            luaL_argerror(L, arg, lua_pushfstring(L, "item %I is nil, and nil is no item", (LUAI_UACINT)i + 1));
        if (type > LUA_TSTRING) /* it may be refused */
            snprintf(noun, sizeof noun, "item at %zu", i + 1);
        hand->items[i] = pack(L, -1, noun);
        lua_pop(L, 1);
    }
    return hand;
}

struct tide_item tide_items_check(lua_State *L, int arg)
{
    luaL_argcheck(L, !lua_isnoneornil(L, arg), arg, "nil is no item; false is one");
    return pack(L, arg, "item");
}

/* Those below may run out of memory, or load a module and raise what that raises. */
static int unpack(lua_State *L)
{
    tide_unpack_item(L, lua_touserdata(L, 1));
    return 1;
}

void tide_items_push(lua_State *L, struct tide_item item)
{
    switch (item.kind) {
    case TIDE_ITEM_OBJECT:
    case TIDE_ITEM_TEXT:
    case TIDE_ITEM_MESSAGE: break;
    default: tide_unpack_item(L, &item); return; /* nothing to drop, nothing that raises */
    }
    lua_pushcfunction(L, unpack);
    lua_pushlightuserdata(L, &item);
    int status = lua_pcall(L, 1, 1, 0);
    tide_item_drop(&item);
    if (status != LUA_OK)
        lua_error(L);
}

void tide_items_push_priority(lua_State *L, double priority)
{
    if (priority >= -0x1p53 && priority <= 0x1p53 && floor(priority) == priority)
        lua_pushinteger(L, (lua_Integer)priority);
    else
        lua_pushnumber(L, priority);
}

void tide_items_push_list(lua_State *L, struct tide_hand *hand, size_t count)
{
    lua_createtable(L, count < INT_MAX ? (int)count : INT_MAX, 0);
    for (size_t i = 0; i < count; i++) {
        tide_unpack_item(L, &hand->items[i]);
        tide_item_drop(&hand->items[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}
