/* jansson.h - libjansson, loaded at first use, and the stretches in which it is called.
 *
 * Used by   json_decode.c, json_encode.c.
 * Threads   any; between _enter and _leave the calling thread has the arena to itself.
 * Memory    between _enter and _leave all that jansson allocates on this thread comes from the arena, and its frees do nothing.
 *           So a tree needs no json_decref: it ends with the arena, also where an error cut its building short. It counts as
 *           memory of the Lua state. In between, nothing that may raise or run Lua code is called.
 * Locale    there it is "C", whatever os.setlocale said: a number has a point.
 */
#ifndef TIDE_BINDINGS_JANSSON_H
#define TIDE_BINDINGS_JANSSON_H

#include "base/library.h"
#include "bindings/arena.h"

#include <jansson.h>
#include <locale.h>
#include <lua.h>

#define TIDE_JANSSON_FUNCTIONS(X)                                                                                           \
    X(json_array) X(json_array_append_new) X(json_array_get) X(json_array_size) X(json_dump_callback) X(json_false)         \
    X(json_get_alloc_funcs) X(json_integer) X(json_integer_value) X(json_loadb) X(json_null) X(json_object)                 \
    X(json_object_iter) X(json_object_iter_key) X(json_object_iter_key_len) X(json_object_iter_next)                        \
    X(json_object_iter_value) X(json_object_seed) X(json_object_setn_new) X(json_object_size) X(json_real)                  \
    X(json_real_value) X(json_set_alloc_funcs) X(json_string_length) X(json_string_value) X(json_stringn) X(json_true)

struct tide_jansson_functions {
    TIDE_JANSSON_FUNCTIONS(TIDE_LIBRARY_MEMBER)
};

extern struct tide_jansson_functions tide_jansson; /* filled by tide_jansson_load */

enum {
    TIDE_JSON_DEPTH = 512,      /* of arrays and objects within one another, unless an option says otherwise */
    TIDE_JSON_DEPTH_MOST = 2000,
    TIDE_JANSSON_DEPTH = 2048,  /* where jansson's parser gives up */
};

/* Loads the library unless it is loaded; raises if there is none. In: -. Out: -. */
void tide_jansson_load(lua_State *L);

struct tide_jansson_stretch {
    struct tide_arena *arena;
    locale_t locale; /* the thread's before */
};

struct tide_jansson_stretch tide_jansson_enter(struct tide_arena *arena);
void tide_jansson_leave(const struct tide_jansson_stretch *stretch);

/* An attempt, counted from 0, ended as the arena failed: gives it back and collects garbage for another one. Raises "not enough
 * memory" when there was one. */
void tide_jansson_starved(lua_State *L, struct tide_arena *arena, int attempt);

/* Whether the C stack has room for a recursion of jansson's or ours that is `depth` levels deep. */
bool tide_jansson_fits(lua_State *L, size_t depth);

#endif
