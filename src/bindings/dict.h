/* dict.h - what the two files of tm.dict share: dict.c (the class), dict_update.c (what waits for a key). */
#ifndef TIDE_BINDINGS_DICT_H
#define TIDE_BINDINGS_DICT_H

#include "bindings/bind.h"
#include "sync/dict_lock.h"

struct tide_dict *tide_dict_check(lua_State *L, int arg);

/* The value at `index` as a key, which the stack keeps. False: it cannot be one. Raises only lack of memory. */
bool tide_dict_to_key(lua_State *L, int index, struct tide_dict_key *key);

/* The same for an argument; raises if it cannot be one. */
struct tide_dict_key tide_dict_check_key(lua_State *L, int arg);

/* A place for what must not be lost if something raises: pushed empty, lets go of all in the end. Its __close does so, too. */
struct tide_dict_guard {
    struct tide_dict_hold hold;
    struct tide_item item;
};

struct tide_dict_guard *tide_dict_push_guard(lua_State *L);

/* Tells the collector about a value that was stored; `added`: under a key that is new. */
void tide_dict_charge(lua_State *L, size_t bytes, bool added);

/* Raises that key `index` is no number, as `value` tells, which it drops. */
int tide_dict_not_a_number(lua_State *L, int index, struct tide_item *value);

/* The methods that change a key, where it is locked: they wait for it, then do what they are named for. Arguments: as the
 * method got them. */
enum tide_dict_deed {
    TIDE_DICT_SET,
    TIDE_DICT_POP,
    TIDE_DICT_SETDEFAULT,
    TIDE_DICT_ADD,
    TIDE_DICT_UPDATE,
    TIDE_DICT_GET_OR_SET,
};
int tide_dict_locked(lua_State *L, enum tide_dict_deed deed);

/* dict:update, dict:get_or_set */
int tide_dict_update(lua_State *L);
int tide_dict_get_or_set(lua_State *L);

/* Pushes the value of the key; false, and nothing, where it is absent. */
bool tide_dict_push_value(lua_State *L, struct tide_dict *dict, const struct tide_dict_key *key);

/* Raises lack of memory. */
int tide_dict_no_memory(lua_State *L);

#endif
