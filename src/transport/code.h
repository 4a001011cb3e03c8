/* code.h - functions made ready to travel, and kept: what pack.h says of tide_pack_function and tide_unpack_function.
 * Internal to transport. */
#ifndef TIDE_TRANSPORT_CODE_H
#define TIDE_TRANSPORT_CODE_H

#include <lua.h>

struct tide_transport;
struct tide_code;

void tide_code_open(lua_State *L, struct tide_transport *t);

/* A new function from the code, whether or not this state has one. out: function */
void tide_code_decode(lua_State *L, const struct tide_code *code);

#endif
