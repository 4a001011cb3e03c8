#include "transport/pack.h"

#include "base/alloc.h"
#include "transport/handle.h"
#include "transport/names.h"
#include "transport/packer.h"
#include "transport/wire.h"

#include <lauxlib.h>

/* ---- the packer as a userdata ---- */

static void drop_objects(struct tide_packer *p)
{
    while (p->object_count > 0)
        tide_object_unref(p->objects[--p->object_count]);
}

static void free_buffers(struct tide_packer *p)
{
    tide_strbuf_fini(&p->out);
    tide_strbuf_fini(&p->shells);
    tide_strbuf_fini(&p->bodies);
    tide_strbuf_fini(&p->standards);
    tide_strbuf_fini(&p->globals);
    tide_strbuf_fini(&p->roots);
    tide_bytecode_fini(&p->code);
    tide_free(p->nodes);
    tide_free(p->objects);
    p->nodes = NULL;
    p->objects = NULL;
    p->node_room = p->object_room = 0;
}

static int packer_gc(lua_State *L)
{
    struct tide_packer *p = lua_touserdata(L, 1);
    if (p->t->spare == p)
        p->t->spare = NULL;
    if (p->t->stream == p)
        p->t->stream_owner = NULL;
    drop_objects(p);
    free_buffers(p);
    tide_memo_fini(&p->memo);
    return 0;
}

void tide_packer_open(lua_State *L, struct tide_transport *t)
{
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, packer_gc);
    lua_setfield(L, -2, "__gc");
    tide_slot_set(L, t, TIDE_SLOT_PACKER_META);
}

struct tide_packer *tide_packer_take(lua_State *L, struct tide_transport *t)
{
    struct tide_packer *p = t->spare;
    if (p) {
        t->spare = NULL;
        tide_slot_push(L, t, TIDE_SLOT_SPARE);
        return p;
    }
    p = lua_newuserdatauv(L, sizeof *p, 1);
    memset(p, 0, sizeof *p);
    p->t = t;
    tide_slot_push(L, t, TIDE_SLOT_PACKER_META);
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    tide_slot_set(L, t, TIDE_SLOT_SPARE); /* t->spare says whether it may be taken */
    return p;
}

void tide_packer_give(struct tide_packer *p, lua_State *L, int self)
{
    enum { KEPT = 256 * 1024 };
    drop_objects(p);
    if (p->t->spare || p->out.room + p->shells.room + p->bodies.room + p->roots.room > KEPT)
        free_buffers(p);
    tide_strbuf_clear(&p->out);
    p->count = 0;
    if (!p->t->spare) {
        lua_pushvalue(L, self);
        tide_slot_set(L, p->t, TIDE_SLOT_SPARE);
        p->t->spare = p;
    }
}

int tide_packer_parcel(struct tide_packer *p, struct tide_parcel **out)
{
    struct tide_parcel *parcel = tide_parcel_new(p->object_count, p->out.size);
    if (!parcel)
        return TIDE_ENOMEM;
    if (p->object_count)
        memcpy(parcel->slots, p->objects, p->object_count * sizeof(struct tide_object *));
    p->object_count = 0; /* their references went over */
    if (p->out.size)
        memcpy(tide_parcel_bytes(parcel), p->out.data, p->out.size);
    parcel->count = p->count;
    *out = parcel;
    return 0;
}

/* ---- parcels without a graph ---- */

/* The most that the values take, and how many handles are among them; false if one of them needs a graph. */
static bool measure(lua_State *L, int first, int count, size_t *bytes, uint32_t *handles)
{
    size_t size = 0;
    uint32_t objects = 0;
    for (int i = first; i < first + count; i++) {
        switch (lua_type(L, i)) {
        case LUA_TNIL: case LUA_TBOOLEAN: size += 1; break;
        case LUA_TNUMBER: case LUA_TLIGHTUSERDATA: size += 1 + sizeof(lua_Integer); break;
        case LUA_TSTRING: size += TIDE_NUMBER_MAX + lua_rawlen(L, i); break;
        case LUA_TUSERDATA:
            if (!tide_handle_test(L, i, NULL))
                return false;
            tide_handle_register(L, i);
            objects++;
            size += TIDE_NUMBER_MAX;
            break;
        default: return false;
        }
    }
    *bytes = size;
    *handles = objects;
    return true;
}

static struct tide_parcel *pack_flat(lua_State *L, int first, int count, size_t bytes, uint32_t handles)
{
    struct tide_parcel *parcel = tide_parcel_new(handles, bytes);
    if (!parcel)
        return NULL;
    unsigned char *at = tide_parcel_bytes(parcel);
    size_t size;
    const char *text;
    uint32_t objects = 0;
    for (int i = first; i < first + count; i++) {
        switch (lua_type(L, i)) {
        case LUA_TNIL: *at++ = TIDE_TAG_NIL; break;
        case LUA_TBOOLEAN: *at++ = lua_toboolean(L, i) ? TIDE_TAG_TRUE : TIDE_TAG_FALSE; break;
        case LUA_TNUMBER:
            at = lua_isinteger(L, i) ? tide_put_integer(at, lua_tointeger(L, i)) : tide_put_float(at, lua_tonumber(L, i));
            break;
        case LUA_TSTRING:
            text = lua_tolstring(L, i, &size);
            at = tide_put_raw(tide_put_string_head(at, size), text, size);
            break;
        case LUA_TUSERDATA:
            parcel->slots[objects] = tide_handle_test(L, i, NULL);
            tide_object_ref(parcel->slots[objects]);
            *at++ = TIDE_TAG_HANDLE;
            at = tide_put_varint(at, objects++);
            break;
        default: at = tide_put_light(at, lua_touserdata(L, i));
        }
    }
    parcel->size = (size_t)(at - tide_parcel_bytes(parcel));
    parcel->count = (uint32_t)count;
    return parcel;
}

/* out: the message of the failure; that of a refusal is there already */
static int fail(lua_State *L, int error)
{
    if (error == TIDE_ENOMEM) {
        luaL_checkstack(L, 1, NULL);
        tide_slot_push(L, tide_transport_of(L), TIDE_SLOT_NOMEM);
    }
    return error;
}

int tide_pack_values(lua_State *L, int first, int count, const char *noun, struct tide_parcel **out)
{
    size_t bytes;
    uint32_t handles;
    first = lua_absindex(L, first);
    if (measure(L, first, count, &bytes, &handles)) {
        *out = pack_flat(L, first, count, bytes, handles);
        return *out ? 0 : fail(L, TIDE_ENOMEM);
    }
    luaL_checkstack(L, 10, NULL);
    struct tide_packer *p = tide_packer_take(L, tide_transport_of(L));
    int self = lua_gettop(L);
    int error = tide_encode(p, L, self, (struct tide_root){noun, first, count});
    if (!error)
        error = tide_packer_parcel(p, out);
    tide_packer_give(p, L, self);
    lua_remove(L, self);
    return error ? fail(L, error) : 0;
}

int tide_pack_try(lua_State *L, int first, int count, struct tide_parcel **out)
{
    return tide_pack_values(L, first, count, "argument", out);
}

struct tide_parcel *tide_pack(lua_State *L, int first, int count)
{
    struct tide_parcel *parcel;
    if (tide_pack_try(L, first, count, &parcel) != 0)
        lua_error(L);
    return parcel;
}

/* ---- streams ---- */

void tide_packer_begin(lua_State *L)
{
    struct tide_transport *t = tide_transport_of(L);
    luaL_checkstack(L, 6, NULL);
    t->stream_owner = NULL;
    tide_slot_push(L, t, TIDE_SLOT_PACKERS);
    lua_pushthread(L);
    struct tide_packer *p = tide_packer_take(L, t);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    t->stream = p;
    t->stream_owner = L;
}

/* out: the coroutine's packer */
static struct tide_packer *push_stream(lua_State *L, struct tide_transport *t)
{
    luaL_checkstack(L, 6, NULL);
    tide_slot_push(L, t, TIDE_SLOT_PACKERS);
    lua_pushthread(L);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    struct tide_packer *p = lua_touserdata(L, -1);
    if (!p)
        luaL_error(L, "no stream was begun here");
    t->stream = p;
    t->stream_owner = L;
    return p;
}

int tide_packer_try(lua_State *L, int index, const char *noun)
{
    struct tide_transport *t = tide_transport_of(L);
    if (t->stream_owner == L && tide_encode_plain(t->stream, L, index) > 0)
        return 0;
    index = lua_absindex(L, index);
    struct tide_packer *p = push_stream(L, t);
    int self = lua_gettop(L);
    size_t size = p->out.size;
    uint32_t count = p->count;
    int error = tide_encode(p, L, self, (struct tide_root){noun, index, 1});
    if (error) {
        p->out.failed = false;
        p->out.size = size;
        p->count = count;
    }
    lua_remove(L, self);
    return error ? fail(L, error) : 0;
}

void tide_packer_add(lua_State *L, int index)
{
    if (tide_packer_try(L, index, "item") != 0)
        lua_error(L);
}

size_t tide_packer_size(lua_State *L)
{
    struct tide_transport *t = tide_transport_of(L);
    struct tide_packer *p = t->stream;
    if (t->stream_owner != L) {
        p = push_stream(L, t);
        lua_pop(L, 1);
    }
    return p->out.size;
}

struct tide_parcel *tide_packer_finish(lua_State *L)
{
    struct tide_transport *t = tide_transport_of(L);
    struct tide_parcel *parcel = NULL;
    struct tide_packer *p = push_stream(L, t);
    int self = lua_gettop(L);
    tide_slot_push(L, t, TIDE_SLOT_PACKERS);
    lua_pushthread(L);
    lua_pushnil(L);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    t->stream_owner = NULL;
    int error = tide_packer_parcel(p, &parcel);
    tide_packer_give(p, L, self);
    lua_pop(L, 1);
    if (error)
        tide_transport_nomem(L);
    return parcel;
}
