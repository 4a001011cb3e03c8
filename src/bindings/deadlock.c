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
    const char *name; /* of its tasks */
    bool numbered;
    unsigned first;   /* task's number, by which others may wait for it */
    unsigned more;
    char *text;       /* what they wait for and where */
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
    tide_graph_describe(task, &what);
    tide_strbuf_printf(&text, "waits%s%s", what.size ? " for " : "", tide_strbuf_text(&what));
    trace(task->inner ? task->inner : task->L, &text);
    tide_strbuf_fini(&what);
    return tide_strbuf_detach(&text);
}

/* A name without the number in "Thread-7 (fetch)": threads that were given none are told of by what they run. */
static const char *unnumbered(const char *name)
{
    enum { LENGTH = sizeof "Thread-" - 1 };
    return strncmp(name, "Thread-", LENGTH) == 0 ? name + LENGTH + strspn(name + LENGTH, "0123456789") : name;
}

static void add(struct group *groups, size_t *count, unsigned *left_out, struct tide_task *task)
{
    const char *name = tide_task_name(task);
    char *text = describe(task);
    if (!text)
        return;
    for (size_t i = 0; i < *count; i++)
        if (strcmp(groups[i].text, text) == 0 && strcmp(unnumbered(groups[i].name), unnumbered(name)) == 0) {
            groups[i].more++;
            tide_free(text);
            return;
        }
    if (*count == MAX_GROUPS) {
        ++*left_out;
        tide_free(text);
        return;
    }
    groups[(*count)++] = (struct group){.name = name, .numbered = task->name, .first = task->id, .text = text};
}

static void print(struct tide_strbuf *out, const struct group *g)
{
    tide_strbuf_printf(out, "\n    '%s'", g->name);
    if (g->numbered && g->more)
        tide_strbuf_printf(out, " (task %u and %u more like it)", g->first, g->more);
    else if (g->numbered)
        tide_strbuf_printf(out, " (task %u)", g->first);
    tide_strbuf_printf(out, " %s", g->text);
}

void tide_program_deadlock(struct tide_runtime *runtime)
{
    struct group groups[MAX_GROUPS];
    struct tide_strbuf report = {0};
    size_t count = 0;
    unsigned left_out = 0;
    if (tide_program_closing()) /* told already, or ending for another reason: closers that wait have the grace */
        return;
    for (uint32_t i = 0; i <= atomic_load(&runtime->started); i++)
        tide_list_each (link, &runtime->workers[i]->live)
            add(groups, &count, &left_out, tide_container(link, struct tide_task, live));
    tide_strbuf_puts(&report, "deadlock: every task waits, and nothing is left that could wake one");
    for (size_t i = 0; i < count; i++) {
        print(&report, &groups[i]);
        tide_free(groups[i].text);
    }
    if (left_out)
        tide_strbuf_printf(&report, "\n    and %u more", left_out);
    if (runtime->baton && runtime->baton->manual)
        tide_strbuf_puts(&report, "\n    the clock is moved by hand (tm.testing.manual), and nobody moves it "
                                  "(tm.testing.advance)");
    tide_program_report(tide_strbuf_text(&report));
    tide_strbuf_fini(&report);
    tide_program_force(EXIT_DEADLOCK);
}
