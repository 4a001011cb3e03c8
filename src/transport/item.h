/* item.h - values into the items of containers and back.
 *
 * Used by   bindings of queues, dictionaries and whatever hands one value from task to task.
 * Threads   the state's own; inside lua_resume or a pcall.
 * Cost      numbers, booleans and handles allocate nothing; a string is one block; the rest is a parcel (pack.h).
 */
#ifndef TIDE_TRANSPORT_ITEM_H
#define TIDE_TRANSPORT_ITEM_H

#include "base/item.h"

#include <lua.h>

/* The value at `index`, nil as no value. The caller owns it. Raises a refusal that calls it `noun` ("item") and names the
 * way to what cannot be sent, or lack of memory. */
struct tide_item tide_pack_item(lua_State *L, int index, const char *noun);

/* Pushes the value, nil for none; the item stays the caller's. Raises as tide_unpack, and like it may wait. */
void tide_unpack_item(lua_State *L, const struct tide_item *item);

#endif
