/* items.h - items in the hands of a binding: nothing is lost where Lua raises.
 *
 * Used by   bindings/queue.c, bindings/deque.c, bindings/select.c.
 * Threads   the state's own.
 */
#ifndef TIDE_BINDINGS_ITEMS_H
#define TIDE_BINDINGS_ITEMS_H

#include "sync/queue.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

/* A batch in a userdata that drops the items left in it when it goes. */
struct tide_hand {
    struct tide_batch batch;
    bool loops;               /* bindings/queue.c */
    struct tide_item items[];
};

/* Pushes a hand of `count` items that stand for no value, with priorities beside them or none. Raises where memory is short. */
struct tide_hand *tide_items_hand(lua_State *L, size_t count, bool priorities);

/* Pushes a hand with the items of the list at `arg`, packed; raises what cannot be sent, nil among it, with its place. */
struct tide_hand *tide_items_of_list(lua_State *L, int arg, bool priorities);

/* The item at argument `arg`, the caller's; the collector is told of its bytes. Raises for nil, and for what cannot be sent. */
struct tide_item tide_items_check(lua_State *L, int arg);

/* Pushes the value of an item and drops the item, whether this raises or not. */
void tide_items_push(lua_State *L, struct tide_item item);

/* Pushes the number, as an integer where it is one. */
void tide_items_push_priority(lua_State *L, double priority);

/* Pushes a list of the first `count` items of a hand, and drops them. */
void tide_items_push_list(lua_State *L, struct tide_hand *hand, size_t count);

void tide_items_open(lua_State *L);

#endif
