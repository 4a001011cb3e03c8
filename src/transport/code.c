/* Functions that travel, on both sides.
 *
 * Sending    SLOT_CODES: a function → the code made of it, with a note of every captured value and named global that went in.
 *            The next time each is compared; a function that captured a table is encoded anew, since tables change unseen.
 *            A note is made only from the second time on: most closures are sent once.
 * Receiving  SLOT_DECODED: the code's id → the function, kept only where the code says that nobody can tell. */
#include "transport/code.h"

#include "transport/decode.h"
#include "transport/env.h"
#include "transport/names.h"
#include "transport/origin.h"
#include "transport/pack.h"
#include "transport/packer.h"

#include <lauxlib.h>
#include <stddef.h>

enum { CHECKS_MAX = 200, BACKOFF_MAX = 64 };

/* A value, as far as it has to be compared: what it refers to is anchored, so an address says all. */
struct mark {
    uint64_t bits;
    uint32_t kind;
};

struct check {
    struct mark mark;
    uint32_t anchor;        /* the function (0: the one that is sent), or the name of the global */
    uint32_t upvalue;       /* 0: a global */
};

/* A userdata; its uservalue is the table of anchors, in which [1] is the environment or false. */
struct note {
    struct tide_code *code; /* one reference; NULL until it is made */
    unsigned hits, backoff;
    uint32_t count, room;
    struct check checks[];
};

static int note_gc(lua_State *L)
{
    struct note *note = lua_touserdata(L, 1);
    tide_code_unref(note->code);
    note->code = NULL;
    return 0;
}

void tide_code_open(lua_State *L, struct tide_transport *t)
{
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, note_gc);
    lua_setfield(L, -2, "__gc");
    tide_slot_set(L, t, TIDE_SLOT_CODE_META);
}

static struct mark mark_of(lua_State *L, int index)
{
    enum { INTEGER = 100 };
    struct mark m = {0, (uint32_t)lua_type(L, index)};
    lua_Number number;
    switch (m.kind) {
    case LUA_TNIL: break;
    case LUA_TBOOLEAN: m.bits = (uint64_t)lua_toboolean(L, index); break;
    case LUA_TNUMBER:
        if (lua_isinteger(L, index)) {
            m.kind = INTEGER;
            m.bits = (uint64_t)lua_tointeger(L, index);
        } else {
            number = lua_tonumber(L, index);
            memcpy(&m.bits, &number, sizeof number);
        }
        break;
    default: m.bits = (uintptr_t)lua_topointer(L, index);
    }
    return m;
}

/* ---- the note of what went in ---- */

/* in: anchors at `anchors`, a value on top; out: popped. Keeps the value alive; returns its place. */
static uint32_t anchor(lua_State *L, int anchors)
{
    lua_Unsigned place = lua_rawlen(L, anchors) + 1;
    lua_rawseti(L, anchors, (lua_Integer)place);
    return (uint32_t)place;
}

/* in: value on top; out: popped */
static bool add_check(lua_State *L, struct note *note, int anchors, uint32_t of, uint32_t upvalue)
{
    if (note->count == note->room) {
        lua_pop(L, 1);
        return false;
    }
    bool absent = upvalue == 0 && lua_islightuserdata(L, -1) && !lua_touserdata(L, -1);
    struct mark mark = absent ? (struct mark){0, LUA_TNIL} : mark_of(L, -1);
    note->checks[note->count++] = (struct check){mark, of, upvalue};
    if (lua_isnil(L, -1) || lua_isboolean(L, -1) || lua_isnumber(L, -1))
        lua_pop(L, 1);
    else
        anchor(L, anchors);
    return true;
}

/* Notes the captured values of all functions in the graph, and the globals that were looked up. */
static bool fill_note(lua_State *L, struct tide_packer *p, int function, struct note *note, int anchors)
{
    for (uint32_t id = 1; id <= p->node_count; id++) {
        if (p->nodes[id].kind != TIDE_KIND_FUNCTION)
            continue;
        lua_rawgeti(L, p->pending, id);
        int at = lua_gettop(L);
        uint32_t of = 0;
        if (!lua_rawequal(L, at, function)) {
            lua_pushvalue(L, at);
            of = anchor(L, anchors);
        }
        for (int i = 1; lua_getupvalue(L, at, i); i++)
            if (!add_check(L, note, anchors, of, (uint32_t)i))
                return false;
        lua_pop(L, 1);
    }
    if (!lua_istable(L, p->seen))
        return true;
    for (lua_pushnil(L); lua_next(L, p->seen);) {
        lua_pushvalue(L, -2);
        uint32_t name = anchor(L, anchors);
        if (!add_check(L, note, anchors, name, 0))
            return false;
    }
    return true;
}

/* Makes the note of the graph under way and enters it for the function; NULL if the function cannot be kept. in: codes at
 * `codes`. Leaves things on the stack. */
static struct note *make_note(lua_State *L, struct tide_packer *p, int function, int codes, unsigned backoff)
{
    if (p->tables > 0 || p->env_mixed)
        return NULL;
    size_t room = lua_istable(L, p->seen) ? 24 : 4;
    room += p->node_count * 8;
    room = room < CHECKS_MAX ? room : CHECKS_MAX;
    struct note *note = lua_newuserdatauv(L, sizeof *note + room * sizeof(struct check), 1);
    *note = (struct note){.backoff = backoff, .room = (uint32_t)room};
    int self = lua_gettop(L);
    tide_slot_push(L, p->t, TIDE_SLOT_CODE_META);
    lua_setmetatable(L, self);
    lua_createtable(L, 8, 0);
    if (p->env)
        lua_rawgeti(L, p->pending, p->env);
    else
        lua_pushboolean(L, 0);
    lua_rawseti(L, self + 1, 1);
    if (!fill_note(L, p, function, note, self + 1))
        return NULL;
    lua_settop(L, self + 1);
    lua_setiuservalue(L, self, 1);
    lua_pushvalue(L, function);
    lua_pushvalue(L, self);
    lua_rawset(L, codes);
    return note;
}

/* in: anchors, environment on top; out: and the value that the check is about */
static void push_checked(lua_State *L, const struct check *check, int function, int anchors)
{
    if (check->upvalue == 0) {
        int env = anchors + 1;
        lua_rawgeti(L, anchors, check->anchor);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, env) == LUA_TNIL) {
            lua_settop(L, env + 1); /* it may stand in a layer below */
            tide_env_lookup(L, env);
        }
    } else if (check->anchor == 0) {
        lua_getupvalue(L, function, (int)check->upvalue);
    } else {
        lua_rawgeti(L, anchors, check->anchor);
        lua_getupvalue(L, -1, (int)check->upvalue);
    }
}

/* in: the note on top; out: the same. Whether the function at `function` would be encoded as it was. */
static bool unchanged(lua_State *L, const struct note *note, int function)
{
    if (note->count == 0)
        return true;
    int top = lua_gettop(L), anchors = top + 1;
    bool same = true;
    lua_getiuservalue(L, top, 1);
    lua_rawgeti(L, anchors, 1);
    for (uint32_t i = 0; i < note->count && same; i++) {
        const struct check *check = &note->checks[i];
        push_checked(L, check, function, anchors);
        struct mark now = mark_of(L, -1);
        same = now.bits == check->mark.bits && now.kind == check->mark.kind;
        lua_settop(L, anchors + 1);
    }
    lua_settop(L, top);
    return same;
}

/* ---- sending ---- */

/* The parcel and the code of a graph that was encoded. 0 and *out, or TIDE_ENOMEM. Nothing of Lua raises in here. */
static int make_code(struct tide_packer *p, struct tide_origin *origin, struct tide_code **out)
{
    struct tide_parcel *parcel;
    bool assigns = p->assigns, sets_globals = p->sets_globals, tables = p->tables > 0;
    bool reflects = p->leaks || p->reflects;
    int error = tide_encode_finish(p);
    if (!error)
        error = tide_packer_parcel(p, &parcel);
    if (error)
        return error;
    struct tide_code *code = tide_code_new(parcel, origin);
    if (!code)
        return TIDE_ENOMEM;
    code->reusable = !assigns && !sets_globals && !tables && !reflects;
    code->watched = assigns || tables;
    code->sets_globals = sets_globals;
    code->reflects = reflects;
    *out = code;
    return 0;
}

/* The origin of the function whose graph was encoded: node 1, the first in the shells. */
static struct tide_origin *find_origin(lua_State *L, struct tide_packer *p, int function)
{
    char shown[120];
    size_t size = 0;
    uint32_t code = 0;
    if (p->nodes[1].kind == TIDE_KIND_FUNCTION) {
        memcpy(&code, p->shells.data + 2, sizeof code);
        return tide_origin_of(L, function, NULL, p->shells.data + 2 + sizeof code, code);
    }
    const char *name = tide_names_find(L, p->t, function, &size);
    tide_names_print(name ? name : "?", name ? size : 1, shown, sizeof shown);
    return tide_origin_of(L, function, shown, NULL, 0);
}

/* How many more times a function is encoded before a note of it is made, and how many after a note that was of no use. */
static lua_Integer pause_of(unsigned backoff, unsigned left)
{
    return (lua_Integer)backoff << 8 | left;
}

/* Encodes anew. `entry` is what SLOT_CODES had for the function; `backoff` 0: make no note. */
static struct tide_code *encode(lua_State *L, struct tide_transport *t, int function, int codes, unsigned backoff)
{
    int top = lua_gettop(L);
    struct tide_code *code = NULL;
    struct note *note = NULL;
    struct tide_packer *p = tide_packer_take(L, t);
    int self = top + 1;
    int error = tide_encode_graph(p, L, self, (struct tide_root){"function", function, 1});
    if (!error) {
        struct tide_origin *origin = find_origin(L, p, function);
        if (origin && backoff)
            note = make_note(L, p, function, codes, backoff);
        error = origin ? make_code(p, origin, &code) : TIDE_ENOMEM;
    }
    tide_packer_give(p, L, self);
    if (error == TIDE_EREFUSED)
        lua_error(L);
    if (error)
        tide_transport_nomem(L);
    if (note)
        note->code = tide_code_ref(code);
    lua_settop(L, top);
    return code;
}

struct tide_code *tide_pack_function(lua_State *L, int index)
{
    struct tide_transport *t = tide_transport_of(L);
    int function = lua_absindex(L, index), top = lua_gettop(L), codes = top + 1;
    unsigned backoff = 0;
    lua_Integer pause = pause_of(1, 0);
    luaL_checkstack(L, 20, NULL);
    tide_slot_push(L, t, TIDE_SLOT_CODES);
    lua_pushvalue(L, function);
    switch (lua_rawget(L, codes)) {
    case LUA_TUSERDATA: {
        struct note *note = lua_touserdata(L, -1);
        if (note->code && unchanged(L, note, function)) {
            struct tide_code *code = tide_code_ref(note->code);
            note->hits++;
            lua_settop(L, top);
            return code;
        }
        backoff = note->hits ? 1 : 0;
        unsigned longer = note->backoff < BACKOFF_MAX ? note->backoff * 2 : BACKOFF_MAX;
        pause = pause_of(longer, longer);
        break;
    }
    case LUA_TNUMBER: {
        unsigned before = (unsigned)lua_tointeger(L, -1);
        backoff = (before & 0xff) == 0 ? before >> 8 : 0;
        pause = pause_of(before >> 8, (before & 0xff) - 1);
        break;
    }
    default: break;
    }
    lua_settop(L, codes);
    if (backoff == 0) {
        lua_pushvalue(L, function);
        lua_pushinteger(L, pause);
        lua_rawset(L, codes);
    }
    struct tide_code *code = encode(L, t, function, codes, backoff);
    lua_settop(L, top);
    return code;
}

/* ---- receiving ---- */

void tide_code_decode(lua_State *L, const struct tide_code *code)
{
    struct tide_reader in = tide_reader_of(code->parcel);
    if (tide_decode(L, code->parcel, &in) != 1)
        luaL_error(L, "corrupt message");
}

void tide_unpack_function(lua_State *L, struct tide_code *code)
{
    if (!code->reusable) {
        tide_code_decode(L, code);
        return;
    }
    luaL_checkstack(L, 4, NULL);
    tide_slot_push(L, tide_transport_of(L), TIDE_SLOT_DECODED);
    if (lua_rawgeti(L, -1, (lua_Integer)code->id) != LUA_TFUNCTION) {
        lua_pop(L, 1);
        tide_code_decode(L, code);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, (lua_Integer)code->id);
    }
    lua_remove(L, -2);
}
