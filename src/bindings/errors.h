/* errors.h - error values that say what kind they are: { kind = "timeout", message = "…" }, with a __tostring.
 *
 * All have one metatable, which is the member `error_class` of the module tidemill.core; so they travel by that name and arrive
 * as what they were.
 */
#ifndef TIDE_BINDINGS_ERRORS_H
#define TIDE_BINDINGS_ERRORS_H

#include <lua.h>

/* Makes the class. In: -. Out: -. */
void tide_errors_open(lua_State *L);

/* Pushes the class, a metatable. */
void tide_errors_push_class(lua_State *L);

/* in: the message on top, a string. out: the error value in its place. */
void tide_errors_make(lua_State *L, const char *kind);

/* Pushes the text of the error value at `index`, for a report, and returns it: what its __tostring says; of another table its
 * `kind` and `message`. Runs that __tostring, which may raise. */
const char *tide_errors_text(lua_State *L, int index);

/* Pushes the error of a system call that failed with `code` of errno: { kind = "not_found" or another of a few, by the code;
 * message = "cannot <deed> '<path>': <why>"; errno = code; path = path }. `why` NULL: what the system says to the code. */
void tide_errors_push_failure(lua_State *L, const char *deed, const char *path, int code, const char *why);

#endif
