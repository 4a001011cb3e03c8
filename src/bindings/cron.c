/* tm.cron: when cron expressions are due. */
#include "formats/cron.h"

#include "base/error.h"
#include "base/time.h"
#include "bindings/bind.h"
#include "bindings/module.h"
#include "bindings/timer.h"

#include <math.h>
#include <string.h>

enum { MOST = 100000 }; /* instants at once: no slice ends inside of a call */

static const char *const zone_keys[] = {"zone", NULL};

/* Parses the string at `arg`; false with the problem pushed. */
static bool parse(lua_State *L, int arg, struct tide_cron *cron)
{
    size_t size;
    char problem[TIDE_CRON_PROBLEM];
    luaL_checktype(L, arg, LUA_TSTRING);
    const char *text = lua_tolstring(L, arg, &size);
    if (strlen(text) != size)
        lua_pushliteral(L, "cron expression: it has a zero byte in it");
    else if (tide_cron_parse(cron, text, problem) != 0)
        lua_pushstring(L, problem);
    else
        return true;
    return false;
}

/* The zone that the checked options at `arg` name; NULL with the problem pushed. */
static const struct tide_zone *zone_of_options(lua_State *L, int arg)
{
    const struct tide_zone *zone = NULL;
    char problem[TIDE_ZONE_PROBLEM];
    int failed = tide_zone_find(tide_bind_string(L, arg, "zone", "local"), &zone, problem);
    if (failed == TIDE_ENOMEM)
        luaL_error(L, "not enough memory");
    if (failed)
        lua_pushstring(L, problem);
    return failed ? NULL : zone;
}

static const struct tide_zone *find_zone(lua_State *L, int arg)
{
    tide_bind_options(L, arg, zone_keys);
    return zone_of_options(L, arg);
}

/* Raises the text on top, with the place of the call in front. */
static int raise_text(lua_State *L)
{
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
    return lua_error(L);
}

/* The second that a time at `arg` is in; now where there is none. */
static int64_t check_second(lua_State *L, int arg)
{
    lua_Number time = lua_isnoneornil(L, arg) ? tide_wall_seconds() : luaL_checknumber(L, arg);
    luaL_argcheck(L, fabs(time) <= (lua_Number)TIDE_ZONE_MOST, arg, isnan(time) ? "time is NaN" : "time is too far away");
    return (int64_t)floor(time);
}

static int next(lua_State *L)
{
    struct tide_cron cron;
    luaL_checktype(L, 1, LUA_TSTRING);
    int64_t instant = check_second(L, 2);
    lua_Integer count = luaL_optinteger(L, 3, 0);
    luaL_argcheck(L, lua_isnoneornil(L, 3) || (count >= 1 && count <= MOST), 3, "1 to 100000 instants expected");
    const struct tide_zone *zone = find_zone(L, 4);
    if (!zone || !parse(L, 1, &cron))
        return raise_text(L);
    if (count == 0) {
        lua_pushinteger(L, tide_cron_next(&cron, zone, instant));
        return 1;
    }
    lua_createtable(L, (int)count, 0);
    for (lua_Integer i = 1; i <= count; i++) {
        instant = tide_cron_next(&cron, zone, instant);
        lua_pushinteger(L, instant);
        lua_rawseti(L, -2, i);
    }
    return 1;
}

static int check(lua_State *L)
{
    struct tide_cron cron;
    luaL_checktype(L, 1, LUA_TSTRING);
    bool good = find_zone(L, 2) && parse(L, 1, &cron);
    if (!good) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- tm.cron(expression, fn, options): a timer that follows it ---- */

struct calendar {
    struct tide_cron cron;
    const struct tide_zone *zone;
};

static double next_of_calendar(void *calendar, double after)
{
    struct calendar *c = calendar;
    return (double)tide_cron_next(&c->cron, c->zone, (int64_t)floor(after));
}

/* The `__call` of tm.cron. Stack: 1 tm.cron, 2 expression, 3 function, 4 options. */
static int start(lua_State *L)
{
    static const char *const keys[] = {"zone",         "jitter", "overlap", "catch_up", "max_runs",
                                       "max_failures", "daemon", NULL};
    struct tide_periodic_options options = {0};
    lua_remove(L, 1);
    luaL_checktype(L, 1, LUA_TSTRING);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 3);
    tide_timer_options(L, 3, keys, &options);
    struct calendar *calendar = lua_newuserdatauv(L, sizeof *calendar, 0);
    if (!parse(L, 1, &calendar->cron) || !(calendar->zone = zone_of_options(L, 3)))
        return raise_text(L);
    return tide_timer_start(L, 2, -1, &options, next_of_calendar, 4);
}

void tide_open_cron(lua_State *L)
{
    static const luaL_Reg functions[] = {{"next", next}, {"check", check}, {"start", start}, {NULL, NULL}};
    luaL_newlib(L, functions);
    lua_setfield(L, -2, "cron");
}
