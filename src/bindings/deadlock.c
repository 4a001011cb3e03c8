/* The report of a total deadlock: every task, what it waits for and where it stands; those that stand alike are grouped. */
#include "base/alloc.h"
#include "bindings/program.h"
#include "bindings/state.h"
#include "sched/graph.h"
#include "sched/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LEVELS = 12, MAX_GROUPS = 50, EXIT_DEADLOCK = 70 };

struct group {
    char *text;
    unsigned count;
};

/* As luaL_traceback, without allocating in a state that is not ours: its thread sleeps and cannot interfere. */
static void trace(lua_State *L, struct tide_strbuf *out)
{
    lua_Debug ar;
    for (int level = 0; level < MAX_LEVELS && lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sln", &ar);
        if (strcmp(ar.what, "C") == 0 && !ar.name)
            continue;
        tide_strbuf_printf(out, "\n        %s:", ar.short_src);
        if (ar.currentline > 0)
            tide_strbuf_printf(out, "%d:", ar.currentline);
        if (*ar.namewhat)
            tide_strbuf_printf(out, " in %s '%s'", ar.namewhat, ar.name);
        else if (*ar.what == 'm')
            tide_strbuf_puts(out, " in main chunk");
        else
            tide_strbuf_printf(out, " in function <%s:%d>", ar.short_src, ar.linedefined);
    }
}

static char *describe(struct tide_task *task)
{
    struct tide_strbuf text = {0}, what = {0};
    char id[32] = "";
    if (task->name) /* others may wait for it by number */
        snprintf(id, sizeof id, " (task %u)", task->id);
    tide_graph_describe(task, &what);
    tide_strbuf_printf(&text, "'%s'%s waits%s%s", tide_task_name(task), id, what.size ? " for " : "", tide_strbuf_text(&what));
    trace(task->inner ? task->inner : task->L, &text);
    tide_strbuf_fini(&what);
    return tide_strbuf_detach(&text);
}

static void add(struct group *groups, size_t *count, unsigned *more, struct tide_task *task)
{
    char *text = describe(task);
    if (!text)
        return;
    for (size_t i = 0; i < *count; i++)
        if (strcmp(groups[i].text, text) == 0) {
            groups[i].count++;
            tide_free(text);
            return;
        }
    if (*count == MAX_GROUPS) {
        ++*more;
        tide_free(text);
        return;
    }
    groups[(*count)++] = (struct group){text, 1};
}

void tide_program_deadlock(struct tide_runtime *runtime)
{
    struct group groups[MAX_GROUPS];
    struct tide_strbuf report = {0};
    size_t count = 0;
    unsigned more = 0;
    for (uint32_t i = 0; i <= atomic_load(&runtime->started); i++)
        tide_list_each (link, &runtime->workers[i]->live)
            add(groups, &count, &more, tide_container(link, struct tide_task, live));
    tide_strbuf_puts(&report, "deadlock: every task waits, and nothing is left that could wake one");
    for (size_t i = 0; i < count; i++) {
        tide_strbuf_printf(&report, "\n    %s", groups[i].text);
        if (groups[i].count > 1)
            tide_strbuf_printf(&report, "\n        (and %u more like it)", groups[i].count - 1);
        tide_free(groups[i].text);
    }
    if (more)
        tide_strbuf_printf(&report, "\n    and %u more", more);
    tide_program_report(tide_strbuf_text(&report));
    tide_strbuf_fini(&report);
    tide_program_force(EXIT_DEADLOCK);
}
