/* json.h - what the files of tm.json share.
 *
 * Used by   json.c, json_decode.c, json_encode.c.
 * Threads   a state's own.
 */
#ifndef TIDE_BINDINGS_JSON_H
#define TIDE_BINDINGS_JSON_H

#include <lua.h>

/* The address that stands for null; as light userdata it is the same value in every state. */
extern const char tide_json_null;

/* Pushes the metatable of arrays, tm.json.array_mt. In: -. Out: table. */
void tide_json_push_array_class(lua_State *L);

/* json.decode and json.encode: lua_CFunctions. */
int tide_json_decode(lua_State *L);
int tide_json_encode(lua_State *L);

#endif
