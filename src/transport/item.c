#include "transport/item.h"

#include "transport/handle.h"
#include "transport/pack.h"

#include <lauxlib.h>

static struct tide_item pack_text(lua_State *L, int index)
{
    size_t length;
    const char *bytes = lua_tolstring(L, index, &length);
    struct tide_text *text = tide_text_new(bytes, length);
    if (!text)
        luaL_error(L, "not enough memory");
    return (struct tide_item){.kind = TIDE_ITEM_TEXT, .as.text = text};
}

static struct tide_item pack_message(lua_State *L, int index, const char *noun)
{
    struct tide_parcel *parcel;
    if (tide_pack_values(L, index, 1, noun, &parcel) != 0)
        lua_error(L);
    return (struct tide_item){.kind = TIDE_ITEM_MESSAGE, .as.message = &parcel->base};
}

struct tide_item tide_pack_item(lua_State *L, int index, const char *noun)
{
    struct tide_object *object;
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        return (struct tide_item){.kind = TIDE_ITEM_NONE};
    case LUA_TBOOLEAN:
        return (struct tide_item){.kind = TIDE_ITEM_BOOLEAN, .as.boolean = lua_toboolean(L, index)};
    case LUA_TNUMBER:
        if (lua_isinteger(L, index))
            return (struct tide_item){.kind = TIDE_ITEM_INTEGER, .as.integer = lua_tointeger(L, index)};
        return (struct tide_item){.kind = TIDE_ITEM_FLOAT, .as.number = lua_tonumber(L, index)};
    case LUA_TLIGHTUSERDATA:
        return (struct tide_item){.kind = TIDE_ITEM_POINTER, .as.pointer = lua_touserdata(L, index)};
    case LUA_TSTRING:
        return pack_text(L, index);
    case LUA_TUSERDATA:
        object = tide_handle_test(L, index, NULL);
        if (object) {
            tide_handle_register(L, index);
            tide_object_ref(object);
            return (struct tide_item){.kind = TIDE_ITEM_OBJECT, .as.object = object};
        }
        return pack_message(L, index, noun);
    default:
        return pack_message(L, index, noun);
    }
}

void tide_unpack_item(lua_State *L, const struct tide_item *item)
{
    switch (item->kind) {
    case TIDE_ITEM_NONE: lua_pushnil(L); break;
    case TIDE_ITEM_BOOLEAN: lua_pushboolean(L, item->as.boolean); break;
    case TIDE_ITEM_INTEGER: lua_pushinteger(L, item->as.integer); break;
    case TIDE_ITEM_FLOAT: lua_pushnumber(L, item->as.number); break;
    case TIDE_ITEM_POINTER: lua_pushlightuserdata(L, item->as.pointer); break;
    case TIDE_ITEM_OBJECT: tide_handle_push(L, item->as.object); break;
    case TIDE_ITEM_TEXT: lua_pushlstring(L, item->as.text->bytes, item->as.text->length); break;
    case TIDE_ITEM_MESSAGE: tide_unpack(L, (struct tide_parcel *)(void *)item->as.message); break;
    }
}
