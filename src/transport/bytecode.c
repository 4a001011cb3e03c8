#include "transport/bytecode.h"

#include "base/alloc.h"
#include "base/error.h"

#include <lauxlib.h>
#include <string.h>

/* The few instructions that touch upvalues, by their numbers in Lua 5.4, and where their arguments stand. */
enum { OP_GETUPVAL = 9, OP_SETUPVAL = 10, OP_GETTABUP = 11, OP_SETTABUP = 15 };

static unsigned op(uint32_t i)
{
    return i & 0x7f;
}

static unsigned arg_a(uint32_t i)
{
    return (i >> 7) & 0xff;
}

static unsigned arg_b(uint32_t i)
{
    return (i >> 16) & 0xff;
}

static unsigned arg_c(uint32_t i)
{
    return i >> 24;
}

/* The tags of constants. */
enum { K_NIL = 0x00, K_FALSE = 0x01, K_TRUE = 0x11, K_INTEGER = 0x03, K_FLOAT = 0x13, K_SHORT = 0x04, K_LONG = 0x14 };

enum { NESTING_MAX = 220, NOT_CAPTURED = -1 };

struct scan {
    struct tide_bytecode *out;
    const unsigned char *at, *end;
    int error;
};

/* What an upvalue of a nested function is in the dumped one: its index there, or NOT_CAPTURED. */
struct map {
    int16_t outer[TIDE_UPVALUES_MAX];
};

static bool fail(struct scan *s, int error)
{
    if (!s->error)
        s->error = error;
    s->at = s->end;
    return false;
}

static bool skip(struct scan *s, size_t size)
{
    if ((size_t)(s->end - s->at) < size)
        return fail(s, TIDE_ECORRUPT);
    s->at += size;
    return true;
}

static unsigned get_byte(struct scan *s)
{
    return skip(s, 1) ? s->at[-1] : 0;
}

/* Sizes stand in groups of seven bits, the highest first, the last one marked. */
static size_t get_size(struct scan *s)
{
    size_t n = 0;
    for (int i = 0; i < 10; i++) {
        unsigned byte = get_byte(s);
        n = n << 7 | (byte & 0x7f);
        if (byte & 0x80)
            return n;
    }
    fail(s, TIDE_ECORRUPT);
    return 0;
}

/* A count of things that take at least `each` bytes. */
static size_t get_count(struct scan *s, size_t each)
{
    size_t n = get_size(s);
    if (n > (size_t)(s->end - s->at) / each) {
        fail(s, TIDE_ECORRUPT);
        return 0;
    }
    return n;
}

/* Strings have their size plus one before them; 0 is none. */
static struct tide_bytecode_name get_string(struct scan *s)
{
    struct tide_bytecode_name name = {NULL, 0, false};
    size_t n = get_size(s);
    if (n == 0 || n - 1 > UINT32_MAX || !skip(s, n - 1))
        return name;
    name.text = (const char *)s->at - (n - 1);
    name.size = (uint32_t)(n - 1);
    return name;
}

static bool check_header(struct scan *s)
{
    static const unsigned char expected[] = {0x1b, 'L', 'u', 'a', 0x54, 0, 0x19, 0x93, '\r', '\n', 0x1a, '\n',
        4, sizeof(lua_Integer), sizeof(lua_Number)};
    const unsigned char *at = s->at;
    lua_Integer integer = 0x5678;
    lua_Number number = 370.5;
    if (!skip(s, sizeof expected + sizeof integer + sizeof number))
        return false;
    if (memcmp(at, expected, sizeof expected) != 0 ||
        memcmp(at + sizeof expected, &integer, sizeof integer) != 0 ||
        memcmp(at + sizeof expected + sizeof integer, &number, sizeof number) != 0)
        return fail(s, TIDE_ECORRUPT);
    return true;
}

/* Doubles an array of names. */
static bool grow(struct scan *s, struct tide_bytecode_name **array, uint32_t *room, size_t need)
{
    if (need <= *room)
        return true;
    size_t wanted = *room ? *room : 32;
    while (wanted < need)
        wanted *= 2;
    struct tide_bytecode_name *more =
        wanted > UINT32_MAX ? NULL : tide_realloc(*array, wanted * sizeof(struct tide_bytecode_name));
    if (!more)
        return fail(s, TIDE_ENOMEM);
    *array = more;
    *room = (uint32_t)wanted;
    return true;
}

static void add_name(struct scan *s, struct tide_bytecode_name name, bool certain)
{
    struct tide_bytecode *b = s->out;
    if (!name.text || !grow(s, &b->names, &b->name_room, (size_t)b->name_count + 1))
        return;
    name.certain = certain;
    b->names[b->name_count++] = name;
}

/* Reads the constants into the scratch array; those that are no strings become empty entries. */
static size_t get_constants(struct scan *s)
{
    size_t count = get_count(s, 1);
    if (!grow(s, &s->out->constants, &s->out->constant_room, count))
        return 0;
    for (size_t i = 0; i < count && !s->error; i++) {
        struct tide_bytecode_name name = {NULL, 0, false};
        switch (get_byte(s)) {
        case K_NIL: case K_FALSE: case K_TRUE: break;
        case K_INTEGER: skip(s, sizeof(lua_Integer)); break;
        case K_FLOAT: skip(s, sizeof(lua_Number)); break;
        case K_SHORT: case K_LONG: name = get_string(s); break;
        default: fail(s, TIDE_ECORRUPT);
        }
        s->out->constants[i] = name;
    }
    return s->error ? 0 : count;
}

/* Reads the descriptions of the upvalues and finds what they are in the dumped function. `outer` is NULL for that one. */
static void get_upvalues(struct scan *s, const struct map *outer, struct map *map)
{
    size_t count = get_count(s, 3);
    if (count > TIDE_UPVALUES_MAX) {
        fail(s, TIDE_ECORRUPT);
        return;
    }
    for (size_t i = 0; i < TIDE_UPVALUES_MAX; i++)
        map->outer[i] = NOT_CAPTURED;
    for (size_t i = 0; i < count; i++) {
        unsigned in_stack = get_byte(s), index = get_byte(s);
        get_byte(s);
        if (!outer)
            map->outer[i] = (int16_t)i;
        else if (!in_stack)
            map->outer[i] = outer->outer[index];
    }
}

static struct tide_bytecode_name constant(struct scan *s, size_t count, unsigned index)
{
    return index < count ? s->out->constants[index] : (struct tide_bytecode_name){NULL, 0, false};
}

static bool is_env(struct scan *s, const struct map *map, unsigned upvalue)
{
    return map->outer[upvalue] != NOT_CAPTURED && s->out->is_env[map->outer[upvalue]];
}

static void one_instruction(struct scan *s, uint32_t i, const struct map *map, size_t constants, bool *fetched)
{
    struct tide_bytecode *b = s->out;
    struct tide_bytecode_name name;
    switch (op(i)) {
    case OP_GETUPVAL:
        if (is_env(s, map, arg_b(i)))
            *fetched = true;
        break;
    case OP_SETUPVAL:
        if (is_env(s, map, arg_b(i)))
            b->sets_globals = true;
        else if (map->outer[arg_b(i)] != NOT_CAPTURED)
            b->assigns = true;
        break;
    case OP_GETTABUP:
        if (!is_env(s, map, arg_b(i)))
            break;
        name = constant(s, constants, arg_c(i));
        if (name.size == 2 && memcmp(name.text, "_G", 2) == 0)
            *fetched = true;
        else
            add_name(s, name, true);
        break;
    case OP_SETTABUP:
        if (is_env(s, map, arg_a(i)))
            b->sets_globals = true;
        break;
    default: break;
    }
}

/* Debug information: line offsets, absolute lines, local variables, names of upvalues. */
static void skip_debug(struct scan *s)
{
    size_t n = get_size(s);
    skip(s, n);
    for (n = get_count(s, 2); n > 0 && !s->error; n--) {
        get_size(s);
        get_size(s);
    }
    for (n = get_count(s, 3); n > 0 && !s->error; n--) {
        get_string(s);
        get_size(s);
        get_size(s);
    }
    for (n = get_count(s, 1); n > 0 && !s->error; n--)
        get_string(s);
}

/* One function and those in it. With `loose`, a function around it has the environment as a value, and may have passed it in
 * in a way that cannot be followed: all strings count as names. */
static void get_function(struct scan *s, const struct map *outer, bool loose, int depth)
{
    struct map map;
    if (depth > NESTING_MAX)
        fail(s, TIDE_ECORRUPT);
    get_string(s);                                  /* source */
    get_size(s), get_size(s);                       /* first and last line */
    get_byte(s), get_byte(s), get_byte(s);          /* parameters, vararg, stack */
    size_t count = get_count(s, 4);
    const unsigned char *code = s->at;
    skip(s, count * 4);
    size_t constants = get_constants(s);
    get_upvalues(s, outer, &map);
    bool fetched = false;
    for (size_t i = 0; i < count && !s->error; i++) {
        uint32_t instruction;
        memcpy(&instruction, code + i * 4, 4);
        one_instruction(s, instruction, &map, constants, &fetched);
    }
    if (fetched)
        s->out->leaks = true;
    loose = loose || fetched;
    for (size_t i = 0; loose && i < constants; i++)
        add_name(s, s->out->constants[i], false);
    for (size_t n = get_count(s, 1); n > 0 && !s->error; n--)
        get_function(s, &map, loose, depth + 1);
    skip_debug(s);
}

int tide_bytecode_scan(struct tide_bytecode *b, const void *dump, size_t size)
{
    struct scan s = {.out = b, .at = dump, .end = (const unsigned char *)dump + size};
    b->name_count = 0;
    b->assigns = b->sets_globals = b->leaks = false;
    if (check_header(&s)) {
        get_byte(&s); /* upvalues */
        get_function(&s, NULL, false, 0);
    }
    if (!s.error && s.at != s.end)
        fail(&s, TIDE_ECORRUPT);
    return s.error;
}

void tide_bytecode_fini(struct tide_bytecode *b)
{
    tide_free(b->names);
    tide_free(b->constants);
    *b = (struct tide_bytecode){0};
}

/* ---- the proof ---- */

struct dump {
    unsigned char bytes[2048];
    size_t size;
};

static int dump_writer(lua_State *L, const void *bytes, size_t size, void *arg)
{
    struct dump *d = arg;
    if (sizeof d->bytes - d->size < size)
        return 1;
    memcpy(d->bytes + d->size, bytes, size);
    d->size += size;
    return 0;
}

/* Scans the function on top, whose first upvalue is the environment. The names are in `d`. */
static bool scan_top(lua_State *L, struct dump *d, struct tide_bytecode *b)
{
    d->size = 0;
    *b = (struct tide_bytecode){.is_env = {true}};
    return lua_dump(L, dump_writer, d, 0) == 0 && tide_bytecode_scan(b, d->bytes, d->size) == TIDE_OK;
}

static bool names_are(const struct tide_bytecode *b, const char *first, const char *second)
{
    return b->name_count == 2 && b->names[0].size == strlen(first) && b->names[1].size == strlen(second) &&
        memcmp(b->names[0].text, first, strlen(first)) == 0 && memcmp(b->names[1].text, second, strlen(second)) == 0;
}

void tide_bytecode_prove(lua_State *L)
{
    static const char reads[] = "local a = 1.5; return function(x) return alpha.y, x + a, function() beta() a = 2 end end";
    static const char sets[] = "local a; gamma = 1; local function f() a = _ENV end return f";
    struct tide_bytecode b = {0};
    struct dump d;
    bool good = luaL_loadbufferx(L, reads, sizeof reads - 1, "=probe", "t") == LUA_OK && scan_top(L, &d, &b);
    good = good && names_are(&b, "alpha", "beta") && !b.assigns && !b.sets_globals && !b.leaks;
    tide_bytecode_fini(&b);
    if (good) {
        lua_call(L, 0, 1); /* of the inner function, the environment is the first upvalue and `a` the second */
        good = scan_top(L, &d, &b) && names_are(&b, "alpha", "beta") && b.assigns && !b.sets_globals && !b.leaks;
        tide_bytecode_fini(&b);
    }
    lua_pop(L, 1);
    if (good) {
        good = luaL_loadbufferx(L, sets, sizeof sets - 1, "=probe", "t") == LUA_OK && scan_top(L, &d, &b);
        good = good && b.sets_globals && b.leaks && !b.assigns;
        tide_bytecode_fini(&b);
        lua_pop(L, 1);
    }
    if (!good)
        luaL_error(L, "the bytecode of this Lua is not known: Tidemill needs an unpatched Lua 5.4");
}
