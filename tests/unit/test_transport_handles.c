#include "test_transport_util.h"

static void an_object_is_the_same_userdata_in_a_state(void **state)
{
    script("local q = thing(7)\n"
           "local a, b = copy(q, {q}); assert(a == q and b[1] == q and a:number() == 7)\n"
           "assert(there(function(x, t) return x == t[1] and x == t[x] and x:number() end, q, {q, [q] = q}) == 7)\n"
           "assert(there(function() return q end) == q)\n"
           "local t = copy({[q] = 'key'}); assert(t[q] == 'key')\n"
           "assert(there(function(x) kept = kept or x; return x == q end, q))\n");
}

static void a_handle_is_found_only_once_it_has_left(void **state)
{
    lua_State *other, *L = open_pair(&other);
    struct thing *t = thing_make(3);
    tide_handle_new(L, &t->object);
    assert_int_equal(atomic_load(&t->object.refs), 2);
    lua_pushvalue(L, 1);
    lua_setglobal(L, "q");
    run(L, "assert(copy(q) == q and copy({q})[1] == q)");
    tide_handle_push(L, &t->object);
    assert_true(lua_rawequal(L, 1, 2));
    struct thing *u = thing_make(4);
    tide_handle_new(L, &u->object);
    tide_handle_register(L, -1);
    tide_handle_push(L, &u->object);
    assert_true(lua_rawequal(L, 3, 4));
    lua_settop(L, 0);
    tide_object_unref(&t->object);
    tide_object_unref(&u->object);
    close_pair(L);
    assert_int_equal(things_alive, 0);
}

static void references_are_counted_over_states_and_parcels(void **state)
{
    lua_State *other, *L = open_pair(&other);
    struct thing *t = thing_make(1);
    tide_handle_push(L, &t->object);
    assert_int_equal(atomic_load(&t->object.refs), 2);
    struct tide_parcel *p = tide_pack(L, 1, 1);
    assert_int_equal(atomic_load(&t->object.refs), 3);
    tide_unpack(other, p);
    tide_unpack(other, p);
    assert_int_equal(atomic_load(&t->object.refs), 4);
    tide_parcel_unref(p);
    tide_object_unref(&t->object);
    assert_int_equal(atomic_load(&t->object.refs), 2);
    lua_settop(L, 0);
    lua_gc(L, LUA_GCCOLLECT);
    assert_int_equal(atomic_load(&t->object.refs), 1);
    lua_settop(other, 0);
    lua_gc(other, LUA_GCCOLLECT);
    assert_int_equal(things_alive, 0);
    close_pair(L);
}

static int l_check(lua_State *L)
{
    tide_handle_check(L, 1, &thing_class);
    return 0;
}

static void assert_check_says(lua_State *L, const char *want)
{
    lua_pushcfunction(L, l_check);
    lua_insert(L, -2);
    assert_int_equal(lua_pcall(L, 1, 0, 0), LUA_ERRRUN);
    assert_non_null(strstr(lua_tostring(L, -1), want));
    lua_settop(L, 0);
}

static void a_wrong_argument_is_named_with_its_type(void **state)
{
    lua_State *other, *L = open_pair(&other);
    lua_pushinteger(L, 1);
    assert_check_says(L, "bad argument #1 to '?' (tidemill.thing expected, got number)");
    lua_newuserdatauv(L, 24, 0);
    assert_check_says(L, "tidemill.thing expected, got userdata");
    lua_createtable(L, 24, 0);
    assert_check_says(L, "tidemill.thing expected, got table");
    struct thing *t = thing_make(1);
    t->object.class = &other_class;
    tide_handle_push(L, &t->object);
    assert_null(tide_handle_test(L, 1, &thing_class));
    assert_ptr_equal(tide_handle_test(L, 1, NULL), &t->object);
    assert_check_says(L, "tidemill.thing expected, got tidemill.other");
    tide_object_unref(&t->object);
    close_pair(L);
    assert_int_equal(things_alive, 0);
}

static void a_finalized_handle_is_no_handle(void **state)
{
    lua_State *other, *L = open_pair(&other);
    run(L, "local q = thing(1); local mt = debug.getmetatable(q)\n"
           "assert(getmetatable(q) == 'tidemill.thing' and not pcall(setmetatable, q, {}))\n"
           "local ok, m = pcall(setmetatable, q, nil)\n"
           "mt.__gc(q) mt.__gc(q) mt.__gc(1)\n"
           "ok, m = pcall(q.number, q); assert(not ok and m:find('tidemill.thing expected', 1, true))\n"
           "m = refused(q); assert(m:find('cannot send argument 1: tidemill.thing userdata stays', 1, true), m)\n");
    assert_int_equal(things_alive, 0);
    close_pair(L);
}

static void handles_come_and_go(void **state)
{
    script("for i = 1, 20000 do local q = thing(i, i % 2 == 0); assert(copy({q})[1]:number() == i) end\n");
}

static void bytes_behind_handles_are_charged(void **state)
{
    lua_State *other, *L = open_pair(&other);
    lua_gc(L, LUA_GCCOLLECT);
    for (int i = 0; i < 1000; i++) {
        struct thing *t = thing_make(i);
        tide_handle_new(L, &t->object);
        tide_object_unref(&t->object);
        lua_settop(L, 0);
        tide_handle_charge(L, 1 << 20);
    }
    assert_true(things_alive < 900);
    close_pair(L);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_is_the_same_userdata_in_a_state),
        cmocka_unit_test(a_handle_is_found_only_once_it_has_left),
        cmocka_unit_test(references_are_counted_over_states_and_parcels),
        cmocka_unit_test(a_wrong_argument_is_named_with_its_type),
        cmocka_unit_test(a_finalized_handle_is_no_handle),
        cmocka_unit_test(handles_come_and_go),
        cmocka_unit_test(bytes_behind_handles_are_charged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
