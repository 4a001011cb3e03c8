/* The text of a refusal: which value, on which way, why. See packer.h.
 *
 * The way is found afterwards: each node knows the node in which it was met first, so the key is looked for there. */
#include "transport/origin.h"
#include "transport/packer.h"

#include <lauxlib.h>
#include <stdio.h>

enum { WAY_MAX = 200, STEP_MAX = 60, NAME_MAX_BYTES = 80, SEARCH_MAX = 1000000, NODES_SHOWN = 64 };

struct way {
    char fields[WAY_MAX];       /* ".a.b[3]", from the outermost table inwards */
    size_t size;
    bool cut;                   /* its beginning did not fit */
};

static bool is_identifier(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        bool letter = c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return size > 0 && size < STEP_MAX - 2;
}

/* How the key at `index` is written behind its table. */
static void print_key(lua_State *L, int index, char *out)
{
    size_t size;
    const char *text;
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &size);
        if (is_identifier(text, size))
            snprintf(out, STEP_MAX, ".%s", text);
        else
            snprintf(out, STEP_MAX, "[\"%.40s\"]", text);
        break;
    case LUA_TNUMBER:
        if (lua_isinteger(L, index))
            snprintf(out, STEP_MAX, "[%lld]", (long long)lua_tointeger(L, index));
        else
            snprintf(out, STEP_MAX, "[%.14g]", (double)lua_tonumber(L, index));
        break;
    case LUA_TBOOLEAN: snprintf(out, STEP_MAX, "[%s]", lua_toboolean(L, index) ? "true" : "false"); break;
    default: snprintf(out, STEP_MAX, "[%s]", luaL_typename(L, index));
    }
}

/* Where in the table on top the value at `child` stands. */
static void print_step(lua_State *L, int child, char *out)
{
    int table = lua_gettop(L), looked = 0;
    snprintf(out, STEP_MAX, "[?]");
    if (lua_getmetatable(L, table)) {
        if (lua_rawequal(L, -1, child)) {
            snprintf(out, STEP_MAX, ".(metatable)");
            lua_settop(L, table);
            return;
        }
    }
    lua_settop(L, table);
    for (lua_pushnil(L); lua_next(L, table) && ++looked < SEARCH_MAX; lua_settop(L, table + 1)) {
        if (lua_rawequal(L, -1, child)) {
            print_key(L, table + 1, out);
            break;
        }
        if (lua_rawequal(L, table + 1, child)) {
            snprintf(out, STEP_MAX, "[a key]");
            break;
        }
    }
    lua_settop(L, table);
}

static void prepend(struct way *way, const char *step)
{
    size_t size = strlen(step);
    if (way->cut || way->size + size >= WAY_MAX - 4) {
        way->cut = true;
        return;
    }
    memmove(way->fields + size, way->fields, way->size + 1);
    memcpy(way->fields, step, size);
    way->size += size;
}

/* in: a value on top, met in `node`; out: replaced by what stands outside the tables around it. Returns the node it was met
 * in: a function, or 0. */
static uint32_t leave_tables(struct tide_packer *p, uint32_t node, struct way *way)
{
    lua_State *L = p->L;
    char step[STEP_MAX];
    for (int shown = 0; node && p->nodes[node].kind == TIDE_KIND_TABLE; node = p->nodes[node].parent) {
        lua_rawgeti(L, p->pending, node);
        if (shown++ < NODES_SHOWN) {
            print_step(L, lua_gettop(L) - 1, step);
            prepend(way, step);
        } else {
            way->cut = true;
        }
        lua_remove(L, -2);
    }
    return node;
}

/* The variable of a function's, by which it reaches the value on top: an upvalue, or a global. */
static bool find_variable(struct tide_packer *p, int function, char *name, bool *global)
{
    lua_State *L = p->L;
    int value = lua_gettop(L);
    const char *upvalue;
    *global = false;
    for (int i = 1; (upvalue = lua_getupvalue(L, function, i)) != NULL; i++) {
        bool same = lua_rawequal(L, -1, value);
        lua_pop(L, 1);
        if (same) {
            snprintf(name, NAME_MAX_BYTES, "%s", upvalue);
            return true;
        }
    }
    if (!lua_istable(L, p->seen))
        return false;
    for (lua_pushnil(L); lua_next(L, p->seen); lua_pop(L, 1)) {
        if (lua_rawequal(L, -1, value)) {
            snprintf(name, NAME_MAX_BYTES, "%s", lua_tostring(L, -2));
            lua_pop(L, 2);
            return *global = true;
        }
    }
    return false;
}

/* "field 'a.b[3]' of ", or nothing. */
static void add_fields(struct tide_strbuf *text, const struct way *way)
{
    const char *fields = way->fields[0] == '.' ? way->fields + 1 : way->fields;
    if (way->size)
        tide_strbuf_printf(text, "field '%s%s' of ", way->cut ? "..." : "", fields);
}

/* in: the function on top. What it is called: by the variable of whoever captured it, else by its place. */
static void add_function(struct tide_packer *p, struct tide_strbuf *text, uint32_t node)
{
    lua_State *L = p->L;
    char name[NAME_MAX_BYTES] = "";
    bool global, known = false;
    lua_Debug ar;
    int function = lua_gettop(L);
    uint32_t parent = p->nodes[node].parent;
    if (parent && p->nodes[parent].kind == TIDE_KIND_FUNCTION) {
        lua_rawgeti(L, p->pending, parent);
        lua_pushvalue(L, function);
        known = find_variable(p, function + 1, name, &global);
    } else if (!parent) {
        known = tide_origin_variable(L, function, name, sizeof name);
    }
    lua_settop(L, function);
    lua_pushvalue(L, function);
    lua_getinfo(L, ">S", &ar);
    if (known)
        tide_strbuf_printf(text, "'%s', ", name);
    else
        tide_strbuf_puts(text, "the function at ");
    tide_strbuf_printf(text, "%s:%d", ar.short_src, ar.linedefined);
}

/* in: a root value on top. "argument 2" */
static void add_root(struct tide_packer *p, struct tide_strbuf *text)
{
    int number = 0;
    for (int i = 0; i < p->root.count && !number; i++)
        if (lua_rawequal(p->L, p->root.first + i, -1))
            number = i + 1;
    if (p->root.count > 1 || strcmp(p->root.noun, "argument") == 0)
        tide_strbuf_printf(text, "%s %d", p->root.noun, number);
    else
        tide_strbuf_printf(text, "the %s", p->root.noun);
}

/* in: value on top, met in `node`; writes its way outwards */
static void add_way(struct tide_packer *p, struct tide_strbuf *text, uint32_t node, bool innermost)
{
    lua_State *L = p->L;
    for (int shown = 0; shown < 4; shown++) {
        struct way way = {"", 0, false};
        char name[NAME_MAX_BYTES] = "?";
        bool global;
        node = leave_tables(p, node, &way);
        add_fields(text, &way);
        if (!node || p->nodes[node].kind != TIDE_KIND_FUNCTION) {
            add_root(p, text);
            return;
        }
        lua_rawgeti(L, p->pending, node);
        lua_insert(L, -2);
        if (p->global && innermost && !way.size) {
            snprintf(name, sizeof name, "%s", p->global);
            global = true;
        } else {
            find_variable(p, lua_gettop(L) - 1, name, &global);
        }
        lua_pop(L, 1);
        tide_strbuf_printf(text, global ? "global '%s' named by " : "'%s' (upvalue of ", name);
        add_function(p, text, node);
        tide_strbuf_puts(text, global ? "" : ")");
        if (!p->nodes[node].parent && strcmp(p->root.noun, "function") == 0)
            return;
        node = p->nodes[node].parent;
        if (node && p->nodes[node].kind == TIDE_KIND_FUNCTION)
            return; /* its name was taken from there */
        tide_strbuf_puts(text, ", in ");
        innermost = false;
    }
}

int tide_refuse(struct tide_packer *p, int index, const char *reason)
{
    lua_State *L = p->L;
    struct tide_strbuf *text = &p->roots; /* this graph is lost: its buffers are free */
    luaL_checkstack(L, 20, NULL);
    tide_strbuf_clear(text);
    tide_strbuf_puts(text, "cannot send ");
    lua_pushvalue(L, index);
    add_way(p, text, p->current, true);
    tide_strbuf_puts(text, ": ");
    if (luaL_testudata(L, index, LUA_FILEHANDLE))
        reason = "file handles stay in the thread that opened them";
    else if (lua_type(L, index) == LUA_TUSERDATA && luaL_getmetafield(L, index, "__name") == LUA_TSTRING)
        tide_strbuf_printf(text, "%.60s ", lua_tostring(L, -1));
    tide_strbuf_puts(text, reason);
    if (text->failed)
        return TIDE_ENOMEM;
    lua_pushlstring(L, text->data, text->size);
    return TIDE_EREFUSED;
}
