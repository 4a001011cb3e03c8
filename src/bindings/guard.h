/* guard.h - what `guard()` of a lock or semaphore gives: a value for `<close>` that gives back, once, what was taken with it.
 *
 *     tide_guard_push(L, &class, object)      first, empty: it allocates, so that nothing raises later
 *     ...take it, which may wait...
 *     tide_guard_hold(L, index)               from here on the guard has it
 *
 * `g:release()` gives back before the block ends; the closing that follows does nothing. A second release, and a second
 * closing, are errors. A guard stays in its state: it cannot be sent.
 *
 * Used by   bindings of objects that are taken and given back.
 * Threads   the state's own.
 * Owns      one reference of its object, until it is collected.
 */
#ifndef TIDE_BINDINGS_GUARD_H
#define TIDE_BINDINGS_GUARD_H

#include "base/object.h"

#include <lua.h>

struct tide_guard_class {
    const char *name; /* of the metatable: "tidemill.semaphore_guard" */
    const char *noun; /* for messages: "semaphore" */
    /* Gives back what was taken. May raise (the lock of another task): it counts as released all the same. May not wait. */
    void (*release)(lua_State *L, struct tide_object *object);
    /* The guard was collected while it held: gives back without a word. NULL: nothing is done, as the end of the task that took
     * it sees to it. */
    void (*drop)(struct tide_object *object);
};

/* Registers the class. In: -. Out: -. */
void tide_guard_open(lua_State *L, const struct tide_guard_class *class);

/* Pushes a guard that holds nothing yet. Raises lack of memory. out: guard */
void tide_guard_push(lua_State *L, const struct tide_guard_class *class, struct tide_object *object);

/* What the guard at `index` stands for was taken. Cannot raise. */
void tide_guard_hold(lua_State *L, int index);

/* The object of the guard at `index`, which is known to be one. */
struct tide_object *tide_guard_object(lua_State *L, int index);

/* The second half of `with(fn, ...)`. Stack: 1 a guard that holds, 2 the function, then its arguments. Calls it and returns its
 * results, as `return tide_guard_call(L)`; gives back whatever ends it: a return, an error, a cancellation, coroutine.close. */
int tide_guard_call(lua_State *L);

#endif
