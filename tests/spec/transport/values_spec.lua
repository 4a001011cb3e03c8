local tm = require "tidemill"
local helper = require "helper"
local LIMIT = helper.LIMIT
-- for tasks: they would take the environment of busted along
local coroutine, math, string, select, getmetatable, setmetatable, error, tostring, rawequal =
  coroutine, math, string, select, getmetatable, setmetatable, error, tostring, rawequal

--- There and back again.
local function round(...) return tm.submit(function(...) return ... end, ...):result(LIMIT) end

--- Runs source as a script's main chunk would stand: with Lua's own globals.
local function script(source, ...)
  return assert(load(source, "=script.lua"))(...)
end

--- The text of the error with which submitting fails.
local function refusal(fn, ...) return tostring(helper.raised(tm.submit, fn, ...)) end

local function nop() end

describe("values", function()
  it("keep their type and value", function()
    local values = { true, false, 0, -1, 1 << 40, math.maxinteger, math.mininteger, 1.0, -0.5, math.huge, -math.huge,
      "", "a\0b", ("x"):rep(100000), 2 ^ 53 }
    for _, v in ipairs(values) do
      local back = round(v)
      assert.equal(v, back)
      assert.equal(math.type(v), math.type(back))
    end
    local nan = round(0 / 0)
    assert.is_true(nan ~= nan)
    assert.equal("-0.0", tostring(round(-0.0)))
    assert.same({ n = 3, nil, nil, nil }, table.pack(round(nil, nil, nil)))
    assert.equal(200, select("#", round(table.unpack({}, 1, 200))))
  end)

  it("tables are copied, with shared references and cycles", function()
    local shared = { 1 }
    local t = { shared, shared, n = { [1.5] = "x", [true] = false }, [-1] = "minus" }
    t.self, t[t] = t, "own key"
    local back = round(t)
    assert.is_false(rawequal(t, back))
    assert.is_true(rawequal(back, back.self))
    assert.is_true(rawequal(back[1], back[2]))
    assert.equal("own key", back[back])
    assert.same({ [1.5] = "x", [true] = false }, back.n)
    assert.equal("minus", back[-1])
  end)

  it("references are shared between arguments and captures of one call", function()
    local t = {}
    assert.is_true(tm.submit(function(a, b) return rawequal(a, b) end, t, t):result(LIMIT))
    local a, b = round(t, t)
    assert.is_true(rawequal(a, b))
  end)

  it("deep tables travel", function()
    local t = {}
    local at = t
    for _ = 1, 10000 do
      at.next = {}
      at = at.next
    end
    local depth, back = 0, round(t)
    while back.next do back, depth = back.next, depth + 1 end
    assert.equal(10000, depth)
  end)

  it("metatables travel along", function()
    local point = { __add = function(a, b) return a.x + b.x end }
    local a, b = setmetatable({ x = 1 }, point), setmetatable({ x = 2 }, point)
    assert.equal(3, tm.submit(function(p, q) return p + q end, a, b):result(LIMIT))
    local back = round({ a, b })
    assert.equal(3, back[1] + back[2])
    assert.is_true(rawequal(getmetatable(back[1]), getmetatable(back[2])))
  end)

  it("functions take their captured values, and share them", function()
    local n = 0
    local function up() n = n + 1 end
    local function get() return n end
    n = 5
    assert.equal(7, tm.submit(function(u, g)
      u()
      u()
      return g()
    end, up, get):result(LIMIT))
    assert.equal(5, n)
  end)

  it("functions come back", function()
    local add = tm.submit(function(a) return function(b) return a + b end end, 3):result(LIMIT)
    assert.equal(7, add(4))
  end)

  it("recursive functions, and functions that call each other, travel", function()
    local even, odd
    function even(n) return n == 0 or odd(n - 1) end
    function odd(n) return n ~= 0 and even(n - 1) end
    assert.is_true(tm.submit(even, 10):result(LIMIT))
  end)

  it("methods of what Tidemill makes travel by name", function()
    local pool = helper.pool()
    local event, hits, queue = tm.event(), tm.counter(), tm.queue()
    local waits = pool:submit(event.wait, event, helper.LIMIT)
    pool:submit(event.set, event):result()
    assert.is_true(waits:result())
    assert.equal(3, pool:submit(hits.add, hits, 3):result())
    pool:submit(queue.put, queue, "item"):result()
    assert.equal("item", queue:get())
    assert.is_true(pool:submit(function(wait) return wait == tm.event().wait end, event.wait):result())
  end)

  it("library functions and modules travel by name", function()
    assert.is_true(rawequal(string.upper, round(string.upper)))
    assert.is_true(rawequal(string, round(string)))
    assert.is_true(rawequal(tm, round(tm)))
    assert.is_true(rawequal(tm.submit, round(tm.submit)))
    assert.is_true(rawequal(io.stdout, round(io.stdout)))
    assert.equal("X", tm.submit(string.upper, "x"):result(LIMIT))
  end)

  it("modules of the script are required on the other side", function()
    assert.is_true(rawequal(helper, round(helper)))
    assert.is_true(rawequal(helper.raised, round(helper.raised)))
    assert.equal(helper.LIMIT, tm.submit(function() return helper.LIMIT end):result(LIMIT))
  end)

  it("strings and tables of some size travel", function()
    local t = {}
    for i = 1, 50000 do t[i] = { id = i, name = "item " .. i } end
    local back = round(t)
    assert.equal(50000, #back)
    assert.same({ id = 777, name = "item 777" }, back[777])
  end)

  it("results keep their identity over calls of result", function()
    local f = tm.submit(function() return { 1 }, { 2 }, "x", nop end)
    local a, b, x, g = f:result(LIMIT)
    local c, d, y, h = f:result()
    assert.is_true(rawequal(a, c) and rawequal(b, d) and x == y and rawequal(g, h))
    a.changed = true
    assert.is_true((f:result()).changed)
  end)

  it("handles are the same object, as keys too", function()
    local event, counter = tm.event(), tm.counter()
    local t = { [event] = "e", [counter] = "c", list = { event, event } }
    local back = round(t)
    assert.equal("e", back[event])
    assert.equal("c", back[counter])
    assert.is_true(rawequal(event, back.list[1]))
    local pool = tm.executor()
    assert.is_true(rawequal(pool, round(pool)))
  end)
end)

describe("errors", function()
  local function failing(e) return tm.submit(function() error(e, 0) end) end

  it("tables arrive as tables, with their metatable", function()
    local class = { __tostring = function(e) return "E" .. e.code end }
    local e = failing(setmetatable({ code = 5, inner = { 1 } }, class)):error(LIMIT)
    assert.equal(5, e.code)
    assert.same({ 1 }, e.inner)
    assert.equal("E5", tostring(e))
  end)

  it("that cannot travel arrive as their text", function()
    local f = tm.submit(function() error(coroutine.create(nop)) end)
    assert.matches("^thread: ", f:error(LIMIT))
  end)

  it("handles arrive as handles", function()
    local event = tm.event()
    assert.is_true(rawequal(event, failing(event):error(LIMIT)))
  end)
end)

describe("globals", function()
  it("that a function names go along, transitively", function()
    assert.equal(42, script [[
      local tm = require "tidemill"
      base = 40
      function two() return 1 + one end
      one = 1
      function answer() return base + two() end
      local result = tm.submit(function() return answer() end):result(60)
      base, two, one, answer = nil
      return result
    ]])
  end)

  it("that a task assigns stay with it", function()
    script [[
      local tm = require "tidemill"
      mark = "main"
      local function task(x)
        local before = mark
        mark = x
        own = x
        return before, mark, own, _G.own, _G == _ENV
      end
      for i = 1, 20 do
        local before, after, own, in_G, same = tm.submit(task, i):result(60)
        assert(before == "main" and after == i and own == i and in_G == i and same)
      end
      assert(mark == "main" and own == nil)
      mark = nil
    ]]
  end)

  it("set by code that a task loads stay with it too", function()
    script [[
      local tm = require "tidemill"
      local x = tm.submit(function()
        load("loaded = 5")()
        return loaded
      end):result(60)
      assert(x == 5 and loaded == nil)
      for _ = 1, 20 do assert(tm.submit(function() return loaded end):result(60) == nil) end
    ]]
  end)

  it("of main that change later are not seen", function()
    script [[
      local tm = require "tidemill"
      setting = 1
      local go = tm.event()
      local f = tm.submit(function() go:wait(60) return setting end)
      setting = 2
      go:set()
      assert(f:result(60) == 1)
      setting = nil
    ]]
  end)

  it("of an initializer stand between the base and the task's", function()
    script [[
      local tm = require "tidemill"
      local pool = tm.executor { initializer = function() connection, limit = "open", 1 end }
      local a, b = pool:submit(function()
        limit = limit + 1
        return connection, limit
      end):result(60)
      assert(a == "open" and b == 2)
      for _ = 1, 20 do assert(pool:submit(function() limit = limit + 1 return limit end):result(60) == 2) end
      assert(connection == nil and limit == nil)
      assert(tm.submit(function() return connection end):result(60) == nil)
      pool:shutdown()
    ]]
  end)

  it("package.path follows main's", function()
    assert.equal("/x/?.lua", script [[
      local tm = require "tidemill"
      local before = package.path
      package.path = "/x/?.lua"
      local there = tm.submit(function() return package.path end):result(60)
      package.path = before
      return there
    ]])
  end)
end)

describe("what cannot travel is refused at submit, with its path:", function()
  it("coroutines", function()
    assert.matches("cannot send.*coroutine", refusal(nop, coroutine.create(nop)))
    local e = refusal(nop, { list = { 1, coroutine.create(nop) } })
    assert.matches("list", e)
    assert.matches("2", e)
  end)

  it("open files", function()
    local file = io.tmpfile()
    local e = refusal(nop, 1, { file = file })
    assert.matches("file", e)
    assert.matches("cannot send", e)
    e = refusal(function() return file:read() end)
    assert.matches("cannot send 'file' %(upvalue of .*values_spec.lua:%d+%): ", e)
    file:close()
  end)

  it("foreign userdata, by its name", function()
    local ok, lfs = pcall(require, "lfs")
    if not ok then return pending("lua-filesystem is not installed") end
    local _, dir = lfs.dir(".")
    assert.matches("cannot send", refusal(nop, dir))
    dir:close()
  end)

  it("C functions without a name", function()
    assert.matches("cannot send", refusal(nop, coroutine.wrap(nop)))
    assert.matches("cannot send", refusal(nop, (("x"):gmatch("."))))
  end)

  it("metatables with __gc", function()
    assert.matches("__gc", refusal(nop, setmetatable({}, { __gc = nop })))
  end)

  it("and nothing is left of the task", function()
    local ran = tm.counter()
    for _ = 1, 10 do refusal(function() ran:add() end, coroutine.create(nop)) end
    assert.equal(1, round(1))
    assert.equal(0, ran:get())
  end)

  it("as a result it fails the future", function()
    local f = tm.submit(function() return 1, { deep = { coroutine.create(nop) } } end)
    assert.matches("cannot send.*deep", tostring(f:error(LIMIT)))
    assert.matches("coroutine", tostring(f:error()))
  end)
end)
