#include "bindings/warning.h"

#include "bindings/state.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static _Atomic uint32_t on; /* for all states: who turns warnings on wants to see those of the workers */

/* "@on" and "@off" are the controls that the manual names; others are ignored. */
static void control(const char *text)
{
    if (strcmp(text, "@on") == 0)
        atomic_store(&on, 1);
    else if (strcmp(text, "@off") == 0)
        atomic_store(&on, 0);
}

/* Pieces come until `more` is 0: then the line is written at once, so that no other mixes with it. */
static void warn(void *arg, const char *text, int more)
{
    struct tide_state *state = arg;
    bool first = !state->warning_goes_on;
    state->warning_goes_on = more;
    if (first && !more && text[0] == '@') {
        control(text);
        return;
    }
    if (!atomic_load_explicit(&on, memory_order_relaxed))
        return;
    tide_strbuf_printf(&state->warning, "%s%s%s", first ? "Lua warning: " : "", text, more ? "" : "\n");
    if (!more) {
        fputs(tide_strbuf_text(&state->warning), stderr);
        tide_strbuf_clear(&state->warning);
    }
}

void tide_warning_open(lua_State *L)
{
    lua_setwarnf(L, warn, tide_state_of(L));
}
