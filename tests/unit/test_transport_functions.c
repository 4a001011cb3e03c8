#include "test_transport_util.h"

static void evaluate(lua_State *L, const char *chunk)
{
    assert_int_equal(luaL_dostring(L, chunk), LUA_OK);
}

static void functions_bring_what_they_captured(void **state)
{
    script("local a, b, t = 1, 'x', {3}\n"
           "assert(there(function(c) return a .. b .. t[1] .. c end, '!') == '1x3!')\n"
           "local function fact(n) return n < 2 and 1 or n * fact(n - 1) end\n"
           "assert(there(fact, 10) == 3628800)\n"
           "local even, odd\n"
           "function even(n) return n == 0 or odd(n - 1) end\n"
           "function odd(n) return n ~= 0 and even(n - 1) end\n"
           "assert(there(even, 10) and not there(odd, 10))\n"
           "assert(there(function(...) return select('#', ...) end, nil, nil) == 2)\n"
           "assert(there(function(f) return f(4) end, fact) == 24)\n"
           "local chain = function(x) return x end\n"
           "for i = 1, 300 do local f = chain; chain = function(x) return f(x) + 1 end end\n"
           "assert(there(chain, 0) == 300)\n");
}

static void shared_variables_stay_shared_within_a_message(void **state)
{
    script("local n = 0\n"
           "local function inc() n = n + 1 end\n"
           "local function get() return n end\n"
           "assert(there(function(i, g) i() i() return g() end, inc, get) == 2 and n == 0)\n"
           "assert(there(function() inc() inc() inc() return get() end) == 3 and n == 0)\n"
           "local t = {inc = inc, get = get}; assert(there(function(x) x.inc() return x.get() end, t) == 1)\n");
}

static void errors_keep_their_lines(void **state)
{
    script("\n\nlocal function f(t)\n  return t.x.y\nend\n"
           "local ok, m = pcall(there, f, {})\n"
           "assert(not ok and m:find('^script.lua:4: ') and m:find(\"field 'x'\"), m)\n");
}

static void a_function_brings_the_globals_it_names(void **state)
{
    script("function helper(x) return deeper(x) + 1 end\n"
           "function deeper(x) return x * factor end\n"
           "factor = 3; unused = coroutine.create(print); Config = {sub = {n = 4}}\n"
           "assert(there(function(x) return helper(x) end, 5) == 16)\n"
           "assert(there(function() return Config.sub.n end) == 4)\n"
           "assert(there(function() return function() return factor end end)() == 3)\n"
           "assert(there(function() local _ENV = _ENV; return factor end) == 3)\n"
           "assert(there(function() return _G.factor + _ENV.factor end) == 6)\n"
           "assert(there(function() local g = _G; return (function() return g.factor end)() end) == 3)\n"
           "local G = _G; assert(there(function() return G.factor end) == 3)\n"
           "assert(there(function() return absent end) == nil)\n"
           "assert(there(helper, 1) == 4)\n"
           "local f = helper; f = nil; factor = nil\n"
           "local ok, m = pcall(there, helper, 1); assert(not ok and m:find(\"global 'factor'\"), m)\n");
}

static void a_global_that_the_script_replaced_travels(void **state)
{
    script("local real = tostring\n"
           "tostring = function(x) return '<' .. real(x) .. '>' end\n"
           "assert(there(function() return tostring(1) end) == '<1>')\n"
           "tostring = real; assert(there(function() return tostring(1) end) == '1')\n"
           "string.shout = function(s) return s:upper() .. '!' end; local shout = string.shout\n"
           "assert(there(function() return shout('a') end) == 'A!')\n");
}

static void a_task_has_an_environment_of_its_own(void **state)
{
    script("function set(v) x = v; return x, _G.x, _ENV == _G, rawget(_G, 'x') end\n"
           "local a, b, c, d = there(set, 5); assert(a == 5 and b == 5 and c and d == 5)\n"
           "assert(there(function() return x end) == nil and x == nil)\n"
           "assert(there(function() local n = 0; for k in pairs(_G) do n = n + 1 end\n"
           "  return n > 20 and rawget(_G, 'print') == print end))\n"
           "assert(there(function(f) y = 1; return f() end, function() return y end) == 1 or true)\n"
           "assert(there(function() setmetatable(_G, {__index = function() error 'strict' end}); return type(print) end)\n"
           "  == 'function')\n"
           "assert(there(function() return getmetatable(_G).__metatable, type(print) end) == nil)\n"
           "assert(there(function(g) return g ~= _G and g.print == print and g._G == g and g.string.len('x') == 1 end, _G))\n"
           "assert(there(function(t) local n = 0; for k in pairs(t.g) do n = n + 1 end return n > 20 end, {g = _G}))\n"
           "function one() shared = 'yes'; return two() end\n"
           "function two() return shared end\n"
           "assert(there(one) == 'yes' and shared == nil)\n");
}

static void environments_are_shared_within_one_message_only(void **state)
{
    script("function put() mark = 1 end function get() return mark end\n"
           "assert(there(function() put() return get() end) == 1)\n"
           "for i = 1, 3 do assert(there(get) == nil) there(put) end\n"
           "local env = {print = print}; local chunk = load('return print ~= nil and other == nil', 'c', 't', env)\n"
           "assert(there(chunk))\n"
           "local strict = load('return type(x)', 'c', 't', setmetatable({}, {__index = _G}))\n"
           "local ok = pcall(there, strict); assert(ok)\n");
}

/* A layer is what an executor's initializer leaves behind. */
static void a_layer_stands_between_environment_and_base(void **state)
{
    lua_State *other, *L = open_pair(&other);
    evaluate(other, "return {answer = 42, twice = function(x) return 2 * x end}");
    tide_env_set_layer(other, -1);
    run(L, "function get() return answer and twice(answer) end\n"
           "assert(there(get) == 84)\n"
           "assert(there(function() answer = 1; return answer end) == 1 and there(get) == 84)\n"
           "assert(there(function() return _G.answer, print ~= nil end) == 42)\n");
    lua_pushnil(other);
    tide_env_set_layer(other, -1);
    lua_settop(other, 0);
    run(L, "assert(there(get) == nil)");
    evaluate(other, "return {answer = 1, twice = function(x) return -x end}");
    tide_env_set_layer(other, -1);
    lua_settop(other, 0);
    run(L, "assert(there(get) == -1)");
    close_pair(L);
}

static void the_environment_of_a_function_is_found(void **state)
{
    lua_State *other, *L = open_pair(&other);
    evaluate(L, "local a = 1; return function() return a end, function() return a, x end, print");
    tide_env_of(L, 1);
    tide_env_of(L, 2);
    tide_env_of(L, 3);
    assert_true(lua_isnil(L, 4) && lua_isnil(L, 6));
    lua_pushglobaltable(L);
    assert_true(lua_rawequal(L, 5, 7));
    lua_settop(L, 0);
    tide_env_current(L);
    lua_pushglobaltable(L);
    assert_true(lua_rawequal(L, 1, 2));
    lua_settop(L, 0);
    evaluate(L, "x = 1; return function() x = x + 1 end");
    struct tide_code *code = tide_pack_function(L, 1);
    tide_unpack_function(other, code);
    tide_env_of(other, 1);
    assert_true(lua_istable(other, 2));
    lua_getfield(other, 2, "x");
    assert_int_equal(lua_tointeger(other, -1), 1);
    lua_getfield(other, 2, "print");
    assert_true(lua_isfunction(other, -1));
    lua_settop(other, 0);
    lua_settop(L, 0);
    tide_code_unref(code);
    close_pair(L);
}

static void refusals_name_functions_and_variables(void **state)
{
    script("local conn = io.tmpfile()\n"
           "local co = coroutine.create(print)\n"
           "local function is(got, want) assert(got == want, tostring(got)) end\n"
           "local function fetch(url)\n  return conn:read(url)\nend\n"
           "is(refused_function(fetch), \"cannot send 'conn' (upvalue of 'fetch', script.lua:4): \"\n"
           "  .. 'file handles stay in the thread that opened them')\n"
           "local state = {list = {1, conn}}\n"
           "is(refused_function(function() return state end), \"cannot send field 'list[2]' of 'state' (upvalue of \"\n"
           "  .. 'the function at script.lua:10): file handles stay in the thread that opened them')\n"
           "is(refused_function(function() return fetch() end), \"cannot send 'conn' (upvalue of 'fetch', script.lua:4): \"\n"
           "  .. 'file handles stay in the thread that opened them')\n"
           "x = conn; function f() return x end\n"
           "is(refused_function(f), \"cannot send global 'x' named by 'f', script.lua:14: \"\n"
           "  .. 'file handles stay in the thread that opened them')\n"
           "x = {y = co}\n"
           "is(refused_function(f), \"cannot send field 'y' of global 'x' named by 'f', script.lua:14: \"\n"
           "  .. 'coroutines stay in the task that made them; send the function')\n"
           "is(refused(1, {cb = fetch}), \"cannot send 'conn' (upvalue of the function at script.lua:4), in field 'cb' of \"\n"
           "  .. 'argument 2: file handles stay in the thread that opened them')\n"
           "local m = refused_function(coroutine.wrap(print))\n"
           "is(m, 'cannot send the function: a C function travels only as a member of a loaded module; '\n"
           "  .. 'send a Lua function that calls it')\n"
           "conn:close()\n");
}

static void functions_are_encoded_once_while_nothing_changes(void **state)
{
    script("local n, s, up = 1, 'a', string.upper\n"
           "local function inner() return n end\n"
           "local function f() return n, s, up, inner(), helper() end\n"
           "function helper() return 1 end\n"
           "local function id() return (code(f)) end\n"
           "id(); local first = id()\n"
           "for i = 1, 10 do assert(id() == first) end\n"
           "n = 2; local second = id(); assert(second ~= first); assert(id() == second)\n"
           "n = 2.0; assert(id() ~= second); second = id(); assert(id() == second)\n"
           "s = 'b'; assert(id() ~= second); second = id(); assert(id() == second)\n"
           "up = string.lower; assert(id() ~= second); second = id(); assert(id() == second)\n"
           "helper = function() return 2 end; assert(id() ~= second); second = id(); assert(id() == second)\n"
           "helper = nil; assert(id() ~= second); second = id(); assert(id() == second)\n"
           "print = f; assert(id() == second)\n"
           "local t = {}; local function g() return t end\n"
           "assert(code(g) ~= code(g) and code(g) ~= code(g))\n"
           "function helper() return 3 end\n"
           "local a, b, c, d, e = there(f); assert(a == 2.0 and b == 'b' and c == string.lower and d == 2.0 and e == 3)\n");
}

static void a_changed_capture_is_seen_by_the_next_task(void **state)
{
    script("local n = 0; local function f() return n end\n"
           "for i = 1, 300 do n = i // 3; assert(there(f) == n) end\n"
           "for i = 1, 20 do g = function() return i end; assert(there(function() return g() end) == i) end\n");
}

static void a_decoded_function_is_kept_only_where_nobody_can_tell(void **state)
{
    script("local function reusable(f) return select(2, code(f)) end\n"
           "local n, t = 1, {}\n"
           "assert(reusable(function() return n + #string.rep('x', 3) end))\n"
           "assert(reusable(function() local x = 0; local function up() x = x + 1 end; up() return x end))\n"
           "assert(not reusable(function() n = n + 1 end))\n"
           "assert(not reusable(function() return function() n = 2 end end))\n"
           "assert(not reusable(function() return t end))\n"
           "assert(not reusable(function() x = 1 end))\n"
           "assert(not reusable(function() return function() x = 1 end end))\n"
           "assert(not reusable(function() return _ENV end))\n"
           "assert(not reusable(function() return _G.x end))\n"
           "assert(not reusable(function() return load('x = 1') end))\n"
           "local l = load; assert(not reusable(function() return l('x = 1') end))\n"
           "local d = debug.setupvalue; assert(not reusable(function() return d end))\n"
           "function setter() x = 1 end; assert(not reusable(function() return setter() end))\n"
           "Config = {1}; assert(not reusable(function() return Config end))\n"
           "local c = 0; local function count() c = c + 1; return c end\n"
           "for i = 1, 3 do assert(there(count) == 1) end\n");
}

static int count_functions(lua_State *L, struct tide_code *code)
{
    tide_unpack_function(L, code);
    tide_unpack_function(L, code);
    int same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

static void a_kept_function_is_let_go(void **state)
{
    lua_State *other, *L = open_pair(&other);
    run(L, "local q = thing(1); function f() return q end");
    lua_getglobal(L, "f");
    struct tide_code *code = tide_pack_function(L, -1);
    assert_true(code->reusable);
    assert_int_equal(count_functions(other, code), 1);
    run(L, "f = nil");
    lua_settop(L, 0);
    tide_code_unref(code);
    lua_gc(other, LUA_GCCOLLECT);
    lua_gc(L, LUA_GCCOLLECT);
    lua_gc(L, LUA_GCCOLLECT);
    assert_int_equal(things_alive, 0);
    close_pair(L);
}

static void names_for_reports(void **state)
{
    script("local function fetch() end\n"
           "local function is(want, _, _, _, got) assert(got == want, got) end\n"
           "is('fetch (script.lua:1)', code(fetch))\n"
           "is('function at script.lua:4', code(function() end))\n"
           "function glob() end is('glob (script.lua:5)', code(glob))\n"
           "is('string.upper', code(string.upper)) is('print', code(print))\n"
           "local a, b = function() return 1 end, function() return 2 end\n"
           "is('a (script.lua:7)', code(a)) is('b (script.lua:7)', code(b))\n");
}

static void changed_captures_are_told_once(void **state)
{
    script("local results, count, name, seen = {}, 0, 'n', {a = {b = {1}}}\n"
           "local function note(f, ...) return changed(f, ...) end\n"
           "local f = function(i) results[i] = i end\n"
           "assert(note(f, 1) == \"script.lua:3: task changed captured table 'results'; the caller will not see it \"\n"
           "  .. '(return the values, or use tm.dict)')\n"
           "for i = 1, 200 do assert(note(f, 1) == nil) end\n"
           "assert(note(function() count = count + 1 end):find(\"script.lua:7: task changed captured local 'count'\", 1,\n"
           "  true))\n"
           "assert(note(function() return results, seen, name end) == nil)\n"
           "assert(note(function() seen.a.b[2] = 0 end):find(\"captured table 'seen'\", 1, true))\n"
           "assert(note(function() seen.a.b[1] = nil end):find(\"captured table 'seen'\", 1, true))\n"
           "local function inner() count = 5 end\n"
           "assert(note(function() inner() end):find(\"captured local 'count'\", 1, true))\n"
           "assert(note(function() local c = count; c = 2; return c end) == nil)\n"
           "Results = {}; assert(note(function() Results[1] = 1 end):find(\"global table 'Results'\", 1, true))\n"
           "assert(note(function() Results = {2} end) == nil)\n"
           "assert(note(function() mine = {}; mine[1] = 2 end) == nil)\n"
           "local nan = {0/0}; nan[nan] = nan; assert(note(function() return nan end) == nil)\n");
}

static void strict_tells_every_time(void **state)
{
    lua_State *other, *L = open_pair(&other);
    tide_transport_set_strict(other, true);
    run(L, "local t = {}; local function f() t[1] = 1 end\n"
           "for i = 1, 3 do assert(changed(f):find(\"captured table 't'\", 1, true)) end\n");
    close_pair(L);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_bring_what_they_captured),
        cmocka_unit_test(shared_variables_stay_shared_within_a_message),
        cmocka_unit_test(errors_keep_their_lines),
        cmocka_unit_test(a_function_brings_the_globals_it_names),
        cmocka_unit_test(a_global_that_the_script_replaced_travels),
        cmocka_unit_test(a_task_has_an_environment_of_its_own),
        cmocka_unit_test(environments_are_shared_within_one_message_only),
        cmocka_unit_test(a_layer_stands_between_environment_and_base),
        cmocka_unit_test(the_environment_of_a_function_is_found),
        cmocka_unit_test(refusals_name_functions_and_variables),
        cmocka_unit_test(functions_are_encoded_once_while_nothing_changes),
        cmocka_unit_test(a_changed_capture_is_seen_by_the_next_task),
        cmocka_unit_test(a_decoded_function_is_kept_only_where_nobody_can_tell),
        cmocka_unit_test(a_kept_function_is_let_go),
        cmocka_unit_test(names_for_reports),
        cmocka_unit_test(changed_captures_are_told_once),
        cmocka_unit_test(strict_tells_every_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
