/* executor.h - executors as the other bindings see them. */
#ifndef TIDE_BINDINGS_EXECUTOR_H
#define TIDE_BINDINGS_EXECUTOR_H

#include "exec/executor.h"

#include <lua.h>

/* The executor at argument `arg`, else an argument error. */
struct tide_executor *tide_executor_check(lua_State *L, int arg);

/* Raises why it takes nothing more. */
int tide_executor_refused(lua_State *L, struct tide_executor *executor);

/* executor:map, in map.c */
int tide_map_method(lua_State *L);

#endif
