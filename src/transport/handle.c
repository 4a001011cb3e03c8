#include "transport/handle.h"

#include "transport/record.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>

/* The payload. `seal` tells our userdata from others' without a look at metatables: it is made from the payload's own
 * address and one of ours, so neither foreign bytes nor a copy of ours have it; __gc clears it before the memory is given
 * back. */
struct handle {
    struct tide_object *object; /* NULL once finalized */
    uintptr_t seal;
    bool registered;
};

static const char salt;

static uintptr_t seal_of(const struct handle *h)
{
    return ((uintptr_t)h ^ (uintptr_t)&salt) * (uintptr_t)0x9e3779b97f4a7c15;
}

static struct handle *handle_at(lua_State *L, int index)
{
    struct handle *h = lua_touserdata(L, index);
    if (!h || lua_rawlen(L, index) != sizeof *h || h->seal != seal_of(h))
        return NULL;
    return h;
}

static int handle_gc(lua_State *L)
{
    struct handle *h = handle_at(L, 1);
    if (h) {
        struct tide_object *object = h->object;
        h->object = NULL;
        h->seal = 0;
        tide_object_unref(object);
    }
    return 0;
}

void tide_handle_class(lua_State *L, const struct tide_class *class)
{
    lua_pushcfunction(L, handle_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushstring(L, class->name);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "__name");
    lua_setfield(L, -2, "__metatable");
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, class->name);
    lua_rawsetp(L, LUA_REGISTRYINDEX, class);
}

/* out: a handle that has the object and a reference to it */
static struct handle *push_new(lua_State *L, struct tide_object *object)
{
    struct handle *h = lua_newuserdatauv(L, sizeof *h, object->class->kept);
    *h = (struct handle){0};
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, object->class) != LUA_TTABLE)
        luaL_error(L, "the class %s was not opened in this state", object->class->name);
    lua_setmetatable(L, -2);
    tide_object_ref(object);
    h->object = object;
    h->seal = seal_of(h);
    return h;
}

void tide_handle_new(lua_State *L, struct tide_object *object)
{
    luaL_checkstack(L, 4, NULL);
    push_new(L, object);
}

void tide_handle_push(lua_State *L, struct tide_object *object)
{
    luaL_checkstack(L, 5, NULL);
    tide_slot_push(L, tide_transport_of(L), TIDE_SLOT_HANDLES);
    if (lua_rawgetp(L, -1, object) != LUA_TUSERDATA) {
        lua_pop(L, 1);
        struct handle *h = push_new(L, object);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, -3, object);
        h->registered = true;
    }
    lua_remove(L, -2);
}

void tide_handle_register(lua_State *L, int index)
{
    struct handle *h = handle_at(L, index);
    if (!h || !h->object || h->registered)
        return;
    index = lua_absindex(L, index);
    luaL_checkstack(L, 3, NULL);
    tide_slot_push(L, tide_transport_of(L), TIDE_SLOT_HANDLES);
    lua_pushvalue(L, index);
    lua_rawsetp(L, -2, h->object);
    lua_pop(L, 1);
    h->registered = true;
}

struct tide_object *tide_handle_test(lua_State *L, int index, const struct tide_class *class)
{
    struct handle *h = handle_at(L, index);
    if (!h || !h->object || (class && h->object->class != class))
        return NULL;
    return h->object;
}

struct tide_object *tide_handle_check(lua_State *L, int arg, const struct tide_class *class)
{
    struct tide_object *object = tide_handle_test(L, arg, class);
    if (!object)
        luaL_typeerror(L, arg, class->name);
    return object;
}

void tide_handle_charge(lua_State *L, size_t bytes)
{
    enum { STEP = 64 * 1024 };
    struct tide_transport *t = tide_transport_of(L);
    t->charged += bytes;
    if (t->charged < STEP)
        return;
    size_t kib = t->charged / 1024;
    t->charged = 0;
    lua_gc(L, LUA_GCSTEP, (int)(kib > 1024 * 1024 ? 1024 * 1024 : kib));
}
