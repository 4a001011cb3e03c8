#include "bindings/program.h"

#include "base/error.h"
#include "base/time.h"
#include "bindings/call.h"
#include "bindings/closing.h"
#include "bindings/errors.h"
#include "bindings/excepthook.h"
#include "bindings/hooks.h"
#include "bindings/onsignal.h"
#include "bindings/paths.h"
#include "bindings/protect.h"
#include "bindings/state.h"
#include "bindings/thread.h"
#include "reactor/reactor.h"
#include "sched/clock.h"
#include "sched/runtime.h"
#include "sched/signals.h"
#include "sync/future.h"
#include "sync/holder.h"
#include "transport/pack.h"
#include "transport/transport.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    EXIT_TIMEOUT = 124,
    VIRTUAL_WORKERS = 4, /* on every machine, so that a seed gives the same run on all */
};

static struct {
    const struct tide_program *options;
    struct tide_runtime runtime;
    bool main_ended;               /* main thread */
    bool main_failed;
    bool not_loaded;               /* what main failed by is no error of code that ran: no traceback */
    _Atomic uint32_t failures;     /* that nobody read */
    _Atomic int forced_code;       /* os.exit, a signal, a limit: -1 none */
} program = {.forced_code = -1};

bool tide_program_strict(void)
{
    return program.options && program.options->strict;
}

bool tide_program_closing(void)
{
    return atomic_load_explicit(&program.runtime.closing, memory_order_relaxed) != 0;
}

void tide_program_failed(void)
{
    atomic_fetch_add(&program.failures, 1);
}

void tide_program_report(const char *text)
{
    struct tide_strbuf line = {0};
    tide_strbuf_printf(&line, "tidemill: %s\n", text);
    fflush(stdout); /* so that both appear in the order they were made where they go to one place */
    fputs(line.failed ? "tidemill: a report was lost: not enough memory\n" : line.data, stderr);
    tide_strbuf_fini(&line);
}

void tide_program_warn(lua_State *L, int index)
{
    if (!program.options->quiet)
        tide_program_report(lua_tostring(L, index));
}

static void force_code(int code)
{
    int none = -1;
    atomic_compare_exchange_strong(&program.forced_code, &none, code);
}

void tide_program_force(int code)
{
    force_code(code);
    tide_runtime_shutdown(&program.runtime, code);
}

/* ---- failures that nobody read ---- */

struct unread {
    struct tide_future *future;
    const char *sort, *fate; /* "task", " failed and …" */
};

/* The run is being ended, and the code was told so by what it waited for: that is no failure of its own. in, out: the error */
static bool ended_with_the_run(lua_State *L)
{
    bool cancelled = false;
    if (tide_program_closing() && lua_istable(L, -1)) {
        lua_getfield(L, -1, "kind");
        const char *kind = lua_tostring(L, -1);
        cancelled = kind && strcmp(kind, "cancelled") == 0;
        lua_pop(L, 1);
    }
    return cancelled;
}

/* in: light struct unread. Reports it with the text of its error value, if it has one. */
static int report_unread(lua_State *L)
{
    struct unread *unread = lua_touserdata(L, 1);
    struct tide_future *future = unread->future;
    struct tide_strbuf text = {0};
    if (future->result && tide_unpack(L, (struct tide_parcel *)(void *)future->result) > 0) {
        if (ended_with_the_run(L))
            return 0;
        tide_strbuf_puts(&text, tide_errors_text(L, 2));
    }
    tide_strbuf_printf(&text, "%s%s", text.size && future->error ? "\n" : "", future->error ? future->error : "");
    struct tide_strbuf report = {0};
    tide_strbuf_printf(&report, "%s '%s'%s: %s", unread->sort, future->name ? future->name : "?", unread->fate,
                       tide_strbuf_text(&text));
    tide_program_failed();
    tide_program_report(tide_strbuf_text(&report));
    tide_strbuf_fini(&report);
    tide_strbuf_fini(&text);
    return 0;
}

static void report_failure(struct unread *unread)
{
    struct tide_worker *worker = tide_worker_current();
    struct tide_state *state = worker ? worker->state : NULL;
    if (state && state->L && tide_state_protect(state, report_unread, unread) == LUA_OK)
        return;
    if (state && state->L)
        lua_pop(state->L, 1);
    struct tide_strbuf text = {0};
    tide_strbuf_printf(&text, "a %s%s", unread->sort, unread->fate);
    tide_program_failed();
    tide_program_report(tide_strbuf_text(&text));
    tide_strbuf_fini(&text);
}

void tide_program_thread_failed(struct tide_future *future)
{
    report_failure(&(struct unread){future, "thread", " failed"});
}

void tide_program_unobserved(struct tide_future *future)
{
    if (tide_thread_of(future))
        tide_program_thread_failed(future);
    else
        report_failure(&(struct unread){future, "task", " failed and nobody asked for its result"});
}

/* ---- the main chunk ----
 * Stack of main's base frame: 1 nothing (light), 2 the message handler, then what runs. */

static void create_arg(lua_State *L)
{
    const struct tide_program *p = program.options;
    lua_createtable(L, p->argc, p->script_index + 1);
    for (int i = 0; i < p->argc; i++) {
        lua_pushstring(L, p->argv[i]);
        lua_rawseti(L, -2, i - p->script_index);
    }
    lua_setglobal(L, "arg");
}

static void require_library(lua_State *L, const char *text)
{
    const char *equals = strchr(text, '=');
    lua_getglobal(L, "require");
    lua_pushstring(L, equals ? equals + 1 : text);
    lua_call(L, 1, 1);
    if (equals)
        lua_pushlstring(L, text, (size_t)(equals - text));
    else
        lua_pushstring(L, text);
    lua_insert(L, -2);
    lua_pushglobaltable(L);
    lua_insert(L, -3);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

static int load_library(lua_State *L)
{
    require_library(L, lua_touserdata(L, lua_upvalueindex(1)));
    return 0;
}

static void must_load(lua_State *L, int status)
{
    program.not_loaded = status != LUA_OK;
    if (program.not_loaded)
        lua_error(L);
}

/* Pushes part `i` of the program and its arguments; the number of arguments, or -1 behind the last. Raises. */
static int push_part(lua_State *L, size_t i)
{
    const struct tide_program *p = program.options;
    if (i < p->chunk_count) {
        const struct tide_program_chunk *chunk = &p->chunks[i];
        if (!chunk->code) {
            lua_pushlightuserdata(L, (void *)(uintptr_t)chunk->library);
            lua_pushcclosure(L, load_library, 1);
        } else {
            must_load(L, luaL_loadbuffer(L, chunk->code, strlen(chunk->code), "=(command line)"));
        }
        return 0;
    }
    if (i > p->chunk_count || (!p->script && !p->from_stdin))
        return -1;
    must_load(L, luaL_loadfile(L, p->script));
    int count = p->script_index ? p->argc - p->script_index - 1 : 0;
    luaL_checkstack(L, count + 3, "too many arguments to script");
    for (int k = 0; k < count; k++)
        lua_pushstring(L, p->argv[p->script_index + 1 + k]);
    return count;
}

static int parts(lua_State *L, size_t i);

static int next_part(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    lua_settop(L, 0);
    return parts(L, (size_t)context);
}

static int parts(lua_State *L, size_t i)
{
    for (;; i++) {
        int count = push_part(L, i);
        if (count < 0)
            return 0;
        lua_callk(L, count, 0, (lua_KContext)(i + 1), next_part);
    }
}

static int all_parts(lua_State *L)
{
    return parts(L, 0);
}

static void report_main(lua_State *L)
{
    struct tide_state *state = tide_state_of(L);
    struct tide_strbuf text = {0};
    tide_strbuf_puts(&text, tide_errors_text(L, -1));
    if (state->trace.size && !program.not_loaded)
        tide_strbuf_printf(&text, "\n%s", state->trace.data);
    tide_program_report(tide_strbuf_text(&text));
    tide_strbuf_fini(&text);
}

static int main_finish(lua_State *L, int status, lua_KContext context)
{
    struct tide_task *task = tide_task_of(L);
    (void)context;
    if (task->unwinding == &task->root) {
        program.main_failed = true;
        return 0;
    }
    if (status != LUA_OK && status != LUA_YIELD) {
        program.main_failed = true;
        tide_state_of(L)->memory.reserve = true;
        if (!ended_with_the_run(L))
            report_main(L);
        tide_state_of(L)->memory.reserve = false;
    }
    return 0;
}

static int main_run(lua_State *L)
{
    create_arg(L);
    lua_pushcfunction(L, tide_call_traceback);
    lua_pushcfunction(L, all_parts);
    int status = lua_pcallk(L, 0, 0, 2, 0, main_finish);
    return main_finish(L, status, 0);
}

static void main_ended(struct tide_task *task, void *subject, int status)
{
    (void)subject;
    program.main_ended = true;
    tide_thread_main_ended();
    if (status != LUA_OK) {
        program.main_failed = true;
        const char *text = lua_tostring(task->L, -1);
        tide_program_report(text ? text : "main ended by an error that is no string");
    }
}

/* ---- what the engine asks for ---- */

static void handle_signals(struct tide_runtime *runtime, uint64_t pending)
{
    uint64_t fatal = pending & tide_signals_fatal();
    if (pending >> 63) {
        char text[96];
        snprintf(text, sizeof text, "the time limit of %.6g s is over (--timeout)",
                 (double)runtime->options.timeout_ns * 1e-9);
        tide_program_report(text);
        tide_program_force(EXIT_TIMEOUT);
    }
    if (fatal) {
        tide_program_force(128 + __builtin_ctzll(fatal) + 1);
    }
    tide_onsignal_dispatch(pending & ~tide_signals_fatal() & ~((uint64_t)1 << 63));
}

static void raise_due(lua_State *L, struct tide_cancel *scope)
{
    tide_cancel_raise(L, scope);
}

static const struct tide_engine engine = {
    .open = tide_state_open,
    .close = tide_state_close,
    .ended = tide_call_ended,
    .tend = tide_state_tend,
    .holds = tide_closing_holds,
    .raise = raise_due,
    .restore_hook = tide_hooks_restore,
    .script_hook = tide_hooks_call,
    .deadlock = tide_program_deadlock,
    .signals = handle_signals,
};

int tide_program_exit(lua_State *L, int code)
{
    struct tide_task *task = tide_task_of(L);
    tide_program_force(code);
    if (!task)
        return luaL_error(L, "the program is ending");
    tide_cancel_request(&task->root, TIDE_CANCEL_SHUTDOWN);
    if (!task->unwinding)
        tide_cancel_raise(L, &task->root);
    return tide_cancel_raise(L, task->unwinding);
}

/* ---- start and end ---- */

static const struct tide_local_call main_call = {main_run, main_ended, NULL};

static int exit_code(void)
{
    int forced = atomic_load(&program.forced_code);
    if (forced >= 0)
        return forced & 0xff;
    return program.main_failed || atomic_load(&program.failures) ? 1 : 0;
}

static bool all_done(void *arg)
{
    struct tide_worker *main = arg;
    if (!program.main_ended || atomic_load(&main->live_count) > main->daemon_runs || atomic_load(&program.runtime.holds) > 0)
        return false;
    bool daemons = atomic_load(&program.runtime.daemons) > 0;
    if (daemons || tide_runtime_has_live(&program.runtime)) /* only daemons are left: they are cancelled, and waited for */
        tide_runtime_shutdown(&program.runtime, exit_code());
    return !daemons; /* others that began just now are waited for by their workers */
}

/* stdout may be closed, full or a broken pipe: what was printed and did not arrive is a failure. */
static int flush_all(int code)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "tidemill: cannot write to standard output: %s\n", strerror(errno));
        code = code ? code : 1;
    }
    fflush(NULL);
    return code;
}

static int start_failed(int code)
{
    if (code == TIDE_ETHREAD)
        fprintf(stderr, "tidemill: cannot start the clock's thread: %s; a limit on processes or memory? (ulimit -u, -v)\n",
                strerror(errno));
    else
        fprintf(stderr, "tidemill: cannot start: %s; a limit on memory? (ulimit -v, --max-memory)\n", tide_strerror(code));
    return 1;
}

static int set_up(const struct tide_program *p)
{
    struct tide_runtime_options options = {
        .workers = p->workers > 0 ? p->workers : p->virtual_time ? VIRTUAL_WORKERS : tide_cpu_count(),
        .timeout_ns = p->timeout_ns,
        .grace_ns = p->grace_ns,
        .slice_ns = p->slice_ns,
        .yield_always = p->yield_always,
        .virtual_time = p->virtual_time,
        .seed = p->seed,
        .wall_ns = p->wall_ns,
    };
    program.options = p;
    tide_future_unobserved = tide_program_unobserved;
    tide_thread_failed = tide_excepthook_failed;
    tide_memory_set_limit(p->max_memory);
    int failed = tide_runtime_init(&program.runtime, &options, &engine);
    if (failed)
        return failed;
    failed = tide_signals_init();
    if (!failed)
        failed = tide_state_open(program.runtime.workers[0]);
    return failed;
}

static void tear_down(void)
{
    tide_onsignal_fini();
    tide_excepthook_fini();
    tide_thread_main_close();
    tide_holders_empty();
    /* states first give back their handles; then nothing is left that a worker could touch */
    tide_runtime_fini(&program.runtime);
    tide_paths_fini();
}

int tide_program_run(const struct tide_program *p)
{
    int failed = set_up(p);
    if (failed)
        return start_failed(failed);
    struct tide_worker *main = program.runtime.workers[0];
    struct tide_task *task = tide_call_local(main->state, &main_call, NULL);
    if (!task || tide_thread_main_open(task) != 0)
        return start_failed(TIDE_ENOMEM);
    task->flags |= TIDE_TASK_MAIN;
    tide_worker_loop(main, all_done, main);
    if (!tide_reactor_stop())
        _exit(flush_all(exit_code()));
    tear_down();
    return flush_all(exit_code());
}
