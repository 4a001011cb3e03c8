#include "transport/names.h"

#include "transport/record.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

enum { MEMBERS_MAX = 20000 }; /* of one module, sub-tables included: nobody's interface is larger */

/* The state of one look at a module; indices are of the stack. */
struct scan {
    lua_State *L;
    struct tide_transport *t;
    int names, loaded;
    bool standard;      /* a module of the base */
    bool c_only;        /* only C functions are new here */
    bool io;
    int looked;         /* members of the present module so far */
};

/* in: value, name on top; out: the name popped. The first name that a value gets stays, if it is still true. */
static void give_name(struct scan *s)
{
    lua_State *L = s->L;
    lua_pushvalue(L, -2);
    if (lua_rawget(L, s->names) == LUA_TNIL) {
        lua_pushvalue(L, -3);
        lua_pushvalue(L, -3);
        lua_rawset(L, s->names);
    }
    lua_pop(L, 2);
}

/* in: value on top; out: the same. Its name is `prefix` (a string) and the string at `key`. */
static void give_member(struct scan *s, int prefix, int key)
{
    lua_State *L = s->L;
    lua_pushvalue(L, prefix);
    lua_pushlstring(L, "\0", 1);
    lua_pushvalue(L, key);
    lua_concat(L, 3);
    give_name(s);
}

static bool has_field(lua_State *L, const char *field)
{
    lua_pushstring(L, field);
    bool has = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 1);
    return has;
}

/* in: table on top. A class is a table that is made to be a metatable. */
static bool is_class(lua_State *L)
{
    return has_field(L, "__index") || has_field(L, "__name");
}

/* in: table on top. A table that holds everything is no place to look for members. */
static bool is_world(struct scan *s)
{
    const void *p = lua_topointer(s->L, -1);
    return p == s->t->globals || p == lua_topointer(s->L, s->loaded);
}

/* in: table on top; out: the same. Names the functions (and, on the first level, classes) in it. `depth` 1: of a module. */
static void scan_members(struct scan *s, int prefix, int depth)
{
    lua_State *L = s->L;
    int table = lua_gettop(L);
    luaL_checkstack(L, 12, NULL);
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        if (++s->looked > MEMBERS_MAX) {
            lua_pop(L, 2);
            return;
        }
        int key = table + 1, type = lua_type(L, -1);
        if (lua_type(L, key) != LUA_TSTRING || (s->c_only && type == LUA_TFUNCTION && !lua_iscfunction(L, -1)))
            continue;
        if (type == LUA_TFUNCTION || (type == LUA_TUSERDATA && s->io))
            give_member(s, prefix, key);
        if (type != LUA_TTABLE || lua_rawequal(L, -1, table))
            continue;
        if (!s->c_only && (is_class(L) || s->standard))
            give_member(s, prefix, key);
        if (depth == 1 && !is_world(s)) {
            lua_pushvalue(L, prefix);
            lua_pushlstring(L, "\0", 1);
            lua_pushvalue(L, key);
            lua_concat(L, 3);
            lua_insert(L, -2);
            scan_members(s, lua_gettop(L) - 1, 2);
            lua_remove(L, -2);
        }
    }
}

/* in: name, value of an entry of package.loaded on top; out: the same */
static void scan_module(struct scan *s)
{
    lua_State *L = s->L;
    int name = lua_gettop(L) - 1, value = name + 1;
    const char *text = lua_tostring(L, name);
    bool base = strcmp(text, LUA_GNAME) == 0;
    s->looked = 0;
    s->io = s->standard && strcmp(text, LUA_IOLIBNAME) == 0;
    if (!base && (lua_istable(L, value) || lua_isfunction(L, value))) {
        lua_pushvalue(L, name);
        give_name(s);
    }
    if (lua_istable(L, value) && !base)
        scan_members(s, name, 1);
}

/* Names the functions among the base's globals. */
static void scan_base(struct scan *s)
{
    lua_State *L = s->L;
    lua_pushliteral(L, LUA_GNAME);
    int prefix = lua_gettop(L);
    tide_slot_push(L, s->t, TIDE_SLOT_BASE);
    for (lua_pushnil(L); lua_next(L, prefix + 1); lua_pop(L, 1))
        if (lua_isfunction(L, -1))
            give_member(s, prefix, prefix + 2);
    lua_settop(L, prefix - 1);
}

/* Looks at every module that is new, or at all of them for C functions. */
static void scan_loaded(lua_State *L, struct tide_transport *t, bool opening, bool c_functions)
{
    int top = lua_gettop(L);
    luaL_checkstack(L, 20, NULL);
    struct scan s = {.L = L, .t = t, .names = top + 1, .loaded = top + 2};
    tide_slot_push(L, t, TIDE_SLOT_NAMES);
    tide_slot_push(L, t, TIDE_SLOT_LOADED);
    tide_slot_push(L, t, TIDE_SLOT_SCANNED);
    tide_slot_push(L, t, TIDE_SLOT_STANDARD);
    for (lua_pushnil(L); lua_next(L, s.loaded); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            continue;
        lua_pushvalue(L, -2);
        lua_rawget(L, top + 3);
        bool old = lua_rawequal(L, -1, -2);
        lua_pushvalue(L, -3);
        s.standard = lua_rawget(L, top + 4) != LUA_TNIL;
        lua_pop(L, 2);
        s.c_only = !opening && (old || s.standard);
        if (old && !c_functions)
            continue;
        scan_module(&s);
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, top + 3);
    }
    if (opening)
        scan_base(&s);
    lua_settop(L, top);
    t->names_stale = false;
}

/* __newindex of package.loaded: a module that was not loaded is set. */
static int loaded_newindex(lua_State *L)
{
    lua_settop(L, 3);
    lua_rawset(L, 1);
    tide_transport_of(L)->names_stale = true;
    return 0;
}

void tide_names_open(lua_State *L, struct tide_transport *t)
{
    enum tide_slot weak[] = {TIDE_SLOT_NAMES, TIDE_SLOT_SCANNED};
    for (size_t i = 0; i < sizeof weak / sizeof weak[0]; i++) {
        lua_newtable(L);
        tide_slot_push(L, t, i == 0 ? TIDE_SLOT_WEAK_KEYS : TIDE_SLOT_WEAK_VALUES);
        lua_setmetatable(L, -2);
        tide_slot_set(L, t, weak[i]);
    }
    scan_loaded(L, t, true, false);
    tide_slot_push(L, t, TIDE_SLOT_LOADED);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, loaded_newindex);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}

void tide_names_refresh(lua_State *L, struct tide_transport *t)
{
    if (t->names_stale)
        scan_loaded(L, t, false, false);
}

/* in: a name's value in the state or nil; out: popped, and in its place the next member. `at` walks over the name. */
static void step(lua_State *L, const char **at, const char *end)
{
    const char *nul = memchr(*at, '\0', (size_t)(end - *at));
    const char *stop = nul ? nul : end;
    lua_pushlstring(L, *at, (size_t)(stop - *at));
    lua_rawget(L, -2);
    lua_remove(L, -2);
    *at = nul ? nul + 1 : end + 1;
}

/* Whether the module in the name still has the value at `index`. Those of the base are not looked at: every state has them. */
static bool still_named(lua_State *L, const struct tide_transport *t, int index, const char *name, size_t size)
{
    const char *at = name, *end = name + size;
    tide_slot_push(L, t, TIDE_SLOT_STANDARD);
    lua_pushstring(L, name);
    bool standard = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 2);
    if (standard)
        return true;
    tide_slot_push(L, t, TIDE_SLOT_LOADED);
    step(L, &at, end);
    while (at <= end && lua_istable(L, -1))
        step(L, &at, end);
    bool same = at > end && lua_rawequal(L, -1, index);
    lua_pop(L, 1);
    return same;
}

static const char *look_up(lua_State *L, struct tide_transport *t, int index, size_t *size)
{
    tide_slot_push(L, t, TIDE_SLOT_NAMES);
    lua_pushvalue(L, index);
    const char *name = lua_rawget(L, -2) == LUA_TSTRING ? lua_tolstring(L, -1, size) : NULL;
    if (name && !still_named(L, t, index, name, *size)) {
        name = NULL;
        lua_pushvalue(L, index);
        lua_pushnil(L);
        lua_rawset(L, -4);
        t->names_stale = true;
    }
    lua_pop(L, 2);
    return name;
}

const char *tide_names_find(lua_State *L, struct tide_transport *t, int index, size_t *size)
{
    index = lua_absindex(L, index);
    luaL_checkstack(L, 6, NULL);
    tide_names_refresh(L, t);
    const char *name = look_up(L, t, index, size);
    if (!name && (t->names_stale || lua_iscfunction(L, index))) {
        scan_loaded(L, t, false, lua_iscfunction(L, index));
        name = look_up(L, t, index, size);
    }
    return name;
}

/* in: -; out: the module, or the error. True if it could be required. */
static bool try_require(lua_State *L, const struct tide_transport *t, const char *name, size_t size)
{
    tide_slot_push(L, t, TIDE_SLOT_BASE);
    lua_getfield(L, -1, "require");
    lua_remove(L, -2);
    lua_pushlstring(L, name, size);
    return lua_pcall(L, 1, 1, 0) == LUA_OK;
}

/* As above. There are modules a.b that only load once a is there, which the sender had. */
static bool try_require_both(lua_State *L, const struct tide_transport *t, const char *name)
{
    const char *dot = strrchr(name, '.');
    if (try_require(L, t, name, strlen(name)))
        return true;
    if (!dot)
        return false;
    bool parent = try_require(L, t, name, (size_t)(dot - name));
    lua_pop(L, 1);
    if (!parent)
        return false;
    lua_pop(L, 1);
    return try_require(L, t, name, strlen(name));
}

/* in: -; out: the module of that name, required if need be */
static void push_module(lua_State *L, const struct tide_transport *t, const char *name, const char *shown, bool foreign)
{
    tide_slot_push(L, t, TIDE_SLOT_LOADED);
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    if (!lua_isnil(L, -1))
        return;
    lua_pop(L, 1);
    if (foreign)
        luaL_error(L, "cannot receive '%s': module '%s' is not loaded here", shown, name);
    if (try_require_both(L, t, name))
        return;
    if (lua_type(L, -1) == LUA_TSTRING) {
        lua_pushfstring(L, "cannot receive '%s': %s", shown, lua_tostring(L, -1));
        lua_remove(L, -2);
    }
    lua_error(L);
}

void tide_names_push(lua_State *L, const struct tide_transport *t, const char *name, size_t size, bool foreign)
{
    char shown[120];
    const char *at, *end = name + size;
    luaL_checkstack(L, 6, NULL);
    tide_names_print(name, size, shown, sizeof shown);
    const char *nul = memchr(name, '\0', size);
    const char *stop = nul ? nul : end;
    lua_pushlstring(L, name, (size_t)(stop - name));
    const char *module = lua_tostring(L, -1);
    at = nul ? nul + 1 : end + 1;
    if (nul && strcmp(module, LUA_GNAME) == 0)
        tide_slot_push(L, t, TIDE_SLOT_BASE);
    else
        push_module(L, t, module, shown, foreign);
    while (at <= end) {
        if (!lua_istable(L, -1))
            lua_pushnil(L);
        else
            step(L, &at, end);
        if (lua_isnil(L, -1))
            luaL_error(L, "cannot receive '%s': module '%s' has no such member in this state", shown, module);
    }
    lua_remove(L, -2);
}

bool tide_names_reflects(const char *name, size_t size)
{
    static const char *const reflecting[] = {"_G\0load", "_G\0loadfile", "_G\0dofile", "_G\0loadstring"};
    static const size_t sizes[] = {7, 11, 9, 13};
    if (size >= 5 && memcmp(name, "debug", 5) == 0 && (size == 5 || name[5] == '\0'))
        return true;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (size == sizes[i] && memcmp(name, reflecting[i], size) == 0)
            return true;
    return false;
}

/* What people need not see of it: that a global is one, and where the methods of a class are kept ("tidemill.event.wait"). */
static size_t unseen(const char *name, size_t size)
{
    static const char global[] = "_G", method[] = "tidemill.core\0tidemill.";
    if (size > sizeof global && memcmp(name, global, sizeof global) == 0)
        return sizeof global;
    return size >= sizeof method && memcmp(name, method, sizeof method - 1) == 0 ? sizeof "tidemill.core" : 0;
}

void tide_names_print(const char *name, size_t size, char *out, size_t room)
{
    size_t from = unseen(name, size), cut = size - from < room - 1 ? size - from : room - 1;
    memcpy(out, name + from, cut);
    for (size_t i = 0; i < cut; i++)
        if (out[i] == '\0')
            out[i] = '.';
    out[cut] = '\0';
}
