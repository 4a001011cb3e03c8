#include "bindings/warning.h"

#include "bindings/state.h"

#include <stdio.h>
#include <string.h>

/* "@on" and "@off" are the controls that the manual names; others are ignored. */
static void control(struct tide_state *state, const char *text)
{
    if (strcmp(text, "@on") == 0)
        state->warns = true;
    else if (strcmp(text, "@off") == 0)
        state->warns = false;
}

/* Pieces come until `more` is 0: then the line is written at once, so that no other mixes with it. */
static void warn(void *arg, const char *text, int more)
{
    struct tide_state *state = arg;
    bool first = !state->warning_goes_on;
    state->warning_goes_on = more;
    if (first && !more && text[0] == '@') {
        control(state, text);
        return;
    }
    if (!state->warns)
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
