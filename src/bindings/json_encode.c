/* json.encode: jansson's tree of the value, then the text of the tree.
 *
 * Nothing in the walk over the value raises, so that it can be done with jansson's arena active. It leaves a key and a value of
 * each level on the Lua stack: the message about what cannot be encoded reads its path from there. */
#include "bindings/json.h"

#include "base/strbuf.h"
#include "bindings/bind.h"
#include "bindings/jansson.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PATH_HEAD = 12, PATH_TAIL = 4, /* levels of a long path that are shown */
    KEY_SHOWN = 60,                /* bytes of a key */
    DIGITS_SURE = 15, DIGITS_MOST = 17, /* of a float: as many always come back from one, and always suffice */
};

struct encoding {
    lua_State *L;
    int root;             /* stack index of the value; the key of level i is at root + 2i - 1, its value behind it */
    int max_depth, depth; /* allowed; of what is refused */
    const void *array_class;
    const char *refused;  /* what cannot be encoded, NULL: nothing */
    bool too_deep;
    struct tide_arena arena;
    struct tide_strbuf out;
    bool in_string;       /* what jansson writes next stands within quotes */
};

/* ---- from Lua to jansson: `depth` tables are around the value on top, which stays there ---- */

static json_t *build(struct encoding *e, int depth);

static json_t *refuse(struct encoding *e, int depth, const char *what)
{
    e->depth = depth;
    e->refused = what;
    return NULL;
}

/* NULL of jansson's is invalid UTF-8, if it is not a lack of memory. */
static json_t *check_utf8(struct encoding *e, int depth, json_t *made, const char *what)
{
    return made || e->arena.failed ? made : refuse(e, depth, what);
}

static json_t *build_number(struct encoding *e, int depth)
{
    if (lua_isinteger(e->L, -1))
        return tide_jansson.json_integer(lua_tointeger(e->L, -1));
    lua_Number n = lua_tonumber(e->L, -1);
    if (isnan(n))
        return refuse(e, depth, "a NaN");
    return isinf(n) ? refuse(e, depth, "an infinite number") : tide_jansson.json_real(n);
}

static json_t *build_string(struct encoding *e, int depth)
{
    size_t size;
    const char *text = lua_tolstring(e->L, -1, &size);
    return check_utf8(e, depth, tide_jansson.json_stringn(text, size), "a string that is not UTF-8");
}

/* What is wrong with a key of that type. */
static const char *odd_key(int type)
{
    switch (type) {
    case LUA_TBOOLEAN: return "a table with a boolean as a key";
    case LUA_TTABLE: return "a table with a table as a key";
    case LUA_TNUMBER:
    case LUA_TSTRING: return "a table with both string keys and number keys";
    default: return "a table with a key that is no string";
    }
}

/* in: table; the number of its items; -1: it is no list. */
static lua_Integer count_items(struct encoding *e, int depth, bool marked)
{
    lua_State *L = e->L;
    lua_Integer count = 0, last = 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        int type = lua_type(L, -2);
        const char *problem = NULL;
        if (type != LUA_TNUMBER)
            problem = marked && type == LUA_TSTRING ? "an array with string keys" : odd_key(type);
        else if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) < 1)
            problem = "a table with a number as a key that is no position";
        if (problem) {
            refuse(e, depth, problem);
            return -1;
        }
        count++;
        if (lua_tointeger(L, -2) > last)
            last = lua_tointeger(L, -2);
    }
    if (last == count)
        return count;
    refuse(e, depth, "a list with holes");
    return -1;
}

static json_t *build_array(struct encoding *e, int depth, bool marked)
{
    lua_State *L = e->L;
    lua_Integer count = count_items(e, depth, marked);
    json_t *array = count < 0 ? NULL : tide_jansson.json_array();
    for (lua_Integer i = 1; array && i <= count; i++) {
        lua_pushinteger(L, i);
        lua_rawgeti(L, -2, i);
        json_t *item = build(e, depth + 1);
        if (!item || tide_jansson.json_array_append_new(array, item) != 0)
            return NULL;
        lua_pop(L, 2);
    }
    return array;
}

/* in: table, its first key and value; out: table */
static json_t *build_object(struct encoding *e, int depth)
{
    lua_State *L = e->L;
    json_t *object = tide_jansson.json_object();
    bool more = object != NULL;
    while (more) {
        size_t size;
        if (lua_type(L, -2) != LUA_TSTRING)
            return refuse(e, depth, odd_key(lua_type(L, -2)));
        const char *key = lua_tolstring(L, -2, &size);
        json_t *value = build(e, depth + 1);
        if (!value)
            return NULL;
        if (tide_jansson.json_object_setn_new(object, key, size, value) != 0)
            return check_utf8(e, depth, NULL, "a table with a key that is not UTF-8");
        lua_pop(L, 1);
        more = lua_next(L, -2);
    }
    return object;
}

static bool is_marked(struct encoding *e)
{
    if (!lua_getmetatable(e->L, -1))
        return false;
    bool marked = lua_topointer(e->L, -1) == e->array_class;
    lua_pop(e->L, 1);
    return marked;
}

static json_t *build_table(struct encoding *e, int depth)
{
    lua_State *L = e->L;
    e->too_deep = depth == e->max_depth;
    if (e->too_deep)
        return refuse(e, depth, "nested deeper than max_depth");
    if (!tide_jansson_fits(L, (size_t)depth) || !lua_checkstack(L, 6))
        return refuse(e, depth, "nested too deep for the stack that is left");
    bool marked = is_marked(e);
    lua_pushnil(L);
    if (!lua_next(L, -2))
        return marked ? tide_jansson.json_array() : tide_jansson.json_object();
    if (!marked && lua_type(L, -2) != LUA_TNUMBER)
        return build_object(e, depth);
    lua_pop(L, 2);
    return build_array(e, depth, marked);
}

/* NULL with e->refused, or without where memory ran out. */
static json_t *build(struct encoding *e, int depth)
{
    lua_State *L = e->L;
    switch (lua_type(L, -1)) {
    case LUA_TBOOLEAN: return lua_toboolean(L, -1) ? tide_jansson.json_true() : tide_jansson.json_false();
    case LUA_TNUMBER: return build_number(e, depth);
    case LUA_TSTRING: return build_string(e, depth);
    case LUA_TTABLE: return build_table(e, depth);
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, -1) == &tide_json_null)
            return tide_jansson.json_null();
        return refuse(e, depth, "a light userdata");
    case LUA_TNIL: return refuse(e, depth, "nil; json.null stands for null");
    case LUA_TFUNCTION: return refuse(e, depth, "a function");
    case LUA_TTHREAD: return refuse(e, depth, "a coroutine");
    default: return refuse(e, depth, "a userdata");
    }
}

/* ---- from jansson to text ---- */

/* "1e+07" becomes "1e7", as jansson writes it. */
static void trim_exponent(char *number)
{
    char *to = strchr(number, 'e');
    if (!to)
        return;
    to += to[1] == '-' ? 2 : 1;
    memmove(to, to + strspn(to, "+0"), strlen(to) + 1 - strspn(to, "+0"));
}

/* Jansson writes all floats with one precision: 17 digits always read back as the same float, but 0.1 is 0.10000000000000001
 * then. So a number with that many is written with as few of them as read back the same. */
static void append_float(struct encoding *e, const char *digits, size_t size)
{
    char text[40], shorter[40];
    if (size <= DIGITS_SURE + 1 || size >= sizeof text) { /* a sign or a point is in it, too: it is as short as it can be */
        tide_strbuf_append(&e->out, digits, size);
        return;
    }
    memcpy(text, digits, size);
    text[size] = '\0';
    double value = strtod(text, NULL);
    for (int precision = DIGITS_SURE; precision < DIGITS_MOST; precision++) {
        snprintf(shorter, sizeof shorter, "%.*g", precision, value);
        if (strtod(shorter, NULL) != value)
            continue;
        trim_exponent(shorter);
        tide_strbuf_puts(&e->out, shorter);
        if (!strpbrk(shorter, ".e"))
            tide_strbuf_append(&e->out, ".0", 2);
        return;
    }
    tide_strbuf_append(&e->out, digits, size);
}

/* A json_dump_callback_t. Quotes come alone, and within strings never, as they are escaped there; so it is known which pieces
 * are numbers. */
static int append(const char *piece, size_t size, void *data)
{
    struct encoding *e = data;
    if (size == 1 && *piece == '"')
        e->in_string = !e->in_string;
    else if (!e->in_string && (*piece == '-' || (*piece >= '0' && *piece <= '9')) &&
             (memchr(piece, '.', size) || memchr(piece, 'e', size))) {
        append_float(e, piece, size);
        return e->out.failed ? -1 : 0;
    }
    tide_strbuf_append(&e->out, piece, size);
    return e->out.failed ? -1 : 0;
}

/* The text of the value at e->root into e->out; false: refused or out of memory. Raises nothing. */
static bool make_text(struct encoding *e, size_t flags)
{
    e->refused = NULL;
    e->in_string = false;
    struct tide_jansson_stretch stretch = tide_jansson_enter(&e->arena);
    json_t *root = build(e, 0);
    bool written = root && tide_jansson.json_dump_callback(root, append, e, flags) == 0;
    tide_jansson_leave(&stretch);
    if (!written && !e->refused)
        e->arena.failed = true;
    return written;
}

/* ---- refusals ---- */

static bool is_name(const char *key, size_t size)
{
    bool plain = size > 0 && size < KEY_SHOWN && !isdigit((unsigned char)*key);
    for (size_t i = 0; i < size && plain; i++)
        plain = key[i] == '_' || (isalnum((unsigned char)key[i]) && (unsigned char)key[i] < 0x80);
    return plain;
}

static void add_key(struct encoding *e, luaL_Buffer *path, int index)
{
    size_t size;
    char text[KEY_SHOWN + 8];
    if (lua_isinteger(e->L, index)) {
        snprintf(text, sizeof text, "[%lld]", (long long)lua_tointeger(e->L, index));
    } else {
        const char *key = lua_tolstring(e->L, index, &size);
        bool name = is_name(key, size);
        snprintf(text, sizeof text, "%s%.*s%s", name ? "." : "[\"", KEY_SHOWN, key, name ? "" : "\"]");
    }
    luaL_addstring(path, text);
}

/* Where the stack holds one table twice: the level of the inner one, and of the outer one in *outer; or 0. */
static int find_cycle(const struct encoding *e, int *outer)
{
    for (int inner = 1; inner <= e->depth; inner++)
        for (*outer = 0; *outer < inner; ++*outer)
            if (lua_rawequal(e->L, e->root + 2 * inner, e->root + 2 * *outer))
                return inner;
    return 0;
}

static int raise_refusal(struct encoding *e)
{
    lua_State *L = e->L;
    luaL_Buffer text;
    int outer, inner = e->too_deep ? find_cycle(e, &outer) : 0;
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    if (inner) {
        e->depth = inner;
        e->refused = "a cycle, the table contains itself";
    }
    luaL_where(L, 1);
    luaL_buffinit(L, &text);
    luaL_addstring(&text, "cannot encode value");
    for (int i = 1; i <= e->depth; i++) {
        if (i > PATH_HEAD && i <= e->depth - PATH_TAIL) {
            luaL_addstring(&text, "...");
            i = e->depth - PATH_TAIL;
        } else {
            add_key(e, &text, e->root + 2 * i - 1);
        }
    }
    luaL_addstring(&text, ": ");
    luaL_addstring(&text, e->refused);
    luaL_pushresult(&text);
    lua_concat(L, 2);
    return lua_error(L);
}

/* ---- the function ---- */

static size_t check(lua_State *L, struct encoding *e)
{
    static const char *const keys[] = {"indent", "sort_keys", "ascii", "max_depth", NULL};
    luaL_checkany(L, 1);
    tide_bind_options(L, 2, keys);
    int indent = (int)tide_bind_integer(L, 2, "indent", 0, JSON_MAX_INDENT, 0);
    size_t flags = JSON_ENCODE_ANY | (indent > 0 ? JSON_INDENT(indent) : JSON_COMPACT);
    flags |= tide_bind_boolean(L, 2, "sort_keys", false) ? JSON_SORT_KEYS : 0;
    flags |= tide_bind_boolean(L, 2, "ascii", false) ? JSON_ENSURE_ASCII : 0;
    e->max_depth = (int)tide_bind_integer(L, 2, "max_depth", 1, TIDE_JSON_DEPTH_MOST, TIDE_JSON_DEPTH);
    return flags;
}

static int push_text(lua_State *L)
{
    const struct tide_strbuf *out = lua_touserdata(L, 1);
    lua_pushlstring(L, tide_strbuf_text(out), out->size);
    return 1;
}

int tide_json_encode(lua_State *L)
{
    struct encoding e = {.L = L, .root = 1, .arena = {.memory = &tide_state_of(L)->memory}};
    size_t flags = check(L, &e);
    tide_jansson_load(L);
    tide_json_push_array_class(L);
    e.array_class = lua_topointer(L, -1);
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    bool written;
    for (int attempt = 0; lua_settop(L, 1), written = make_text(&e, flags), e.arena.failed; attempt++) {
        tide_strbuf_fini(&e.out);
        tide_jansson_starved(L, &e.arena, attempt);
    }
    tide_arena_fini(&e.arena);
    if (!written)
        return raise_refusal(&e);
    lua_pushcfunction(L, push_text);
    lua_pushlightuserdata(L, &e.out);
    int status = lua_pcall(L, 1, 1, 0);
    tide_strbuf_fini(&e.out);
    return status == LUA_OK ? 1 : lua_error(L);
}
