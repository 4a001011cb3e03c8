/* captures.h - notices that a task changed its copy of what it captured.
 *
 * Used by   bindings, when a task has ended.
 * How       the code is decoded once more, and the two are compared. Looked at are the first run of a function and one in 64
 *           (all with --strict); told is once for each function of the script in the process (each time with --strict).
 * Threads   the state's own; may raise lack of memory.
 */
#ifndef TIDE_TRANSPORT_CAPTURES_H
#define TIDE_TRANSPORT_CAPTURES_H

#include "transport/parcel.h"

#include <lua.h>

/* Whether there is anything that a run can change; if not, the function need not be kept for the check. */
static inline bool tide_code_watched(const struct tide_code *code)
{
    return code->watched;
}

/* The function at `index` was made by tide_unpack_function from `code`, and was run. 1, with a message pushed, if a captured
 * local or table of it is not what was sent and nobody was told yet; else 0, and nothing is pushed. A few nanoseconds where
 * nothing can change. */
int tide_captures_check(lua_State *L, int index, struct tide_code *code);

#endif
