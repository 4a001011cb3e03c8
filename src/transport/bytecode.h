/* bytecode.h - the one reader of Lua's own bytecode: which globals a dumped function names, and what it assigns.
 *
 * Used by   encode_function.c.
 * Format    that of lua_dump of Lua 5.4, whose header is checked first; tide_bytecode_prove tries it on a known function when
 *           a state is opened. Every read is bounded; nothing is changed.
 * Threads   any; the result's buffers belong to the caller.
 */
#ifndef TIDE_TRANSPORT_BYTECODE_H
#define TIDE_TRANSPORT_BYTECODE_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TIDE_UPVALUES_MAX = 256 };

struct tide_bytecode_name {
    const char *text;       /* in the dump */
    uint32_t size;
    bool certain;           /* read as a global; else a string that may be used as a name, since the environment is a value */
};

struct tide_bytecode {
    /* set by the caller */
    bool is_env[TIDE_UPVALUES_MAX];     /* upvalues that hold the environment */

    /* result */
    struct tide_bytecode_name *names;   /* in order of occurrence, repeated */
    uint32_t name_count, name_room;
    bool assigns;           /* it or a function in it assigns an upvalue of the dumped function, other than below */
    bool sets_globals;      /* assigns a global, or the variable that holds the environment */
    bool leaks;             /* uses the environment as a value: keeps it, passes it on, indexes it with a computed name */

    struct tide_bytecode_name *constants; /* scratch */
    uint32_t constant_room;
};

void tide_bytecode_fini(struct tide_bytecode *b);

/* Fills the result. 0; TIDE_ENOMEM; TIDE_ECORRUPT where the bytes are not a dump of this Lua. */
int tide_bytecode_scan(struct tide_bytecode *b, const void *dump, size_t size);

/* Raises if this Lua's bytecode is not what tide_bytecode_scan takes it for. */
void tide_bytecode_prove(lua_State *L);

#endif
