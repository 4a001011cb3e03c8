/* bind.h - what every binding needs: classes, option tables, the three outcomes.
 *
 * Outcomes  misuse raises (luaL_arg*, tide_bind_option*); a time-out that the caller asked for is `false` or nil, "timeout"
 *           (tide_bind_timed_out); a failure of the outside world is nil, err.
 */
#ifndef TIDE_BINDINGS_BIND_H
#define TIDE_BINDINGS_BIND_H

#include "base/object.h"
#include "bindings/await.h"
#include "bindings/errors.h"
#include "bindings/state.h"
#include "transport/handle.h"

#include <stdbool.h>

/* Registers the handles of a class: methods under __index, metamethods beside; each list may be NULL. The methods become a
 * member of the core module as well: so they travel by name, as in submit(event.wait, event). in: core; out: core */
void tide_bind_class(lua_State *L, const struct tide_class *class, const luaL_Reg *methods, const luaL_Reg *meta);

/* Registers a class of userdata that no script sees, for luaL_setmetatable: `gc` lets go of what one of them holds. */
void tide_bind_hidden_class(lua_State *L, const char *name, lua_CFunction gc);

/* Pushes the handle of a fresh object and drops the maker's reference to it; NULL raises "not enough memory". Returns 1. */
int tide_bind_new(lua_State *L, struct tide_object *object);

/* The table of options at `arg`: absent or nil counts as empty (false is returned); anything but a table, and a key that is
 * not in `keys` (ended by NULL), is an argument error that names it. */
bool tide_bind_options(lua_State *L, int arg, const char *const keys[]);

/* Options of the table at `arg`, which tide_bind_options accepted; with their defaults where they are absent. An argument error
 * names the key and the type or range. */
lua_Integer tide_bind_integer(lua_State *L, int arg, const char *key, lua_Integer least, lua_Integer most, lua_Integer absent);
bool tide_bind_boolean(lua_State *L, int arg, const char *key, bool absent);
const char *tide_bind_string(lua_State *L, int arg, const char *key, const char *absent);
lua_Number tide_bind_seconds(lua_State *L, int arg, const char *key); /* absent: infinity */
int64_t tide_bind_deadline(lua_State *L, int arg, const char *key);
/* The index of the string in `names`, which NULL ends. */
int tide_bind_choice(lua_State *L, int arg, const char *key, const char *const names[], int absent);

/* Pushes the function under `key`; false (nothing pushed) where it is absent. */
bool tide_bind_function(lua_State *L, int arg, const char *key);

/* The path at `arg`: a string without zero bytes, else an argument error. */
const char *tide_bind_path(lua_State *L, int arg);

/* Pushes nil and the error that tide_errors_push_failure makes; returns 2. */
int tide_bind_failed(lua_State *L, const char *deed, const char *path, int code, const char *why);

/* Pushes nil, "timeout"; returns 2. */
int tide_bind_timed_out(lua_State *L);

/* Raises {kind = "timeout", message = ...} as an error that reads well. */
int tide_bind_raise_timeout(lua_State *L, const char *message);

#endif
