/* Lua functions: their bytecode, what they captured, and the globals they name. See packer.h. */
#include "transport/env.h"
#include "transport/handle.h"
#include "transport/names.h"
#include "transport/packer.h"
#include "transport/wire.h"

#include <lauxlib.h>
#include <limits.h>

static int write_cb(lua_State *L, const void *bytes, size_t size, void *arg)
{
    struct tide_strbuf *out = arg;
    tide_strbuf_append(out, bytes, size);
    return out->failed;
}

/* Finds out which upvalues of the function at `index` hold an environment. Returns the first of them, or 0. */
static int find_env(struct tide_packer *p, int index, int *upvalues)
{
    lua_State *L = p->L;
    const char *name;
    int first = 0, i = 1;
    for (; i < TIDE_UPVALUES_MAX && (name = lua_getupvalue(L, index, i)) != NULL; i++) {
        bool is = p->code.is_env[i - 1] = tide_env_is(L, p->t, -1, name);
        if (is && !first)
            first = i;
        lua_pop(L, 1);
    }
    *upvalues = i - 1;
    return first;
}

/* The shell: count of upvalues, size, bytecode. Scans it. */
static int put_shell(struct tide_packer *p, int index, int upvalues)
{
    struct tide_strbuf *out = &p->shells;
    uint32_t size = 0;
    tide_buf_byte(out, TIDE_SHELL_FUNCTION);
    tide_buf_byte(out, (unsigned char)upvalues);
    size_t at = out->size;
    tide_strbuf_append(out, &size, sizeof size);
    size_t begin = out->size;
    lua_pushvalue(p->L, index);
    lua_dump(p->L, write_cb, out, 0);
    lua_pop(p->L, 1);
    if (out->failed)
        return TIDE_ENOMEM;
    if (out->size - begin > INT_MAX)
        return tide_refuse(p, index, "its code is too large");
    size = (uint32_t)(out->size - begin);
    memcpy(out->data + at, &size, sizeof size);
    int error = tide_bytecode_scan(&p->code, out->data + begin, size);
    if (error == TIDE_ECORRUPT)
        return tide_refuse(p, index, "its bytecode is not known");
    p->assigns = p->assigns || p->code.assigns;
    p->sets_globals = p->sets_globals || p->code.sets_globals;
    p->leaks = p->leaks || p->code.leaks;
    return error;
}

/* The captured variables: each cell once, then by the function and index that had it first. */
static int put_upvalues(struct tide_packer *p, int index, int upvalues)
{
    lua_State *L = p->L;
    for (int i = 1; i <= upvalues; i++) {
        bool fresh;
        uint32_t *owner = tide_memo_get(&p->memo, lua_upvalueid(L, index, i), &fresh);
        if (!owner)
            return TIDE_ENOMEM;
        if (!fresh) {
            tide_buf_byte(&p->bodies, TIDE_TAG_SAME);
            tide_buf_varint(&p->bodies, *owner >> 8);
            tide_buf_byte(&p->bodies, (unsigned char)*owner);
            continue;
        }
        if (p->current >= 1u << 24)
            return tide_refuse(p, index, "too many functions in one message");
        *owner = p->current << 8 | (uint32_t)i;
        lua_getupvalue(L, index, i);
        int value = lua_gettop(L);
        int error = p->code.is_env[i - 1] ? tide_encode_env(p, value, &p->bodies)
                                          : tide_encode_value(p, value, &p->bodies);
        if (error)
            return error;
        lua_pop(L, 1);
    }
    return 0;
}

/* Whether the value at `index` travels by itself, whatever it holds. */
static bool may_travel(struct tide_packer *p, int index)
{
    lua_State *L = p->L;
    size_t size;
    switch (lua_type(L, index)) {
    case LUA_TTHREAD: return false;
    case LUA_TUSERDATA: return tide_handle_test(L, index, NULL) || tide_names_find(L, p->t, index, &size);
    case LUA_TFUNCTION: return !lua_iscfunction(L, index) || tide_names_find(L, p->t, index, &size);
    default: return true;
    }
}

/* One global, whose name and value are on top. out: both popped, unless refused */
static int put_global(struct tide_packer *p, const struct tide_bytecode_name *name)
{
    lua_State *L = p->L;
    int value = lua_gettop(L);
    if (tide_env_is_standard(L, p->t, value - 1, value)) {
        int type = lua_type(L, value);
        if (name->certain && (type == LUA_TFUNCTION || type == LUA_TTABLE)) {
            tide_buf_block(&p->standards, name->text, name->size);
            p->standard_count++;
        }
        size_t size;
        const char *known = type == LUA_TFUNCTION || type == LUA_TTABLE ? tide_names_find(L, p->t, value, &size) : NULL;
        p->reflects = p->reflects || (known && tide_names_reflects(known, size));
    } else if (!lua_isnil(L, value) && (name->certain || may_travel(p, value))) {
        tide_buf_string(&p->globals, name->text, name->size);
        p->global = lua_tostring(L, value - 1);
        int error = tide_encode_value(p, value, &p->globals);
        if (error)
            return error;
        p->global = NULL;
        p->global_count++;
    }
    lua_pop(L, 2);
    return 0;
}

/* in: name on top; out: the same. Whether it is the first time that this message looks it up. */
static bool is_new_name(struct tide_packer *p)
{
    lua_State *L = p->L;
    if (lua_isnil(L, p->seen)) {
        lua_createtable(L, 0, 4);
        lua_replace(L, p->seen);
    }
    lua_pushvalue(L, -1);
    bool fresh = lua_rawget(L, p->seen) == LUA_TNIL;
    lua_pop(L, 1);
    return fresh;
}

/* The globals that the function names and that are the user's. */
static int put_globals(struct tide_packer *p, int function, int env)
{
    lua_State *L = p->L;
    lua_getupvalue(L, function, env);
    int table = lua_gettop(L);
    for (uint32_t i = 0; i < p->code.name_count; i++) {
        const struct tide_bytecode_name *name = &p->code.names[i];
        lua_pushlstring(L, name->text, name->size);
        if (!is_new_name(p)) {
            lua_pop(L, 1);
            continue;
        }
        lua_pushvalue(L, -1);
        tide_env_lookup(L, table);
        lua_pushvalue(L, -2);
        if (lua_isnil(L, -2))
            lua_pushlightuserdata(L, NULL);
        else
            lua_pushvalue(L, -2);
        lua_rawset(L, p->seen);
        int error = put_global(p, name);
        if (error)
            return error;
    }
    lua_pop(L, 1);
    return 0;
}

int tide_encode_function(struct tide_packer *p, int index)
{
    int upvalues;
    int env = find_env(p, index, &upvalues);
    int error = put_shell(p, index, upvalues);
    if (!error)
        error = put_upvalues(p, index, upvalues);
    if (!error && env)
        error = put_globals(p, index, env);
    return error;
}
