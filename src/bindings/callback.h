/* callback.h - a function of the script that something makes run later, in the state that it was made in, uncopied.
 *
 * Used by   onsignal.c, future.c (on_done).
 * Threads   made on its home worker; fired from any thread; runs and dies at home.
 * Rule      it is posted to its home's mailbox when fired, and runs there as a task of its own. A failure is reported on stderr
 *           and makes the exit code 1.
 */
#ifndef TIDE_BINDINGS_CALLBACK_H
#define TIDE_BINDINGS_CALLBACK_H

#include "base/object.h"
#include "bindings/state.h"

struct tide_callback {
    struct tide_mail mail;
    struct tide_worker *home;
    int function;                 /* in home's registry, */
    uint32_t generation;          /* as it was then: state->generation */
    struct tide_object *argument; /* a handle to call it with, counted; or NULL and */
    const char *text;             /* a static text to call it with, or NULL */
    bool again;                   /* stays after it ran. It is not begun any more once the program ends: */
    void (*skipped)(void);        /* home: for each time that it was not; NULL: nothing is to be done then */
    _Atomic uint32_t posted;      /* firings not yet run, and the retirement */
    _Atomic uint32_t retired;
    const char *what;             /* "callback of a future", for reports */
};

/* in: the function on top, popped. Raises on lack of memory. */
struct tide_callback *tide_callback_new(lua_State *L, const char *what);

/* Any thread: has it run once more. `argument`: one reference, taken over. */
void tide_callback_fire(struct tide_callback *callback, struct tide_object *argument);

/* Any thread: one of those that stay is not fired again; it goes, at home, once what was fired has run. */
void tide_callback_retire(struct tide_callback *callback);

/* Main, when no task is left and the states are about to close: frees one that stays. */
void tide_callback_abandon(struct tide_callback *callback);

/* Home: frees one that is not posted. */
void tide_callback_free(struct tide_callback *callback);

#endif
