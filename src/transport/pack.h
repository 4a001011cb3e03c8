/* pack.h - values into parcels and back.
 *
 * Used by   bindings: arguments, results, errors, what goes into queues and dictionaries.
 * Threads   the state's own; inside lua_resume or a pcall, as anything here may raise lack of memory.
 * Rules     docs/values.md says what travels how. Each call to tide_pack makes one message: references shared within it, and
 *           cycles, are kept. Metamethods are never called.
 */
#ifndef TIDE_TRANSPORT_PACK_H
#define TIDE_TRANSPORT_PACK_H

#include "transport/parcel.h"

#include <lua.h>

/* The `count` values from stack index `first` on, as one message. Never NULL; the caller owns the reference. Raises a refusal
 * that names the way to the value ("cannot send field 'a.b[3]' of argument 2 …"), or lack of memory. */
struct tide_parcel *tide_pack(lua_State *L, int first, int count);

/* The same without raising a refusal. 0 and *out; or TIDE_EREFUSED or TIDE_ENOMEM with the message pushed. `noun` is what it
 * calls the values: "argument", "result", "error". Lua's own lack of memory is still raised. */
int tide_pack_values(lua_State *L, int first, int count, const char *noun, struct tide_parcel **out);
int tide_pack_try(lua_State *L, int first, int count, struct tide_parcel **out); /* "argument" */

/* Pushes the values of a parcel, which the caller keeps; returns how many. Raises "corrupt message", what `require` of a
 * module raised, or lack of memory. May run Lua code and wait, if a module has to be loaded. */
int tide_unpack(lua_State *L, struct tide_parcel *p);

/* The function at `index`, ready to be run elsewhere. The caller owns the reference. One that was sent before, and whose
 * captured values and named globals are still the same, is not encoded again. Raises as tide_pack. */
struct tide_code *tide_pack_function(lua_State *L, int index);

/* Pushes the function of a code, over the present layer (env.h): the one that this state already has if nobody can tell,
 * else a new one. Raises as tide_unpack. */
void tide_unpack_function(lua_State *L, struct tide_code *code);

/* ---- streams: many messages of one value each in one parcel ---- */

/* Opens an empty stream for this coroutine; one that was left open is dropped. */
void tide_packer_begin(lua_State *L);

/* Adds the value at `index` as a message of its own. Raises as tide_pack; the stream is then as before. */
void tide_packer_add(lua_State *L, int index);

/* The same without raising a refusal: as tide_pack_values. */
int tide_packer_try(lua_State *L, int index, const char *noun);

/* Bytes so far. */
size_t tide_packer_size(lua_State *L);

/* Closes the stream. The caller owns the parcel. */
struct tide_parcel *tide_packer_finish(lua_State *L);

/* A place in a parcel. Each reader has its own; the parcel is held by whoever holds the cursor. */
struct tide_cursor {
    struct tide_parcel *parcel;
    size_t at;                  /* 0: the beginning */
};

/* Pushes the next value: 1, or 0 (and nothing) at the end. For parcels of streams, and those of tide_pack that hold one value
 * or none with identity; raises as tide_unpack. */
int tide_cursor_next(lua_State *L, struct tide_cursor *cursor);

#endif
