/* handle.h - userdata that stand for shared objects.
 *
 * Used by   bindings (one class a file), pack.h (an object arrives as the userdata that this state has for it).
 * Threads   the state's own. The objects are shared; a handle holds one reference.
 * Identity  one object has one findable handle in a state: SLOT_HANDLES, by the object's address, weak.
 */
#ifndef TIDE_TRANSPORT_HANDLE_H
#define TIDE_TRANSPORT_HANDLE_H

#include "base/object.h"

#include <lua.h>
#include <stddef.h>

enum { TIDE_HANDLE_KEPT = 1 }; /* the user value of a handle where class->kept: what bindings/kept.h keeps there */

/* Makes the table on top the metatable of the class's handles, registered as class->name. Sets __gc (drops the reference,
 * once), __name, and __metatable, which hides it; the caller has set everything else. in: metatable; out: - */
void tide_handle_class(lua_State *L, const struct tide_class *class);

/* Pushes the handle of `object` in this state; makes one, with a reference of its own, if there is none. Raises only where
 * memory is short. out: userdata */
void tide_handle_push(lua_State *L, struct tide_object *object);

/* Pushes a new handle, with a reference of its own, that tide_handle_push does not find before it was packed or given to
 * tide_handle_register. For objects that mostly stay where they were made: saves the entry in a weak table. Only for an
 * object that has no handle in this state. out: userdata */
void tide_handle_new(lua_State *L, struct tide_object *object);
void tide_handle_register(lua_State *L, int index);

/* The object behind argument `arg`, which has to be a handle of that class: else raises, naming argument and real type. The
 * reference stays the handle's. */
struct tide_object *tide_handle_check(lua_State *L, int arg, const struct tide_class *class);

/* The same for any stack index, without raising: NULL if it is none. With class NULL, any class will do. */
struct tide_object *tide_handle_test(lua_State *L, int index, const struct tide_class *class);

/* Tells the state's collector of `bytes` that a handle keeps alive outside the state. */
void tide_handle_charge(lua_State *L, size_t bytes);

#endif
