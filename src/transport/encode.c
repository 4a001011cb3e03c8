/* The walk over a graph: values, tables, and the order of their nodes. See packer.h. */
#include "base/alloc.h"
#include "transport/env.h"
#include "transport/handle.h"
#include "transport/names.h"
#include "transport/packer.h"
#include "transport/wire.h"

#include <lauxlib.h>

enum { STRING_SHARED = 255 };   /* a longer string that occurs twice in a graph is sent once */
enum { HOLES_MAX = 8 };         /* a run of items is not ended by fewer nils than this */

static int put_ref(struct tide_strbuf *out, uint32_t id)
{
    unsigned char *p = tide_buf_room(out, TIDE_NUMBER_MAX);
    if (!p)
        return TIDE_ENOMEM;
    *p++ = TIDE_TAG_REF;
    tide_buf_end(out, tide_put_varint(p, id));
    return 0;
}

static int put_handle(struct tide_packer *p, int index, struct tide_object *object, struct tide_strbuf *out)
{
    tide_handle_register(p->L, index);
    if (p->object_count == 0 || p->objects[p->object_count - 1] != object) {
        if (p->object_count == p->object_room) {
            uint32_t room = p->object_room ? p->object_room * 2 : 8;
            struct tide_object **objects = tide_realloc(p->objects, room * sizeof(struct tide_object *));
            if (!objects)
                return TIDE_ENOMEM;
            p->objects = objects;
            p->object_room = room;
        }
        tide_object_ref(object);
        p->objects[p->object_count++] = object;
    }
    unsigned char *at = tide_buf_room(out, TIDE_NUMBER_MAX);
    if (!at)
        return TIDE_ENOMEM;
    *at++ = TIDE_TAG_HANDLE;
    tide_buf_end(out, tide_put_varint(at, p->object_count - 1));
    return 0;
}

/* A new node for the value at `index`, anchored; 0 without memory. */
static uint32_t add_node(struct tide_packer *p, int index, enum tide_kind kind)
{
    if (p->node_count + 1 >= p->node_room) {
        uint32_t room = p->node_room ? p->node_room * 2 : 32;
        struct tide_node *nodes =
            room < p->node_room ? NULL : tide_realloc(p->nodes, room * sizeof(struct tide_node));
        if (!nodes)
            return 0;
        p->nodes = nodes;
        p->node_room = room;
    }
    uint32_t id = p->node_count + 1;
    lua_pushvalue(p->L, index);
    lua_rawseti(p->L, p->pending, id);
    p->nodes[id] = (struct tide_node){.parent = p->current, .kind = (uint8_t)kind};
    p->node_count = id;
    return id;
}

int tide_encode_env(struct tide_packer *p, int index, struct tide_strbuf *out)
{
    const void *table = lua_topointer(p->L, index);
    if (!p->env) {
        p->env = add_node(p, index, TIDE_KIND_ENV);
        if (!p->env)
            return TIDE_ENOMEM;
        p->env_table = table;
    }
    if (table != p->env_table)
        p->env_mixed = true;
    return put_ref(out, p->env);
}

/* What kind of node the value at `index` makes: 0 and *kind, or TIDE_EREFUSED. */
static int classify(struct tide_packer *p, int index, enum tide_kind *kind)
{
    lua_State *L = p->L;
    size_t size;
    *kind = TIDE_KIND_NAMED;
    if (tide_names_find(L, p->t, index, &size))
        return 0;
    switch (lua_type(L, index)) {
    case LUA_TTABLE:
        *kind = TIDE_KIND_TABLE;
        return 0;
    case LUA_TFUNCTION:
        if (lua_iscfunction(L, index))
            return tide_refuse(p, index,
                               "a C function travels only as a member of a loaded module; send a Lua function that calls it");
        *kind = TIDE_KIND_FUNCTION;
        return 0;
    case LUA_TTHREAD:
        return tide_refuse(p, index, "coroutines stay in the task that made them; send the function");
    default:
        return tide_refuse(p, index, "userdata stays in the Lua state that made it; create it in the task that uses it");
    }
}

/* A value with identity: a reference to its node. */
static int put_object(struct tide_packer *p, int index, struct tide_strbuf *out)
{
    lua_State *L = p->L;
    bool fresh;
    int error = 0;
    uint32_t *id = tide_memo_get(&p->memo, lua_topointer(L, index), &fresh);
    if (!id)
        return TIDE_ENOMEM;
    if (!fresh)
        return put_ref(out, *id);
    enum tide_kind kind = TIDE_KIND_STRING;
    if (lua_type(L, index) != LUA_TSTRING) {
        if (tide_env_is(L, p->t, index, NULL)) {
            error = tide_encode_env(p, index, out);
            *id = p->env;
            p->leaks = true;
            return error;
        }
        error = classify(p, index, &kind);
        if (error)
            return error;
    }
    *id = add_node(p, index, kind);
    return *id ? put_ref(out, *id) : TIDE_ENOMEM;
}

/* A value that stands where it is, strings up to a size: 1 if written, 0 if it is none of these, TIDE_ENOMEM. */
static inline int put_plain(struct tide_packer *p, int index, struct tide_strbuf *out, size_t longest)
{
    lua_State *L = p->L;
    unsigned char *at = tide_buf_room(out, TIDE_NUMBER_MAX);
    size_t size;
    const char *text;
    if (!at)
        return TIDE_ENOMEM;
    if (lua_isinteger(L, index)) {
        tide_buf_end(out, tide_put_integer(at, lua_tointeger(L, index)));
        return 1;
    }
    switch (lua_type(L, index)) {
    case LUA_TNIL: *at++ = TIDE_TAG_NIL; break;
    case LUA_TBOOLEAN: *at++ = lua_toboolean(L, index) ? TIDE_TAG_TRUE : TIDE_TAG_FALSE; break;
    case LUA_TNUMBER: at = tide_put_float(at, lua_tonumber(L, index)); break;
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &size);
        if (size > longest)
            return 0;
        at = tide_buf_room(out, TIDE_NUMBER_MAX + size);
        if (!at)
            return TIDE_ENOMEM;
        at = tide_put_raw(tide_put_string_head(at, size), text, size);
        break;
    case LUA_TLIGHTUSERDATA: at = tide_put_light(at, lua_touserdata(L, index)); break;
    default: return 0;
    }
    tide_buf_end(out, at);
    return 1;
}

int tide_encode_value(struct tide_packer *p, int index, struct tide_strbuf *out)
{
    int plain = put_plain(p, index, out, STRING_SHARED);
    if (plain)
        return plain < 0 ? plain : 0;
    struct tide_object *object = tide_handle_test(p->L, index, NULL);
    return object ? put_handle(p, index, object, out) : put_object(p, index, out);
}

/* in: metatable on top; out: popped */
static int put_metatable(struct tide_packer *p)
{
    lua_State *L = p->L;
    size_t size;
    int error = 0;
    if (!tide_names_find(L, p->t, -1, &size)) {
        lua_pushliteral(L, "__gc");
        bool gc = lua_rawget(L, -2) != LUA_TNIL;
        lua_pop(L, 1);
        if (gc)
            error = tide_refuse(p, lua_gettop(L), "a metatable with __gc travels only as a member of a loaded module");
    }
    if (!error)
        error = tide_encode_value(p, lua_gettop(L), &p->bodies);
    if (!error)
        lua_pop(L, 1);
    return error;
}

/* Whether an integer key goes on with the run of items that has reached `items`; writes nil for what it skips. */
static bool goes_on(struct tide_packer *p, lua_Integer key, size_t *items)
{
    lua_Integer hole = key - (lua_Integer)*items - 1;
    if (hole < 0 || hole > HOLES_MAX)
        return false;
    for (; hole > 0; hole--, ++*items)
        tide_buf_byte(&p->bodies, TIDE_TAG_NIL);
    return true;
}

/* The pairs of the table at `index`: first items 1, 2, …, then keys with values, as lua_next gives them. */
static int put_pairs(struct tide_packer *p, int index, size_t *items, size_t *pairs)
{
    lua_State *L = p->L;
    int key = lua_gettop(L) + 1;
    bool run = true;
    for (lua_pushnil(L); lua_next(L, index); lua_settop(L, key)) {
        run = run && lua_isinteger(L, key) && goes_on(p, lua_tointeger(L, key), items);
        int error = run ? 0 : tide_encode_value(p, key, &p->bodies);
        if (!error)
            error = tide_encode_value(p, key + 1, &p->bodies);
        if (error)
            return error;
        ++*(run ? items : pairs);
    }
    return 0;
}

static int put_table(struct tide_packer *p, int index)
{
    size_t items = 0, pairs = 0;
    bool meta = lua_getmetatable(p->L, index);
    int error = meta ? put_metatable(p) : 0;
    if (!error)
        error = put_pairs(p, index, &items, &pairs);
    if (error)
        return error;
    p->tables++;
    tide_buf_byte(&p->shells, meta ? TIDE_SHELL_TABLE_META : TIDE_SHELL_TABLE);
    tide_buf_varint(&p->shells, items);
    tide_buf_varint(&p->shells, pairs);
    return 0;
}

static int put_named(struct tide_packer *p, int index)
{
    size_t size;
    const char *name = tide_names_find(p->L, p->t, index, &size);
    if (!name)
        return tide_refuse(p, index, "it was taken out of its module meanwhile");
    tide_buf_byte(&p->shells, TIDE_SHELL_NAMED);
    tide_buf_block(&p->shells, name, size);
    p->reflects = p->reflects || tide_names_reflects(name, size);
    return 0;
}

/* Shell and body of a node; its value is on top. */
static int put_node(struct tide_packer *p, uint32_t id)
{
    static const unsigned char no_entries[4];
    int index = lua_gettop(p->L);
    size_t size;
    const char *text;
    switch ((enum tide_kind)p->nodes[id].kind) {
    case TIDE_KIND_TABLE: return put_table(p, index);
    case TIDE_KIND_FUNCTION: return tide_encode_function(p, index);
    case TIDE_KIND_NAMED: return put_named(p, index);
    case TIDE_KIND_ENV:
        tide_buf_byte(&p->shells, TIDE_SHELL_ENV);
        p->env_size_at = p->shells.size;
        tide_strbuf_append(&p->shells, no_entries, sizeof no_entries);
        return 0;
    case TIDE_KIND_STRING:
        text = lua_tolstring(p->L, index, &size);
        tide_buf_byte(&p->shells, TIDE_SHELL_STRING);
        tide_buf_block(&p->shells, text, size);
        return 0;
    }
    return 0;
}

static bool graph_failed(const struct tide_packer *p)
{
    return p->shells.failed || p->bodies.failed || p->standards.failed || p->globals.failed || p->roots.failed;
}

/* Forgets the graph; `pending` keeps nothing alive. */
static void end_graph(struct tide_packer *p)
{
    enum { PENDING_KEPT = 256 };
    lua_State *L = p->L;
    for (uint32_t id = 1; id <= p->node_count && p->node_count <= PENDING_KEPT; id++) {
        lua_pushnil(L);
        lua_rawseti(L, p->pending, id);
    }
    if (p->node_count > PENDING_KEPT) {
        lua_pushnil(L);
        lua_setiuservalue(L, p->self, 1);
    }
    lua_settop(L, p->pending - 1);
    tide_memo_clear(&p->memo);
    struct tide_strbuf *buffers[] = {&p->shells, &p->bodies, &p->standards, &p->globals, &p->roots};
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        tide_strbuf_clear(buffers[i]);
    p->node_count = 0;
}

static void begin_graph(struct tide_packer *p, lua_State *L, int self, struct tide_root root)
{
    luaL_checkstack(L, 32, NULL);
    p->L = L;
    p->self = self;
    p->root = root;
    p->current = p->env = 0;
    p->standard_count = p->global_count = p->tables = 0;
    p->assigns = p->sets_globals = p->leaks = p->reflects = p->env_mixed = false;
    p->global = NULL;
    if (lua_getiuservalue(L, self, 1) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_createtable(L, 8, 0);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, self, 1);
    }
    p->pending = lua_gettop(L);
    lua_pushnil(L);
    p->seen = p->pending + 1;
}

int tide_encode_graph(struct tide_packer *p, lua_State *L, int self, struct tide_root root)
{
    int error = 0;
    begin_graph(p, L, self, root);
    for (int i = 0; i < root.count && !error; i++)
        error = tide_encode_value(p, root.first + i, &p->roots);
    for (uint32_t id = 1; id <= p->node_count && !error; id++) {
        p->current = id;
        lua_rawgeti(L, p->pending, id);
        error = put_node(p, id);
        if (!error)
            lua_settop(L, p->seen);
    }
    if (!error && graph_failed(p))
        error = TIDE_ENOMEM;
    if (error) {
        if (error == TIDE_EREFUSED)
            lua_insert(L, p->pending); /* the message, below what goes */
        p->pending += error == TIDE_EREFUSED;
        end_graph(p);
    }
    return error;
}

int tide_encode_finish(struct tide_packer *p)
{
    struct tide_strbuf *out = &p->out;
    tide_buf_byte(out, TIDE_TAG_GRAPH);
    tide_buf_varint(out, (uint64_t)p->root.count);
    tide_buf_varint(out, p->node_count);
    if (p->env) {
        uint32_t entries = p->standard_count + p->global_count;
        memcpy(p->shells.data + p->env_size_at, &entries, sizeof entries);
    }
    tide_strbuf_append(out, p->shells.data, p->shells.size);
    tide_strbuf_append(out, p->bodies.data, p->bodies.size);
    if (p->env) {
        tide_buf_byte(out, p->leaks || p->reflects ? TIDE_ENV_COMPLETE | TIDE_ENV_EXPOSED : 0);
        tide_buf_varint(out, p->standard_count);
        tide_strbuf_append(out, p->standards.data, p->standards.size);
        tide_buf_varint(out, p->global_count);
        tide_strbuf_append(out, p->globals.data, p->globals.size);
    }
    tide_strbuf_append(out, p->roots.data, p->roots.size);
    p->count += (uint32_t)p->root.count;
    end_graph(p);
    return out->failed ? TIDE_ENOMEM : 0;
}

int tide_encode_plain(struct tide_packer *p, lua_State *L, int index)
{
    p->L = L;
    int plain = put_plain(p, index, &p->out, SIZE_MAX);
    p->count += plain > 0;
    return plain;
}

int tide_encode(struct tide_packer *p, lua_State *L, int self, struct tide_root root)
{
    size_t size = p->out.size;
    int i = 0;
    p->L = L;
    for (; i < root.count; i++) {
        int index = root.first + i;
        int plain = put_plain(p, index, &p->out, SIZE_MAX);
        struct tide_object *object = plain == 0 ? tide_handle_test(L, index, NULL) : NULL;
        if (object)
            plain = put_handle(p, index, object, &p->out) < 0 ? TIDE_ENOMEM : 1;
        if (plain < 0)
            return plain;
        if (plain == 0)
            break;
    }
    if (i == root.count) {
        p->count += (uint32_t)root.count;
        return 0;
    }
    p->out.size = size;
    int error = tide_encode_graph(p, L, self, root);
    return error ? error : tide_encode_finish(p);
}
