/* env.h - the environments of functions that arrived, and the layers below them.
 *
 * Used by   bindings (which layer a task stands on, what load and dofile use), pack.h.
 * Threads   the state's own.
 *
 *   environment of one message   { user's globals that were sent, standard ones that it names, _G = itself }
 *     __index → layer            the state's base, or the environment of an executor's initializer,
 *       __index → base           whose own metatable leads to the base
 *
 * One environment for each message, shared by all its functions. An environment is recognised by its metatable; one that
 * code can get hold of, and whose metatable it may change, is also listed in SLOT_ENVS.
 */
#ifndef TIDE_TRANSPORT_ENV_H
#define TIDE_TRANSPORT_ENV_H

#include <lua.h>
#include <stdbool.h>

struct tide_transport;

/* What stands below the environments that are decoded from now on: the table at `index`, or the base where that is nil.
 * Nearly free where it is the present one. A function that was kept is found again only for the same layer. */
void tide_env_set_layer(lua_State *L, int index);

/* Pushes the environment of the function at `index`: the value of its upvalue that is one (or the base's globals), nil if
 * it has none. out: table or nil */
void tide_env_of(lua_State *L, int index);

/* Pushes the environment that the message of the function at `index` brought: that of the function, or of one that it
 * captured; a new one over the present layer where there is none. out: table */
void tide_env_of_message(lua_State *L, int index);

/* Pushes the environment of the innermost Lua function on L's stack that has one, else the base's globals. out: table */
void tide_env_current(lua_State *L);

/* ---- for transport ---- */

void tide_env_open(lua_State *L, struct tide_transport *t);

/* out: a new environment with room for `entries` globals */
void tide_env_push_new(lua_State *L, const struct tide_transport *t, int entries);

/* The environment at `index` is within reach of code as a value: remembers it. */
void tide_env_expose(lua_State *L, const struct tide_transport *t, int index);

/* Makes the environment at `index` complete: what is below it is copied in, and its metatable is its own. For code that
 * looks at the environment as a table. */
void tide_env_complete(lua_State *L, const struct tide_transport *t, int index);

/* in: - out: the standard global `name` if the present layer leaves it as it was, else nil */
void tide_env_push_standard(lua_State *L, const struct tide_transport *t, const char *name, size_t size);

/* Whether the value at `index` is the base's globals or an environment. `upvalue` is its name if it is an upvalue's: without
 * a metatable, a table is taken for one only behind the name _ENV. */
bool tide_env_is(lua_State *L, const struct tide_transport *t, int index, const char *upvalue);

/* in: name (string) on top; out: in its place, its value as a global of the environment at `index`, without metamethods */
void tide_env_lookup(lua_State *L, int index);

/* Whether the value at `value` is what the base had under the string at `name`. */
bool tide_env_is_standard(lua_State *L, const struct tide_transport *t, int name, int value);

#endif
