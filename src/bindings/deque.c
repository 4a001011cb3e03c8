/* tm.deque */
#include "sync/deque.h"

#include "base/error.h"
#include "bindings/bind.h"
#include "bindings/items.h"
#include "bindings/module.h"

static struct tide_deque *check(lua_State *L)
{
    return (struct tide_deque *)(void *)tide_handle_check(L, 1, &tide_deque_class);
}

static int new(lua_State *L)
{
    static const char *const keys[] = {"maxlen", NULL};
    lua_Integer maxlen = -1;
    if (tide_bind_options(L, 1, keys))
        maxlen = tide_bind_integer(L, 1, "maxlen", 0, LUA_MAXINTEGER, -1);
    return tide_bind_new(L, (struct tide_object *)tide_deque_new(maxlen < 0 ? SIZE_MAX : (size_t)maxlen));
}

/* ---- in ---- */

static int append_at(lua_State *L, enum tide_deque_end end)
{
    struct tide_deque *deque = check(L);
    struct tide_item item = tide_items_check(L, 2);
    int result = tide_deque_extend(deque, end, &item, 1);
    tide_item_drop(&item); /* what fell out, or was not taken */
    return result == 0 ? 0 : luaL_error(L, "not enough memory");
}

static int append(lua_State *L)
{
    return append_at(L, TIDE_DEQUE_RIGHT);
}

static int appendleft(lua_State *L)
{
    return append_at(L, TIDE_DEQUE_LEFT);
}

static int extend_at(lua_State *L, enum tide_deque_end end)
{
    struct tide_deque *deque = check(L);
    struct tide_hand *hand = tide_items_of_list(L, 2, false);
    if (tide_deque_extend(deque, end, hand->items, hand->batch.count) != 0)
        return luaL_error(L, "not enough memory");
    return 0;
}

static int extend(lua_State *L)
{
    return extend_at(L, TIDE_DEQUE_RIGHT);
}

static int extendleft(lua_State *L)
{
    return extend_at(L, TIDE_DEQUE_LEFT);
}

static int64_t check_index(lua_State *L)
{
    lua_Integer index = luaL_checkinteger(L, 2);
    luaL_argcheck(L, index != 0, 2, "index is 0; the first item has 1, the last one -1");
    return index;
}

static int insert(lua_State *L)
{
    struct tide_deque *deque = check(L);
    int64_t index = check_index(L);
    struct tide_item item = tide_items_check(L, 3);
    int result = tide_deque_insert(deque, index, &item);
    tide_item_drop(&item);
    if (result == TIDE_EAGAIN)
        return luaL_error(L, "insert into a full deque (maxlen %I): take an item out first, or append",
                          (LUAI_UACINT)deque->maxlen);
    return result == 0 ? 0 : luaL_error(L, "not enough memory");
}

/* ---- out ---- */

/* The item, which is dropped; or nil, "empty". */
static int answer(lua_State *L, bool any, struct tide_item item)
{
    if (any) {
        tide_items_push(L, item);
        return 1;
    }
    lua_pushnil(L);
    lua_pushliteral(L, "empty");
    return 2;
}

static int pop_at(lua_State *L, enum tide_deque_end end)
{
    struct tide_item item = {.kind = TIDE_ITEM_NONE};
    bool any = tide_deque_pop(check(L), end, &item);
    return answer(L, any, item);
}

static int pop(lua_State *L)
{
    return pop_at(L, TIDE_DEQUE_RIGHT);
}

static int popleft(lua_State *L)
{
    return pop_at(L, TIDE_DEQUE_LEFT);
}

static int peek_at(lua_State *L, int64_t index)
{
    struct tide_item item = {.kind = TIDE_ITEM_NONE};
    bool any = tide_deque_get(check(L), index, &item);
    return answer(L, any, item);
}

static int peek(lua_State *L)
{
    return peek_at(L, -1);
}

static int peekleft(lua_State *L)
{
    return peek_at(L, 1);
}

/* nil where there is none, as with a table. */
static int get(lua_State *L)
{
    struct tide_deque *deque = check(L);
    struct tide_item item = {.kind = TIDE_ITEM_NONE};
    tide_deque_get(deque, check_index(L), &item);
    tide_items_push(L, item);
    return 1;
}

static int remove_at(lua_State *L)
{
    struct tide_deque *deque = check(L);
    struct tide_item item = {.kind = TIDE_ITEM_NONE};
    tide_deque_remove(deque, check_index(L), &item);
    tide_items_push(L, item);
    return 1;
}

static int items(lua_State *L)
{
    struct tide_deque *deque = check(L);
    struct tide_hand *hand;
    size_t count = tide_deque_count(deque);
    do { /* there may be more by the time that there is a hand for them */
        lua_settop(L, 1);
        hand = tide_items_hand(L, count, false);
        count = tide_deque_copy(deque, hand->items, hand->batch.count);
    } while (count > hand->batch.count);
    tide_items_push_list(L, hand, count);
    return 1;
}

/* ---- the rest ---- */

static int rotate(lua_State *L)
{
    struct tide_deque *deque = check(L);
    tide_deque_rotate(deque, luaL_optinteger(L, 2, 1));
    return 0;
}

static int clear(lua_State *L)
{
    tide_deque_clear(check(L));
    return 0;
}

static int length(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)tide_deque_count(check(L)));
    return 1;
}

static int maxlen(lua_State *L)
{
    struct tide_deque *deque = check(L);
    if (deque->maxlen == SIZE_MAX)
        lua_pushnil(L);
    else
        lua_pushinteger(L, (lua_Integer)deque->maxlen);
    return 1;
}

static int tostring(lua_State *L)
{
    struct tide_deque *deque = check(L);
    if (deque->maxlen == SIZE_MAX)
        lua_pushfstring(L, "deque (%I inside)", (LUAI_UACINT)tide_deque_count(deque));
    else
        lua_pushfstring(L, "deque (%I of %I inside)", (LUAI_UACINT)tide_deque_count(deque), (LUAI_UACINT)deque->maxlen);
    return 1;
}

void tide_open_deque(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"append", append},     {"appendleft", appendleft}, {"extend", extend}, {"extendleft", extendleft}, {"insert", insert},
        {"pop", pop},           {"popleft", popleft},       {"peek", peek},     {"peekleft", peekleft},     {"get", get},
        {"remove", remove_at},  {"items", items},           {"clear", clear},   {"rotate", rotate},         {"maxlen", maxlen},
        {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__len", length}, {"__tostring", tostring}, {NULL, NULL}};
    tide_bind_class(L, &tide_deque_class, methods, meta);
    lua_pushcfunction(L, new);
    lua_setfield(L, -2, "deque");
}
