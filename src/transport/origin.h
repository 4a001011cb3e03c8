/* origin.h - where in a script a travelling function comes from: its name for reports, how often it ran, what was warned of.
 *
 * Used by   code.c, captures.c. One record for each function of a script
 *           (source, line, bytecode), however often its closure is made anew.
 * Threads   any. Records are never freed; beyond a few thousand, all further functions share one without a name.
 * Lock      a static one, rank 90; nothing is called under it but malloc.
 */
#ifndef TIDE_TRANSPORT_ORIGIN_H
#define TIDE_TRANSPORT_ORIGIN_H

#include <lua.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tide_origin {
    struct tide_origin *next;       /* in its bucket; fixed once published */
    uint64_t hash;                  /* of source, line and bytecode; fixed, as all but the last two */
    int line;                       /* where the function begins */
    bool shared;                    /* the one beyond the limit: never warns */
    _Atomic unsigned runs;          /* looked at by captures.c */
    _Atomic bool warned;
    char text[];                    /* source, NUL, "source:line", NUL, name, NUL */
};

/* The record of the function at `index`. `known` is its name if it travels by name, else NULL; `code` is its bytecode then.
 * NULL: out of memory. */
struct tide_origin *tide_origin_of(lua_State *L, int index, const char *known, const void *code, size_t size);

/* "fetch (script.lua:12)", "function at script.lua:12". */
const char *tide_origin_name(const struct tide_origin *origin);

/* "script.lua:12". */
const char *tide_origin_place(const struct tide_origin *origin);

/* The name of the variable that holds the function at `index`: a local or upvalue of the script's function that called us,
 * else a global. False if it has none. Writes at most `size` bytes. */
bool tide_origin_variable(lua_State *L, int index, char *name, size_t size);

#endif
