/* What must not happen whatever comes: a crash on corrupt bytes, a leak when memory ends at any allocation. */
#include "test_transport_util.h"

#include "transport/bytecode.h"
#include "transport/wire.h"

#include <pthread.h>

/* The thread sanitizer keeps a few words of each frame that an error jumps over, and has room for some thousand errors. */
#ifdef __SANITIZE_THREAD__
enum { MUTATIONS = 100, NOISE = 1000 };
#else
enum { MUTATIONS = 4000, NOISE = 50000 };
#endif

static uint64_t seed = 20240611;

static uint32_t random_below(uint32_t limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 11) % limit;
}

/* ---- bytes from elsewhere ---- */

/* A Lua allocator that refuses what no honest message of these sizes needs. */
static size_t largest;

static void *watching_alloc(void *arg, void *block, size_t old, size_t size)
{
    if (size > largest)
        largest = size;
    return size > (1u << 24) ? NULL : plain_alloc(arg, block, old, size);
}

static int l_requires;

static int l_require(lua_State *L)
{
    l_requires++;
    return luaL_error(L, "no module");
}

/* The bytes of a parcel of the value that the chunk returns. */
static struct tide_parcel *parcel_of(lua_State *L, const char *chunk)
{
    assert_int_equal(luaL_dostring(L, chunk), LUA_OK);
    struct tide_parcel *p = tide_pack(L, 1, lua_gettop(L));
    lua_settop(L, 0);
    return p;
}

static void try_bytes(lua_State *L, const unsigned char *bytes, size_t size)
{
    struct tide_parcel *p = tide_parcel_from_bytes(bytes, size);
    assert_non_null(p);
    if (unpack_protected(L, p) == LUA_OK && lua_gettop(L) > 0 && lua_gettop(L) < 100)
        tide_parcel_unref(tide_pack(L, 1, lua_gettop(L))); /* what arrived is whole */
    lua_settop(L, 0);
    tide_parcel_unref(p);
}

static void mutations_never_crash_the_decoder(void **state)
{
    static const char *const chunks[] = {
        "return 1, -5, 2.5, 'hello', true, nil, 1 << 40, ('x'):rep(100)",
        "return {1, 2, 3, nil, 5, x = {y = {z = 'deep'}}, [2.5] = false}",
        "local s = {}; local t = {s, s, self = s}; t[t] = s; return t, s, {t}",
        "return setmetatable({1}, {__index = {a = 1}, __mode = 'k', __len = string.len}), string, print",
        "local t = {}; for i = 1, 60 do t[i] = {i, name = 'n' .. i, big = ('b'):rep(300)} end; return t",
        "local t = {}; for i = 1, 200 do t[i] = i * 1000 end; return t",
    };
    lua_State *L = open_state_with(watching_alloc, NULL);
    lua_pushcfunction(L, l_require);
    lua_setglobal(L, "require");
    printf("seed %llu\n", (unsigned long long)seed);
    for (size_t c = 0; c < sizeof chunks / sizeof chunks[0]; c++) {
        struct tide_parcel *p = parcel_of(L, chunks[c]);
        unsigned char *bytes = malloc(p->size);
        largest = 0;
        for (int round = 0; round < MUTATIONS; round++) {
            memcpy(bytes, tide_parcel_bytes(p), p->size);
            for (uint32_t n = random_below(4); n > 0; n--)
                bytes[random_below((uint32_t)p->size)] = (unsigned char)random_below(256);
            size_t size = random_below(3) ? p->size : random_below((uint32_t)p->size + 1);
            try_bytes(L, bytes, size);
        }
        assert_true(largest < 1u << 20);
        free(bytes);
        tide_parcel_unref(p);
    }
    assert_int_equal(l_requires, 0);
    lua_close(L);
}

static void noise_never_crashes_the_decoder(void **state)
{
    unsigned char bytes[64];
    lua_State *L = open_state_with(watching_alloc, NULL);
    for (int round = 0; round < NOISE; round++) {
        size_t size = random_below(sizeof bytes);
        for (size_t i = 0; i < size; i++)
            bytes[i] = (unsigned char)random_below(random_below(2) ? 256 : 32);
        if (size)
            bytes[0] = random_below(2) ? TIDE_TAG_GRAPH : bytes[0];
        try_bytes(L, bytes, size);
    }
    lua_close(L);
}

static void assert_refuses(lua_State *L, struct tide_parcel *p, const char *want)
{
    struct tide_parcel *foreign = tide_parcel_from_bytes(tide_parcel_bytes(p), p->size);
    assert_int_equal(unpack_protected(L, foreign), LUA_ERRRUN);
    assert_non_null(strstr(lua_tostring(L, -1), want));
    lua_settop(L, 0);
    tide_parcel_unref(p);
    tide_parcel_unref(foreign);
}

static void what_only_this_process_may_say_is_refused_from_elsewhere(void **state)
{
    lua_State *other, *L = open_pair(&other);
    assert_refuses(other, parcel_of(L, "return function() end"), "untrusted bytecode");
    assert_refuses(other, parcel_of(L, "return {{function() end}}"), "untrusted bytecode");
    assert_refuses(other, parcel_of(L, "return thing(1)"), "corrupt message");
    assert_refuses(other, parcel_of(L, "return require 'native'"), "module 'native' is not loaded here");
    lua_pushlightuserdata(L, L);
    assert_refuses(other, tide_pack(L, 1, 1), "an address from elsewhere");
    lua_settop(L, 0);
    struct tide_parcel *p = parcel_of(L, "return {string.upper, 1, {x = 2}}");
    struct tide_parcel *foreign = tide_parcel_from_bytes(tide_parcel_bytes(p), p->size);
    assert_int_equal(unpack_protected(other, foreign), LUA_OK);
    assert_int_equal(lua_gettop(other), 1);
    lua_settop(other, 0);
    tide_parcel_unref(p);
    tide_parcel_unref(foreign);
    close_pair(L);
    assert_int_equal(things_alive, 0);
}

static int dump_cb(lua_State *L, const void *bytes, size_t size, void *arg)
{
    tide_strbuf_append(arg, bytes, size);
    return 0;
}

static void the_bytecode_reader_survives_any_bytes(void **state)
{
    enum { ROUNDS = 50000 };
    lua_State *L = luaL_newstate();
    struct tide_bytecode b = {.is_env = {true}};
    struct tide_strbuf dump = {0};
    static const char source[] = "local a = x; function f(...) g = h.i; return function() a = _ENV end end";
    assert_int_equal(luaL_loadstring(L, source), LUA_OK);
    lua_dump(L, dump_cb, &dump, 0);
    assert_int_equal(tide_bytecode_scan(&b, dump.data, dump.size), 0);
    assert_true(b.sets_globals && b.leaks && b.name_count == 2);
    unsigned char *bytes = malloc(dump.size);
    for (size_t size = 0; size < dump.size; size++) {
        memcpy(bytes, dump.data, size);
        assert_int_equal(tide_bytecode_scan(&b, bytes, size), TIDE_ECORRUPT);
    }
    for (int round = 0; round < ROUNDS; round++) {
        memcpy(bytes, dump.data, dump.size);
        for (uint32_t n = 1 + random_below(3); n > 0; n--)
            bytes[31 + random_below((uint32_t)dump.size - 31)] = (unsigned char)random_below(256);
        tide_bytecode_scan(&b, bytes, dump.size);
        assert_true(b.name_room <= 4096 && b.constant_room <= 4096);
    }
    free(bytes);
    tide_strbuf_fini(&dump);
    tide_bytecode_fini(&b);
    lua_close(L);
}

/* ---- memory that ends ---- */

struct budget {
    long left; /* allocations that still succeed; negative: all */
};

static void *budget_alloc(void *arg, void *block, size_t old, size_t size)
{
    struct budget *budget = arg;
    if (size > 0 && (!block || size > old) && budget->left >= 0 && budget->left-- == 0) {
        budget->left = 0;
        return NULL;
    }
    return plain_alloc(NULL, block, old, size);
}

static struct journey {
    struct tide_code *code;
    struct tide_parcel *values, *stream;
} journey;

static void end_journey(void)
{
    tide_code_unref(journey.code);
    tide_parcel_unref(journey.values);
    tide_parcel_unref(journey.stream);
    journey = (struct journey){0};
}

/* f, values: what can be done with them on the side that sends */
static int l_send(lua_State *L)
{
    for (int i = 0; i < 3; i++) {
        tide_code_unref(journey.code);
        journey.code = NULL;
        journey.code = tide_pack_function(L, 1);
    }
    journey.values = tide_pack(L, 2, 2);
    tide_packer_begin(L);
    tide_packer_add(L, 2);
    tide_packer_add(L, 3);
    journey.stream = tide_packer_finish(L);
    return 0;
}

static int l_receive(lua_State *L)
{
    struct tide_cursor cursor = {journey.stream, 0};
    tide_unpack_function(L, journey.code);
    int count = tide_unpack(L, journey.values);
    while (tide_cursor_next(L, &cursor))
        lua_pop(L, 1);
    lua_call(L, count, 0);
    tide_unpack_function(L, journey.code);
    tide_captures_check(L, -1, journey.code);
    return 0;
}

static const char sender[] =
    "local n, t = 0, {1, {2}}\n"
    "function helper(x) return limit and #x end limit = 5\n"
    "local function count() n = n + 1 end\n"
    "local mt = {__index = function() return 1 end}\n"
    "return function(a) count() t[3] = helper({}) return a.list[1] end,\n"
    "  setmetatable({list = {1, 2, 'x'}, f = string.upper, big = ('z'):rep(1000), q = thing and thing(1)}, mt),\n"
    "  {print, count}\n";

/* Runs `fn` in L with the stack as arguments; the status. */
static int call_protected(lua_State *L, lua_CFunction fn)
{
    int top = lua_gettop(L);
    lua_pushcfunction(L, fn);
    lua_insert(L, 1);
    int status = lua_pcall(L, top, 0, 0);
    if (status != LUA_OK) {
        const char *text = lua_tostring(L, -1);
        assert_true(status == LUA_ERRMEM || (text && strstr(text, "not enough memory")));
    }
    lua_settop(L, 0);
    return status;
}

static lua_State *open_budget(struct budget *budget)
{
    budget->left = -1;
    lua_State *L = open_state_with(budget_alloc, budget);
    lua_register(L, "thing", l_thing);
    return L;
}

static void load_sender(lua_State *L)
{
    assert_int_equal(luaL_dostring(L, sender), LUA_OK);
    assert_int_equal(lua_gettop(L), 3);
}

static void lua_may_run_out_of_memory_anywhere(void **state)
{
    struct budget here, there;
    lua_State *L = open_budget(&here), *other = open_budget(&there);
    int status = !LUA_OK;
    for (long n = 0; status != LUA_OK; n++) {
        load_sender(L);
        here.left = n;
        status = call_protected(L, l_send);
        here.left = -1;
        if (status != LUA_OK)
            end_journey();
    }
    status = !LUA_OK;
    for (long n = 0; status != LUA_OK; n++) {
        there.left = n;
        status = call_protected(other, l_receive);
        there.left = -1;
    }
    end_journey();
    lua_close(L);
    lua_close(other);
    assert_int_equal(things_alive, 0);
}

static void the_heap_may_run_out_of_memory_anywhere(void **state)
{
    int status = !LUA_OK;
    for (long n = 0; status != LUA_OK; n++) {
        lua_State *L = open_state_with(plain_alloc, NULL), *other = open_state_with(plain_alloc, NULL);
        lua_register(L, "thing", l_thing);
        load_sender(L);
        tide_alloc_fail_after(n);
        status = call_protected(L, l_send);
        if (status == LUA_OK)
            status = call_protected(other, l_receive);
        tide_alloc_fail_after(-1);
        end_journey();
        lua_close(L);
        lua_close(other);
        assert_int_equal(things_alive, 0);
    }
}

static void a_state_works_on_after_it_ran_out_of_memory(void **state)
{
    struct budget here;
    lua_State *L = open_budget(&here), *other = open_state_with(plain_alloc, NULL);
    for (long n = 0; n < 300; n += 7) {
        load_sender(L);
        here.left = n;
        call_protected(L, l_send);
        here.left = -1;
        end_journey();
        load_sender(L);
        assert_int_equal(call_protected(L, l_send), LUA_OK);
        assert_int_equal(call_protected(other, l_receive), LUA_OK);
        end_journey();
    }
    lua_close(L);
    lua_close(other);
    assert_int_equal(things_alive, 0);
}

static void opening_may_run_out_of_memory_anywhere(void **state)
{
    struct budget budget;
    lua_State *L = NULL;
    for (long n = 0; !L; n += 3) {
        budget.left = n;
        L = open_state_with(budget_alloc, &budget);
    }
    lua_close(L);
    L = NULL;
    for (long n = 0; !L; n++) {
        tide_alloc_fail_after(n);
        L = open_state_with(plain_alloc, NULL);
        tide_alloc_fail_after(-1);
    }
    lua_close(L);
}

/* ---- code that runs while we are at it ---- */

static void finalizers_may_send_while_something_is_sent(void **state)
{
    script("local sent = 0\n"
           "local function rubbish() setmetatable({}, {__gc = function()\n"
           "  copy({sent, {}}); code(function() return sent end); sent = sent + 1 end}) end\n"
           "collectgarbage('setpause', 100) collectgarbage('setstepmul', 1000)\n"
           "for i = 1, 3000 do rubbish()\n"
           "  local t = copy({i, {i, ('k'):rep(i % 400)}, print, function() return i end})\n"
           "  assert(t[1] == i and t[2][1] == i and t[3] == print and t[4]() == i) end\n"
           "assert(sent > 100)\n");
}

/* ---- threads ---- */

enum { THREADS = 4, RUNS = 2000 };

struct reader {
    pthread_t thread;
    int wrong;
};

/* Each in a state of its own: the same code and the same parcel. */
static void *read_all(void *arg)
{
    struct reader *r = arg;
    lua_State *L = open_state_with(plain_alloc, NULL);
    for (int i = 0; i < RUNS; i++) {
        tide_unpack_function(L, journey.code);
        int count = tide_unpack(L, journey.values);
        if (lua_pcall(L, count, 1, 0) != LUA_OK || lua_tointeger(L, -1) != 42)
            r->wrong++;
        tide_code_unref(tide_code_ref(journey.code));
        tide_parcel_unref(tide_parcel_ref(journey.values));
        lua_settop(L, 0);
        luaL_loadstring(L, "return function(...) return ... end");
        lua_call(L, 0, 1);
        tide_code_unref(tide_pack_function(L, 1));
        lua_settop(L, 0);
    }
    lua_close(L);
    return NULL;
}

static void many_threads_read_one_message(void **state)
{
    lua_State *other, *L = open_pair(&other);
    struct reader readers[THREADS] = {0};
    assert_int_equal(luaL_dostring(L, "local n = 2; function add(t) return t.a * n + t.q:number() end return add"), LUA_OK);
    journey.code = tide_pack_function(L, 1);
    assert_int_equal(luaL_dostring(L, "return {a = 20, q = thing(2), f = function() end}"), LUA_OK);
    journey.values = tide_pack(L, 2, 1);
    lua_settop(L, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_all, &readers[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(readers[i].thread, NULL);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(readers[i].wrong, 0);
    end_journey();
    close_pair(L);
    assert_int_equal(things_alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutations_never_crash_the_decoder),
        cmocka_unit_test(noise_never_crashes_the_decoder),
        cmocka_unit_test(what_only_this_process_may_say_is_refused_from_elsewhere),
        cmocka_unit_test(the_bytecode_reader_survives_any_bytes),
        cmocka_unit_test(lua_may_run_out_of_memory_anywhere),
        cmocka_unit_test(the_heap_may_run_out_of_memory_anywhere),
        cmocka_unit_test(a_state_works_on_after_it_ran_out_of_memory),
        cmocka_unit_test(opening_may_run_out_of_memory_anywhere),
        cmocka_unit_test(many_threads_read_one_message),
        cmocka_unit_test(finalizers_may_send_while_something_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
