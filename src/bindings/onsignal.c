#include "bindings/onsignal.h"

#include "bindings/bind.h"
#include "bindings/callback.h"
#include "sched/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static const struct {
    const char *name;
    int number;
} names[] = {
    {"SIGHUP", SIGHUP},     {"SIGINT", SIGINT},   {"SIGTERM", SIGTERM}, {"SIGUSR1", SIGUSR1}, {"SIGUSR2", SIGUSR2},
    {"SIGWINCH", SIGWINCH}, {"SIGALRM", SIGALRM}, {"SIGCHLD", SIGCHLD}, {"SIGCONT", SIGCONT}, {"SIGQUIT", SIGQUIT},
    {"SIGTSTP", SIGTSTP},
};

enum { COUNT = sizeof names / sizeof *names };

static struct tide_mutex lock; /* rank 15 */
/* protected by lock */
static struct tide_callback *handlers[COUNT];

/* Which of `names` argument 1 is, with or without "SIG", in any case. */
static int check_name(lua_State *L)
{
    const char *text = luaL_checkstring(L, 1);
    const char *bare = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
    for (int i = 0; i < COUNT; i++)
        if (strcasecmp(bare, names[i].name + 3) == 0)
            return i;
    lua_pushfstring(L, "unknown signal '%s' (known:", text);
    for (int i = 0; i < COUNT; i++)
        lua_pushfstring(L, " %s", names[i].name);
    lua_pushliteral(L, ")");
    lua_concat(L, COUNT + 2);
    return luaL_argerror(L, 1, lua_tostring(L, -1));
}

/* Puts `fresh` in the place of the handler there is, which is ended at its home. */
static struct tide_callback *exchange(int i, struct tide_callback *fresh)
{
    tide_mutex_lock(&lock);
    struct tide_callback *old = handlers[i];
    handlers[i] = fresh;
    tide_mutex_unlock(&lock);
    return old;
}

int tide_onsignal(lua_State *L)
{
    int i = check_name(L);
    struct tide_runtime *runtime = tide_worker_of(L)->runtime;
    struct tide_callback *fresh = NULL;
    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TFUNCTION);
        lua_pushvalue(L, 2);
        fresh = tide_callback_new(L, "signal handler");
        fresh->again = true;
        fresh->text = names[i].name;
        if (tide_signals_watch(names[i].number) != 0) {
            tide_callback_free(fresh);
            return luaL_error(L, "cannot handle %s: %s", names[i].name, strerror(errno));
        }
        tide_runtime_active_add(runtime); /* a signal can always come: no deadlock while one is awaited */
    }
    struct tide_callback *old = exchange(i, fresh);
    if (!fresh)
        tide_signals_unwatch(names[i].number);
    if (old) {
        tide_callback_retire(old);
        tide_runtime_active_drop(runtime);
    }
    return 0;
}

void tide_onsignal_dispatch(uint64_t pending)
{
    tide_mutex_lock(&lock);
    for (int i = 0; i < COUNT; i++)
        if ((pending & tide_signals_bit(names[i].number)) && handlers[i])
            tide_callback_fire(handlers[i], NULL);
    tide_mutex_unlock(&lock);
}

void tide_onsignal_fini(void)
{
    for (int i = 0; i < COUNT; i++) {
        struct tide_callback *old = exchange(i, NULL);
        if (old)
            tide_callback_abandon(old);
    }
}
