/* json.decode: jansson's tree of the text, then Lua values of the tree. */
#include "bindings/json.h"

#include "bindings/bind.h"
#include "bindings/errors.h"
#include "bindings/jansson.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum big_numbers { BIG_ERROR, BIG_FLOAT, BIG_STRING };

struct decoding {
    lua_State *L;
    const char *text;   /* held by the stack; behind a byte order mark */
    size_t size, mark;  /* bytes of the text, and of the mark before it */
    size_t max_depth, max_size;
    enum big_numbers big;
    struct tide_arena arena;
    json_t *root;
    size_t position;    /* of the problem: bytes of the text up to it */
    bool too_deep;
    char problem[JSON_ERROR_TEXT_LENGTH + 64];
};

/* ---- places in a text ---- */

/* The byte behind the string that begins at `at` with its quote; the end if it does not end. */
static size_t skip_string(const char *text, size_t size, size_t at)
{
    for (at++; at < size && text[at] != '"'; at++)
        if (text[at] == '\\')
            at++;
    return at < size ? at + 1 : size;
}

/* How deep brackets stand within one another, up to the one that exceeds `limit`; *at is the bytes up to there, or all. */
static size_t nesting(const struct decoding *d, size_t limit, size_t *at)
{
    size_t depth = 0, deepest = 0, i = 0;
    while (i < d->size && deepest <= limit) {
        char c = d->text[i];
        if (c == '"') {
            i = skip_string(d->text, d->size, i);
            continue;
        }
        i++;
        if ((c == '[' || c == '{') && ++depth > deepest)
            deepest = depth;
        else if (c == ']' || c == '}')
            depth -= depth > 0;
    }
    *at = i;
    return deepest;
}

/* Returns nil and the error for what is in d->problem. Columns count characters, from 1. */
static int fail(const struct decoding *d)
{
    lua_State *L = d->L;
    lua_Integer line = 1, column = 0;
    for (size_t i = 0; i < d->position && i < d->size; i++) {
        unsigned char c = (unsigned char)d->text[i];
        if (c == '\n') {
            line++;
            column = 0;
        } else {
            column += (c & 0xc0) != 0x80;
        }
    }
    lua_pushnil(L);
    lua_pushfstring(L, "line %I, column %I: %s", (LUAI_UACINT)line, (LUAI_UACINT)column, d->problem);
    tide_errors_make(L, "json");
    lua_pushinteger(L, line);
    lua_setfield(L, -2, "line");
    lua_pushinteger(L, column);
    lua_setfield(L, -2, "column");
    lua_pushinteger(L, (lua_Integer)(d->mark + d->position));
    lua_setfield(L, -2, "position");
    return 2;
}

/* ---- integers that do not fit ---- */

static bool is_of_number(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* Whether the number of `size` bytes is an integer outside of 64 bits, written as JSON has it. A character that is no part
 * of a number follows. */
static bool is_big(const char *number, size_t size)
{
    const char *digits = number + (*number == '-');
    char *end;
    if (size < 19 || *digits < '1' || *digits > '9')
        return false;
    errno = 0;
    (void)strtoll(number, &end, 10);
    return errno == ERANGE && end == number + size;
}

static void put(char *out, size_t *size, const char *bytes, size_t count)
{
    if (out)
        memcpy(out + *size, bytes, count);
    *size += count;
}

/* Copies the text to `out` with "e0" behind each big integer, or quotes around it, so that jansson takes it; both are two bytes
 * more. With `out` NULL only counts. Ends when about `stop` bytes are written, and returns how many of the text those are. */
static size_t widen(const struct decoding *d, char *out, size_t *written, size_t stop)
{
    size_t at = 0, end;
    for (*written = 0; at < d->size && *written < stop; at = end) {
        const char *before = "", *behind = "";
        end = at + 1;
        if (d->text[at] == '"') {
            end = skip_string(d->text, d->size, at);
        } else if (is_of_number(d->text[at])) {
            while (end < d->size && is_of_number(d->text[end]))
                end++;
            if (is_big(d->text + at, end - at)) {
                before = d->big == BIG_STRING ? "\"" : "";
                behind = d->big == BIG_STRING ? "\"" : "e0";
            }
        }
        put(out, written, before, strlen(before));
        put(out, written, d->text + at, end - at);
        put(out, written, behind, strlen(behind));
    }
    return *written > stop && *written - stop < at ? at - (*written - stop) : at;
}

static json_t *load(const char *text, size_t size, json_error_t *error)
{
    return tide_jansson.json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, error);
}

static bool is_big_integer(const json_error_t *error)
{
    return json_error_code(error) == json_error_numeric_overflow && strncmp(error->text, "too big", 7) == 0;
}

/* A second try, as an integer did not fit. */
static json_t *load_widened(struct decoding *d, json_error_t *error)
{
    size_t size;
    char *copy = tide_arena_alloc(&d->arena, d->size + d->size / 8 + 2); /* 2 for each 19 at most */
    if (!copy)
        return NULL;
    widen(d, copy, &size, SIZE_MAX);
    json_t *root = load(copy, size, error);
    if (!root && error->position > 0)
        error->position = (int)widen(d, NULL, &size, (size_t)error->position);
    return root;
}

/* ---- parsing ---- */

/* What jansson said, as ours. */
static void take_error(struct decoding *d, const json_error_t *error)
{
    d->position = error->position > 0 ? (size_t)error->position : 0;
    d->too_deep = json_error_code(error) == json_error_stack_overflow;
    if (json_error_code(error) == json_error_invalid_utf8 && d->position < d->size)
        d->position++; /* it stopped before the byte */
    snprintf(d->problem, sizeof d->problem, "%s%s", error->text[0] ? error->text : "no JSON",
             is_big_integer(error) ? "; the option big_numbers says what to make of it" : "");
}

/* Makes d->root, or says what the problem is; d->arena.failed: out of memory. Raises nothing. */
static void parse(struct decoding *d)
{
    json_error_t error = {.line = 0};
    d->too_deep = false;
    struct tide_jansson_stretch stretch = tide_jansson_enter(&d->arena);
    d->root = load(d->text, d->size, &error);
    if (!d->root && !d->arena.failed && d->big != BIG_ERROR && is_big_integer(&error))
        d->root = load_widened(d, &error);
    tide_jansson_leave(&stretch);
    if (!d->root)
        take_error(d, &error);
    const char *nul = memchr(d->text, '\0', d->size); /* jansson overlooks it behind a number */
    if (nul && (d->root || (size_t)(nul - d->text) < d->position)) {
        d->root = NULL;
        d->too_deep = false;
        d->position = (size_t)(nul - d->text) + 1;
        strcpy(d->problem, "a NUL byte");
    }
}

/* ---- the tree as Lua values ---- */

static bool push(struct decoding *d, json_t *json, size_t depth);

static bool push_array(struct decoding *d, json_t *json, size_t depth)
{
    size_t size = tide_jansson.json_array_size(json);
    lua_createtable(d->L, (int)size, 0);
    if (size == 0) {
        tide_json_push_array_class(d->L);
        lua_setmetatable(d->L, -2);
    }
    for (size_t i = 0; i < size; i++) {
        if (!push(d, tide_jansson.json_array_get(json, i), depth))
            return false;
        lua_rawseti(d->L, -2, (lua_Integer)i + 1);
    }
    return true;
}

static bool push_object(struct decoding *d, json_t *json, size_t depth)
{
    lua_createtable(d->L, 0, (int)tide_jansson.json_object_size(json));
    for (void *i = tide_jansson.json_object_iter(json); i; i = tide_jansson.json_object_iter_next(json, i)) {
        lua_pushlstring(d->L, tide_jansson.json_object_iter_key(i), tide_jansson.json_object_iter_key_len(i));
        if (!push(d, tide_jansson.json_object_iter_value(i), depth))
            return false;
        lua_rawset(d->L, -3);
    }
    return true;
}

/* in: -; out: the value, inside of `depth` tables. False: it is too deep, and anything may lie on the stack. */
static bool push(struct decoding *d, json_t *json, size_t depth)
{
    lua_State *L = d->L;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        if (depth == d->max_depth)
            return false;
        luaL_checkstack(L, 5, NULL);
        return json_is_array(json) ? push_array(d, json, depth + 1) : push_object(d, json, depth + 1);
    case JSON_STRING:
        lua_pushlstring(L, tide_jansson.json_string_value(json), tide_jansson.json_string_length(json));
        return true;
    case JSON_INTEGER: lua_pushinteger(L, tide_jansson.json_integer_value(json)); return true;
    case JSON_REAL: lua_pushnumber(L, tide_jansson.json_real_value(json)); return true;
    case JSON_TRUE: lua_pushboolean(L, 1); return true;
    case JSON_FALSE: lua_pushboolean(L, 0); return true;
    case JSON_NULL: lua_pushlightuserdata(L, (void *)&tide_json_null); return true;
    }
    return true;
}

static int push_root(lua_State *L)
{
    struct decoding *d = lua_touserdata(L, 1);
    d->too_deep = !push(d, d->root, 0);
    return d->too_deep ? 0 : 1;
}

/* ---- the function ---- */

static struct decoding check(lua_State *L)
{
    static const char *const keys[] = {"max_depth", "max_size", "big_numbers", NULL};
    static const char *const bigs[] = {"error", "float", "string", NULL};
    struct decoding d = {.L = L, .arena = {.memory = &tide_state_of(L)->memory}};
    luaL_checktype(L, 1, LUA_TSTRING);
    tide_bind_options(L, 2, keys);
    d.max_depth = (size_t)tide_bind_integer(L, 2, "max_depth", 1, TIDE_JSON_DEPTH_MOST, TIDE_JSON_DEPTH);
    d.max_size = (size_t)tide_bind_integer(L, 2, "max_size", 0, INT_MAX, INT_MAX);
    d.big = (enum big_numbers)tide_bind_choice(L, 2, "big_numbers", bigs, BIG_ERROR);
    d.text = lua_tolstring(L, 1, &d.size);
    if (d.size >= 3 && memcmp(d.text, "\xef\xbb\xbf", 3) == 0) {
        d.mark = 3;
        d.text += 3;
        d.size -= 3;
    }
    return d;
}

static int too_long(struct decoding *d)
{
    d->position = d->max_size > d->mark ? d->max_size - d->mark : 0;
    snprintf(d->problem, sizeof d->problem, "longer than max_size, %zu bytes", d->max_size);
    return fail(d);
}

static int too_deep(struct decoding *d)
{
    nesting(d, d->max_depth, &d->position);
    snprintf(d->problem, sizeof d->problem, "nested deeper than max_depth, %zu", d->max_depth);
    return fail(d);
}

int tide_json_decode(lua_State *L)
{
    struct decoding d = check(L);
    tide_jansson_load(L);
    if (d.size + d.mark > d.max_size)
        return too_long(&d);
    if (!tide_jansson_fits(L, TIDE_JANSSON_DEPTH)) { /* that it may take; so see what the text asks for */
        size_t at, deepest = nesting(&d, d.max_depth, &at);
        if (deepest > d.max_depth)
            return too_deep(&d);
        if (!tide_jansson_fits(L, deepest))
            return luaL_error(L, "C stack overflow");
    }
    for (int attempt = 0; parse(&d), d.arena.failed; attempt++)
        tide_jansson_starved(L, &d.arena, attempt);
    int status = LUA_OK;
    if (d.root) {
        lua_pushcfunction(L, push_root);
        lua_pushlightuserdata(L, &d);
        status = lua_pcall(L, 1, 1, 0);
    }
    tide_arena_fini(&d.arena);
    if (status != LUA_OK)
        return lua_error(L);
    if (d.too_deep)
        return too_deep(&d);
    return d.root ? 1 : fail(&d);
}
