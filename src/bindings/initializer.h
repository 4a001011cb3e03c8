/* initializer.h - an executor's initializer, run once in each state before the first of its tasks there.
 *
 * Registry  &layers -> { [epoch] = the environment it left, over which the tasks' own stand, or the event that its run
 *           will set }.
 */
#ifndef TIDE_BINDINGS_INITIALIZER_H
#define TIDE_BINDINGS_INITIALIZER_H

#include "sync/future.h"

#include <lua.h>
#include <stdbool.h>

/* In the base function of a task that runs `future`, whose stack holds one value. True: what is decoded from now on stands on
 * the right layer; go on. False: the initializer has to run, or runs; return *result, and `base` is called anew after it. */
bool tide_initializer_ready(lua_State *L, struct tide_future *future, lua_CFunction base, int *result);

void tide_initializer_open(lua_State *L);

#endif
