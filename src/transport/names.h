/* names.h - what travels by name: modules, functions that are members of modules, classes, the standard files.
 *
 * Used by   the encoder (value → name) and the decoder (name → value).
 * Names     "module", "module\0member", "module\0member\0member"; the module "_G" stands for the base's globals.
 * When      a module's members are those at the first message after it was loaded; a C function is also looked for later.
 * Threads   the state's own.
 */
#ifndef TIDE_TRANSPORT_NAMES_H
#define TIDE_TRANSPORT_NAMES_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct tide_transport;

void tide_names_open(lua_State *L, struct tide_transport *t);

/* Looks at modules that were loaded since the last time. Cheap where there are none. */
void tide_names_refresh(lua_State *L, struct tide_transport *t);

/* The name of the function, table or userdata at `index`, which its module still has under that name; NULL if it has none.
 * Lives while the value lives. */
const char *tide_names_find(lua_State *L, struct tide_transport *t, int index, size_t *size);

/* Pushes the value of that name. If its module is not loaded it is required, which may run any code and wait; with
 * `foreign` that is an error. Raises, naming module and member, if there is no such value. out: value */
void tide_names_push(lua_State *L, const struct tide_transport *t, const char *name, size_t size, bool foreign);

/* Whether what stands behind the name can reach or change the environment of who calls it: load, debug and the like. */
bool tide_names_reflects(const char *name, size_t size);

/* Writes a name as people do, "module.member", cut to `room`. */
void tide_names_print(const char *name, size_t size, char *out, size_t room);

#endif
