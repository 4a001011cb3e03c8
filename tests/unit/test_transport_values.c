#include "test_transport_util.h"

static void scalars_arrive_as_they_are(void **state)
{
    script("local values = {true, false, 0, 1, 127, 128, -1, -128, -129, 32767, 32768, -32768, -32769, 2147483647,"
           " 2147483648, -2147483648, -2147483649, math.maxinteger, math.mininteger, 0.0, 1.0, -2.5, 1e300, math.huge,"
           " -math.huge, '', 'a', '\\0\\255\\n', ('x'):rep(63), ('x'):rep(64), ('y'):rep(100000)}\n"
           "for _, v in ipairs(values) do\n"
           "  local c = copy(v); assert(c == v and math.type(c) == math.type(v), tostring(v))\n"
           "  c = copy({v})[1]; assert(c == v and math.type(c) == math.type(v), tostring(v))\n"
           "end\n"
           "local nan = copy(0/0); assert(nan ~= nan)\n"
           "assert(1 / copy(-0.0) == -math.huge and math.type(copy(2.0)) == 'float')\n"
           "assert(select('#', copy()) == 0 and select('#', copy(nil, nil)) == 2 and copy(nil) == nil)\n"
           "assert(select(3, copy(1, nil, 'z')) == 'z')\n");
}

static void light_userdata_is_a_value(void **state)
{
    lua_State *other, *L = open_pair(&other);
    lua_pushlightuserdata(L, &things_alive);
    lua_setglobal(L, "light");
    run(L, "assert(copy(light) == light and copy({light})[1] == light)");
    close_pair(L);
}

static void tables_are_copied_deeply(void **state)
{
    script("local t = {1, 2, {x = 'y', [true] = 1.5, [2.5] = false}, n = {}, [-1] = 'm'}\n"
           "local c = copy(t)\n"
           "assert(c ~= t and #c == 3 and c[1] == 1 and c[3].x == 'y' and c[3][true] == 1.5 and c[3][2.5] == false)\n"
           "assert(type(c.n) == 'table' and next(c.n) == nil and c[-1] == 'm')\n"
           "local long = {}; for i = 1, 5000 do long[i] = i * 3 end\n"
           "local d = copy(long); assert(#d == 5000); for i = 1, 5000 do assert(d[i] == i * 3) end\n");
}

static void holes_and_sparse_tables_keep_their_keys(void **state)
{
    script("local c = copy({1, nil, 3, nil, nil, 6}); assert(c[1] == 1 and c[2] == nil and c[3] == 3 and c[6] == 6)\n"
           "c = copy({[1000000] = 1, [5] = 2, [1] = 3}); assert(c[1000000] == 1 and c[5] == 2 and c[1] == 3)\n"
           "c = copy({[0] = 'z', 'a', [math.mininteger] = 1, [math.maxinteger] = 2})\n"
           "assert(c[0] == 'z' and c[1] == 'a' and c[math.mininteger] == 1 and c[math.maxinteger] == 2)\n"
           "local n = 0; for _ in pairs(copy({nil, 2, nil, 4})) do n = n + 1 end; assert(n == 2)\n");
}

static void identity_and_cycles_are_kept_within_a_message(void **state)
{
    script("local s = {}; local t = {s, s, a = s}; t.self = t; t[t] = s\n"
           "local c, d = copy(t, s)\n"
           "assert(c[1] == c[2] and c[1] == c.a and c.self == c and c[c] == c[1] and d == c[1])\n"
           "local big = ('z'):rep(1000); local e = copy({big, big, {big}}); assert(e[1] == big and e[3][1] == big)\n"
           "local many = {}; for i = 1, 100 do many[i] = {many[i - 1]} end; many.last = many[100]\n"
           "c = copy(many); assert(c.last == c[100] and c[100][1] == c[99] and c[2][1] == c[1])\n");
}

static void depth_has_no_limit(void **state)
{
    script("local t = {}; for i = 1, 1000000 do t = {t} end\n"
           "local c = copy(t); local n = 0; while c[1] do c = c[1]; n = n + 1 end; assert(n == 1000000)\n");
}

static void metatables_travel(void **state)
{
    script("local mt = {__index = function(_, k) return k .. '!' end, __len = function() return 7 end}\n"
           "local a, b = setmetatable({}, mt), setmetatable({}, mt)\n"
           "local c, d = copy(a, b)\n"
           "assert(c.x == 'x!' and #c == 7 and getmetatable(c) == getmetatable(d))\n"
           "local C = {}; C.__index = C; function C.new(v) return setmetatable({v = v}, C) end\n"
           "function C:get() return self.v end\n"
           "assert(copy(C.new(5)):get() == 5)\n"
           "local weak = copy(setmetatable({}, {__mode = 'k'})); assert(getmetatable(weak).__mode == 'k')\n"
           "local m = refused(setmetatable({}, {__gc = function() end}))\n"
           "assert(m == \"cannot send field '(metatable)' of argument 1: a metatable with __gc travels only as a \"\n"
           "  .. 'member of a loaded module', m)\n"
           "assert(copy(setmetatable({1}, {__metatable = 'locked', __pairs = error}))[1] == 1)\n");
}

static void modules_and_their_members_travel_by_name(void **state)
{
    script("package.preload.shape = nil\n"
           "for _, v in ipairs {string.upper, string, math, print, require, utf8.char, io.stdout, io.stderr, io.stdin,\n"
           "    package.loaded, package.preload, io.lines, coroutine, io, load} do\n"
           "  assert(there(function(x) return x end, v) == v, tostring(v))\n"
           "end\n"
           "assert(there(function(f, x) return f(x) end, string.upper, 'abc') == 'ABC')\n"
           "assert(there(function(a, b, c) return a == string and b == string.rep and c == io.stdout end,\n"
           "  string, string.rep, io.stdout))\n"
           "local native = require 'native'\n"
           "assert(there(function(n, f) return n == package.loaded.native and n.number == f end, native, native.number))\n"
           "local number = native.number; assert(there(function() return number == require('native').number end))\n");
}

static void classes_of_modules_keep_their_identity(void **state)
{
    lua_State *other, *L = open_pair(&other);
    const char *preload = "package.preload.shape = function()\n"
                          "  local M = {data = {1}, Square = {}, sub = {area = function(s) return s.a * s.a end}}\n"
                          "  M.Square.__index = M.Square; M.Square.__gc = function() end\n"
                          "  function M.Square:area() return self.a ^ 2 end\n"
                          "  function M.new(a) return setmetatable({a = a}, M.Square) end\n"
                          "  return M end\n";
    run(L, preload);
    run(other, preload);
    run(L, "local shape = require 'shape'\n"
           "local s = shape.new(3)\n"
           "assert(there(function(x) local m = require 'shape'\n"
           "  return getmetatable(x) == m.Square and x:area() == 9 and rawget(x, 'a') == 3 end, s))\n"
           "assert(getmetatable(copy(s)) == shape.Square)\n"
           "assert(there(function(f) return f == require('shape').new end, shape.new))\n"
           "assert(there(function(f) return f == require('shape').Square.area end, shape.Square.area))\n"
           "assert(there(function(f) return f == require('shape').sub.area end, shape.sub.area))\n"
           "assert(there(function(t) return t ~= require('shape').data and t[1] == 1 end, shape.data))\n"
           "local new = shape.new; assert(there(function() return new(4).a end) == 4)\n");
    run(L, "package.loaded.shape = nil; local again = require 'shape'\n"
           "assert(there(function(f) return f == require('shape').new end, again.new))\n");
    close_pair(L);
}

static void a_module_that_is_missing_there_is_named(void **state)
{
    script("package.loaded.ghost = {walk = function() end}\n"
           "local ok, m = pcall(copy, {package.loaded.ghost.walk})\n"
           "assert(not ok and m:find(\"cannot receive 'ghost.walk': module 'ghost' not found\", 1, true), m)\n"
           "package.loaded.native = {extra = function() end}\n"
           "ok, m = pcall(copy, package.loaded.native.extra)\n"
           "assert(not ok and m:find(\"cannot receive 'native.extra': module 'native' has no such member in this state\", 1,\n"
           "  true), m)\n");
}

static void what_cannot_travel_is_refused_with_its_way(void **state)
{
    script("local co = coroutine.create(print)\n"
           "local f = io.tmpfile()\n"
           "local function is(got, want) assert(got and got:find(want, 1, true), tostring(got)) end\n"
           "is(refused(1, co), 'cannot send argument 2: coroutines stay in the task that made them')\n"
           "is(refused({a = {b = {1, 2, f}}}), \"cannot send field 'a.b[3]' of argument 1: file handles stay in \"\n"
           "  .. 'the thread that opened them')\n"
           "is(refused(0, {[{}] = 1, ['x y'] = {[1.5] = {[true] = co}}}), [[field '[\"x y\"][1.5][true]' of argument 2]])\n"
           "is(refused({[co] = 1}), \"field '[a key]' of argument 1\")\n"
           "is(refused(string.gmatch('', '')), 'cannot send argument 1: a C function travels only as a member')\n"
           "is(refused({string.gmatch('', '')}), \"cannot send field '[1]' of argument 1\")\n"
           "local deep = {f}; for i = 1, 500 do deep = {d = deep} end\n"
           "local m = refused(deep); is(m, \"cannot send field '...\"); is(m, \"d.d[1]' of argument 1\"); assert(#m < 400)\n"
           "f:close()\n");
}

static void refusals_leave_nothing_behind(void **state)
{
    script("local t = thing(1); local co = coroutine.create(print)\n"
           "for i = 1, 100 do assert(refused(t, {t, {}, co})) assert(copy({t, {i}})[2][1] == i) end\n");
}

static void a_parcel_can_be_read_many_times(void **state)
{
    lua_State *other, *L = open_pair(&other);
    lua_newtable(L);
    lua_pushinteger(L, 7);
    lua_rawseti(L, 1, 1);
    struct tide_parcel *p = tide_pack(L, 1, 1);
    assert_true(p->base.size >= sizeof *p && p->count == 1);
    lua_settop(L, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tide_unpack(other, p), 1);
        lua_rawgeti(other, -1, 1);
        assert_int_equal(lua_tointeger(other, -1), 7);
        lua_settop(other, 0);
    }
    close_pair(L);
    tide_parcel_unref(p); /* parcels outlive states */
}

static void a_stream_is_read_item_by_item_from_several_places(void **state)
{
    lua_State *other, *L = open_pair(&other);
    tide_packer_begin(L);
    size_t before = tide_packer_size(L);
    for (int i = 1; i <= 100; i++) {
        if (i % 3 == 0) {
            lua_createtable(L, 1, 0);
            lua_pushinteger(L, i);
            lua_rawseti(L, -2, 1);
        } else {
            lua_pushinteger(L, i);
        }
        tide_packer_add(L, -1);
        lua_pop(L, 1);
    }
    assert_true(tide_packer_size(L) > before);
    lua_newthread(L); /* cannot be sent */
    assert_int_equal(tide_packer_try(L, -1, "item"), TIDE_EREFUSED);
    assert_non_null(strstr(lua_tostring(L, -1), "cannot send the item"));
    lua_settop(L, 0);
    struct tide_parcel *p = tide_packer_finish(L);
    assert_int_equal(p->count, 100);
    assert_int_equal(lua_gettop(L), 0);

    struct tide_cursor a = {p, 0}, b = {p, 0};
    for (int i = 1; i <= 100; i++) {
        assert_int_equal(tide_cursor_next(other, &a), 1);
        if (lua_istable(other, -1))
            lua_rawgeti(other, -1, 1);
        assert_int_equal(lua_tointeger(other, -1), i);
        lua_settop(other, 0);
        if (i == 50)
            b = a;
    }
    assert_int_equal(tide_cursor_next(other, &a), 0);
    assert_int_equal(tide_cursor_next(other, &b), 1);
    lua_rawgeti(other, -1, 1);
    assert_int_equal(lua_tointeger(other, -1), 51);
    lua_settop(other, 0);
    tide_parcel_unref(p);
    close_pair(L);
}

static void streams_of_two_coroutines_do_not_mix(void **state)
{
    lua_State *other, *L = open_pair(&other);
    lua_State *a = lua_newthread(L), *b = lua_newthread(L);
    tide_packer_begin(a);
    tide_packer_begin(b);
    for (int i = 0; i < 10; i++) {
        lua_pushinteger(a, i);
        tide_packer_add(a, 1);
        lua_pushfstring(b, "b%d", i);
        tide_packer_add(b, 1);
        lua_settop(a, 0);
        lua_settop(b, 0);
        tide_parcel_unref(tide_pack(L, 1, 0));
    }
    struct tide_parcel *pa = tide_packer_finish(a), *pb = tide_packer_finish(b);
    assert_int_equal(tide_unpack(other, pa), 10);
    assert_int_equal(lua_tointeger(other, 10), 9);
    lua_settop(other, 0);
    assert_int_equal(tide_unpack(other, pb), 10);
    assert_string_equal(lua_tostring(other, 10), "b9");
    lua_settop(other, 0);
    tide_parcel_unref(pa);
    tide_parcel_unref(pb);
    close_pair(L);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_arrive_as_they_are),
        cmocka_unit_test(light_userdata_is_a_value),
        cmocka_unit_test(tables_are_copied_deeply),
        cmocka_unit_test(holes_and_sparse_tables_keep_their_keys),
        cmocka_unit_test(identity_and_cycles_are_kept_within_a_message),
        cmocka_unit_test(depth_has_no_limit),
        cmocka_unit_test(metatables_travel),
        cmocka_unit_test(modules_and_their_members_travel_by_name),
        cmocka_unit_test(classes_of_modules_keep_their_identity),
        cmocka_unit_test(a_module_that_is_missing_there_is_named),
        cmocka_unit_test(what_cannot_travel_is_refused_with_its_way),
        cmocka_unit_test(refusals_leave_nothing_behind),
        cmocka_unit_test(a_parcel_can_be_read_many_times),
        cmocka_unit_test(a_stream_is_read_item_by_item_from_several_places),
        cmocka_unit_test(streams_of_two_coroutines_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
