local tm = require "tidemill"
local helper = require "helper"
local LIMIT, MOMENT = helper.LIMIT, helper.MOMENT

-- Python has no such object: a dict between threads is a dict and a lock. Of its dict, what has a counterpart: get, pop
-- and setdefault with their defaults, items and keys; its dict.update is set_many here. Missing keys raise
-- there and give nil here, as in a Lua table.

describe("dict", function()
  after_each(helper.settle)

  local function same_pairs(expected, d)
    local found = {}
    for k, v in pairs(d) do found[k] = v end
    assert.same(expected, found)
  end

  --- A task that is inside an update of the key until `go` is set.
  local function updating(pool, d, key, go, fn)
    local began, limit = tm.event(), LIMIT
    local f = pool:submit(function()
      return d:update(key, function(v)
        began:set()
        assert(go:wait(limit))
        if fn then return fn(v) end
        return v
      end)
    end)
    assert.is_true(began:wait(LIMIT))
    return f
  end

  describe("holds", function()
    it("what it was made of, and nothing at first", function()
      assert.equal(0, #tm.dict())
      assert.equal(0, #tm.dict(nil))
      local d = tm.dict { a = 1, [1] = "x", [2.5] = false, [true] = { 1 } }
      assert.equal(4, #d)
      same_pairs({ a = 1, [1] = "x", [2.5] = false, [true] = { 1 } }, d)
      assert.equal("dict (4 keys)", tostring(d))
      assert.equal("dict (1 key)", tostring(tm.dict { 1 }))
    end)

    it("values by keys", function()
      local d = tm.dict()
      d:set("k", "v")
      assert.equal("v", d:get("k"))
      assert.is_true(d:has("k"))
      d:set("k", false)
      assert.is_false(d:get("k", 1))
      assert.is_true(d:has("k"))
      d:set("k", nil)
      assert.is_nil(d:get("k"))
      assert.equal("default", d:get("k", "default"))
      assert.is_false(d:has("k"))
      assert.equal(0, #d)
      d:set("k", nil)
    end)

    it("every kind of value, copied in and out", function()
      local d, event, long = tm.dict(), tm.event(), ("x"):rep(100000)
      local t = { 1, { 2 }, s = "s" }
      t.self = t
      local values = { 1, 1.0, -0.5, math.huge, math.mininteger, "", "a\0b", long, true, event, print, ("y"):rep(128),
        ("z"):rep(129) }
      for i, value in ipairs(values) do d:set(i, value) end
      for i, value in ipairs(values) do
        assert.equal(value, d:get(i))
        assert.equal(math.type(value), math.type(d:get(i)))
      end
      d:set("t", t)
      t[1] = 2
      local copy = d:get("t")
      assert.equal(1, copy[1])
      assert.equal(copy, copy.self)
      assert.are_not.equal(copy, d:get("t"))
      d:set("f", function(x) return x + t[1] end)
      assert.equal(5, d:get("f")(3))
      d:set("nan", 0 / 0)
      assert.is_true(d:get("nan") ~= d:get("nan"))
    end)

    it("a float with an integer's value as that integer, as a table does", function()
      local d = tm.dict()
      d:set(3.0, "x")
      assert.equal("x", d:get(3))
      assert.equal("integer", math.type(d:keys()[1]))
      d:set(-0.0, "zero")
      assert.equal("zero", d:get(0))
      d:set(2 ^ 53, "big")
      assert.equal("big", d:get(1 << 53))
      d:set(math.huge, "inf")
      assert.equal("inf", d:get(math.huge))
      assert.is_nil(d:get("3"))
    end)

    it("shared objects and light userdata as keys", function()
      local d, event = tm.dict(), tm.event()
      d:set(event, "event")
      d:set(d, "itself")
      assert.equal("event", tm.submit(function() return d:get(event) end):result(LIMIT))
      assert.equal("itself", d:get(d))
      for _, key in ipairs(d:keys()) do assert.is_true(key == event or key == d) end
    end)

    it("no other keys", function()
      local d = tm.dict()
      local why = " cannot be a key; strings, numbers, booleans and shared objects can)"
      for _, method in ipairs { "get", "set", "has", "pop", "setdefault", "add", "update", "get_or_set" } do
        local function fails(what, key)
          assert.has_error(function() d[method](d, key, print) end, "bad argument #2 to '?' (" .. what .. why)
        end
        fails("table", {})
        fails("nil", nil)
        fails("NaN", 0 / 0)
        fails("function", print)
        fails("thread", coroutine.create(print))
        fails("userdata", io.stdout)
      end
      assert.has_error(function() d:get({}) end, "bad argument #1 to 'get' (table" .. why)
      assert.has_error(function() tm.dict { [{}] = 1 } end)
      assert.has_error(function() d:set_many { a = 1, [print] = 1 } end)
      assert.equal(0, #d)
    end)
  end)

  it("checks its other arguments", function()
    local d = tm.dict()
    assert.has_error(function() tm.dict(1) end)
    assert.has_error(function() d:set("k") end)
    assert.has_error(function() d:setdefault("k") end)
    assert.has_error(function() d:update("k") end)
    assert.has_error(function() d:update("k", 1) end)
    assert.has_error(function() d:get_or_set("k", "x") end)
    assert.has_error(function() d:add("k", "1") end)
    assert.has_error(function() d:set_many(1) end)
    assert.has_error(function() d.get({}, 1) end)
    assert.has_error(function() d.get(tm.event(), 1) end)
    assert.has_error(function() d.x = 1 end)
    assert.equal(0, #d)
  end)

  it("pop takes a key out", function()
    local d = tm.dict { a = { 1 }, b = false }
    assert.same({ 1 }, d:pop("a"))
    assert.is_nil(d:pop("a"))
    assert.equal("default", d:pop("a", "default"))
    assert.is_false(d:pop("b", 1))
    assert.equal(0, #d)
  end)

  it("setdefault gives the value that stands", function()
    local d = tm.dict()
    assert.equal(1, d:setdefault("k", 1))
    assert.equal(1, d:setdefault("k", 2))
    d:set("f", false)
    assert.is_false(d:setdefault("f", 2))
    assert.is_nil(d:setdefault("n", nil))
    assert.is_false(d:has("n"))
    local t = { 1 }
    assert.same(t, d:setdefault("t", t))
    assert.same(t, d:setdefault("t", {}))
  end)

  it("add counts from 0, as Lua adds", function()
    local d = tm.dict { i = math.maxinteger, s = "x", t = {}, b = true }
    assert.equal(1, d:add("n"))
    assert.equal(11, d:add("n", 10))
    assert.equal("integer", math.type(d:get("n")))
    assert.equal(11.5, d:add("n", 0.5))
    assert.equal(math.mininteger, d:add("i", 1))
    assert.equal("float", math.type(d:add("f", 1.0)))
    assert.has_error(function() d:add("s", 1) end, "cannot add to key 's': its value is a string")
    assert.has_error(function() d:add("b", 1) end, "cannot add to key 'b': its value is a boolean")
    assert.has_error(function() d:add("t", 1) end, "cannot add to key 't': its value is no number")
    assert.equal("x", d:get("s"))
  end)

  it("set_many stores a table, or nothing of it", function()
    local d = tm.dict { a = 0, z = 26 }
    d:set_many { a = 1, b = { 2 } }
    same_pairs({ a = 1, b = { 2 }, z = 26 }, d)
    local e = helper.raised(d.set_many, d, { a = 5, c = coroutine.create(print) })
    assert.matches("cannot send the value", e)
    same_pairs({ a = 1, b = { 2 }, z = 26 }, d)
  end)

  it("clear removes all", function()
    local d = tm.dict { 1, 2, 3 }
    d:clear()
    assert.equal(0, #d)
    d:clear()
    d:set(1, 1)
    assert.equal(1, d:get(1))
  end)

  it("items and keys are a snapshot", function()
    local d = tm.dict()
    for i = 1, 1000 do d:set(i, i * i) end
    local sum, count = 0, 0
    for k, v in d:items() do
      assert.equal(k * k, v)
      sum, count = sum + k, count + 1
      d:set(k, nil)
      d:set(-k, 1)
    end
    assert.equal(1000, count)
    assert.equal(500500, sum)
    local keys = d:keys()
    table.sort(keys)
    assert.equal(1000, #keys)
    assert.equal(-1000, keys[1])
    assert.is_nil(tm.dict():items()())
  end)

  it("a value that cannot be sent is refused with the way to it, and changes nothing", function()
    local d = tm.dict { k = 1 }
    local bad = { a = { coroutine.create(print) } }
    local function refuses(...) assert.matches("cannot send field 'a%[1%]' of the value", helper.raised(...)) end
    refuses(d.set, d, "k", bad)
    refuses(d.setdefault, d, "k", bad)
    refuses(d.update, d, "k", function() return bad end)
    refuses(d.get_or_set, d, "l", function() return bad end)
    assert.matches("field 'a%[1%]' of the value of key 'm'", helper.raised(d.set_many, d, { k = 5, m = bad }))
    assert.matches("cannot send field 'a%[1%]' of the value of key 'm'", helper.raised(tm.dict, { m = bad }))
    same_pairs({ k = 1 }, d)
    assert.equal(2, d:update("k", function(v) return v + 1 end)) -- the key is free
  end)

  describe("update", function()
    it("gives the function the value and its arguments, and stores what it returns", function()
      local d = tm.dict()
      assert.equal("nil 1 2", d:update("k", function(v, ...) return table.concat({ tostring(v), ... }, " ") end, 1, 2))
      assert.equal("nil 1 2", d:get("k"))
      assert.is_nil(d:update("k", function() return nil end))
      assert.is_false(d:has("k"))
      d:set("k", 1)
      assert.is_nil(d:update("k", function() end))
      assert.is_false(d:has("k"))
      local t = {}
      assert.equal(t, d:update("k", function() return t end))
    end)

    it("loses nothing between tasks, also where the function waits", function()
      local pool, d, futures = helper.pool(), tm.dict(), {}
      for i = 1, 20 do
        futures[i] = pool:submit(function()
          for j = 1, 50 do
            d:update("sum", function(v)
              if j % 10 == 0 then tm.sleep(0) end
              return (v or 0) + 1
            end)
          end
        end)
      end
      tm.gather(futures)
      assert.equal(1000, d:get("sum"))
    end)

    it("lets readers see the old value, and keeps changes waiting in order", function()
      local pool, d, go, limit = helper.pool(), tm.dict { k = "" }, tm.event(), LIMIT
      local first = updating(pool, d, "k", go, function(v) return v .. "1" end)
      local futures = {}
      for i = 2, 4 do
        futures[i] = pool:submit(function() return d:update("k", function(v) return v .. i end) end)
        tm.sleep(MOMENT)
      end
      assert.equal("", d:get("k"))
      assert.is_true(d:has("k"))
      same_pairs({ k = "" }, d)
      d:set("other", 1)
      assert.is_false(futures[2]:done())
      go:set()
      assert.equal("1", first:result(limit))
      assert.equal("12", futures[2]:result(limit))
      assert.equal("123", futures[3]:result(limit))
      assert.equal("1234", futures[4]:result(limit))
    end)

    it("makes set, pop, setdefault, add and set_many of its key wait", function()
      local deeds = {
        { function(d) d:set("k", 10) end, 10 },
        { function(d) return d:pop("k") end, nil, 2 },
        { function(d) return d:setdefault("k", 7) end, 2, 2 },
        { function(d) return d:add("k", 40) end, 42, 42 },
        { function(d) d:set_many { a = 1, k = 11, b = 2 } end, 11 },
        { function(d) return d:get_or_set("gone", print) end, 1, nil, "gone" },
      }
      for _, deed in ipairs(deeds) do
        local pool, d, go = helper.pool(), tm.dict { k = 1 }, tm.event()
        local key = deed[4] or "k"
        local first = updating(pool, d, key, go, function(v) return (v or 0) + 1 end)
        local f = pool:submit(deed[1], d)
        tm.sleep(MOMENT / 5)
        assert.is_false(f:done())
        go:set()
        first:result(LIMIT)
        assert.equal(deed[3] or (key == "gone" and 1 or nil), (f:result(LIMIT)))
        assert.equal(deed[2], d:get(key))
      end
    end)

    it("that fails changes nothing, frees the key and raises the error as it is", function()
      local d, e = tm.dict { k = 1 }, { kind = "mine" }
      assert.equal(e, helper.raised(d.update, d, "k", function() error(e) end))
      assert.equal(1, d:get("k"))
      assert.equal(2, d:update("k", function(v) return v + 1 end))
    end)

    it("that is cancelled changes nothing, and the next one goes on", function()
      local pool, d, go = helper.pool(), tm.dict { k = 1 }, tm.event()
      local first = updating(pool, d, "k", go)
      local second = pool:submit(function() return d:update("k", function(v) return v + 1 end) end)
      tm.sleep(MOMENT)
      assert.is_true(first:cancel())
      assert.equal(2, second:result(LIMIT))
      assert.equal("cancelled", helper.kind(first.result, first, LIMIT))
    end)

    it("a wait for a key ends with tm.timeout or a cancellation, and leaves nothing behind", function()
      local pool, d, go = helper.pool(), tm.dict { k = 1 }, tm.event()
      local first = updating(pool, d, "k", go, function(v) return v + 1 end)
      assert.equal("timeout", helper.kind(tm.timeout, MOMENT, d.set, d, "k", 5))
      assert.equal("timeout", helper.kind(tm.timeout, MOMENT, d.update, d, "k", print))
      local cancelled = pool:submit(function() d:set("k", 6) end)
      tm.sleep(MOMENT)
      cancelled:cancel()
      assert.equal("cancelled", helper.kind(cancelled.result, cancelled, LIMIT))
      go:set()
      assert.equal(2, first:result(LIMIT))
      d:add("k", 1)
      assert.equal(3, d:get("k"))
    end)

    it("refuses to touch its own key", function()
      local d = tm.dict { k = 1 }
      local text = " key 'k' here: the task is inside an update of it, whose function gets the value as its argument "
        .. "and returns the new one (nil removes the key)"
      local function inside(fn) return helper.raised(d.update, d, "k", fn) end
      assert.matches("cannot update" .. text, inside(function() d:update("k", print) end), 1, true)
      assert.matches("cannot change" .. text, inside(function() d:set("k", 2) end), 1, true)
      assert.matches("cannot change" .. text, inside(function() d:pop("k") end), 1, true)
      assert.matches("cannot change" .. text, inside(function() d:setdefault("k", 2) end), 1, true)
      assert.matches("cannot change" .. text, inside(function() d:add("k", 2) end), 1, true)
      assert.matches("cannot change" .. text, inside(function() d:set_many { k = 2 } end), 1, true)
      local function limited() tm.timeout(1, d.update, d, "k", print) end
      assert.matches("cannot update" .. text, inside(limited), 1, true)
      assert.equal(1, d:update("k", function() return d:get("k") end))
      assert.equal(5, d:update("k", function()
        d:update("l", function() return 3 end) -- another key is fine
        return d:get("l") + 2
      end))
    end)

    it("refuses to close a cycle, and spells it out", function()
      local pool, d, go, limit = helper.pool(), tm.dict(), tm.event(), LIMIT
      local ready = tm.event()
      local other = pool:submit(function()
        return d:update("a", function()
          ready:set()
          go:wait(limit)
          return d:update("b", function() return "b" end)
        end)
      end)
      ready:wait(LIMIT)
      local ok, e = pcall(d.update, d, "b", function()
        go:set()
        tm.sleep(MOMENT)
        d:set("a", 1)
        return "mine"
      end)
      -- either of the two closed it; the other goes on
      local ok2, e2 = pcall(other.result, other, LIMIT)
      assert.is_true(ok ~= ok2)
      local text = tostring(ok and e2 or e)
      local wait = "waits for key '[ab]' of a dict, which "
      assert.matches("deadlock: '.*' " .. wait .. "'.*' updates, which " .. wait, text)
    end)

    it("refuses a cycle through a future", function()
      local pool, d = helper.pool { max_workers = 1 }, tm.dict()
      local e = helper.raised(d.update, d, "k", function()
        return pool:submit(function() d:set("k", 1) end):result()
      end)
      assert.matches("deadlock: .*key 'k' of a dict", tostring(e))
      d:set("k", 5)
      assert.equal(5, d:get("k"))
    end)

    it("works in coroutines, where it may yield to the script", function()
      local d = tm.dict { k = 1 }
      local co = coroutine.wrap(function() return d:update("k", function(v) return v + coroutine.yield("in") end) end)
      assert.equal("in", co())
      assert.equal(1, d:get("k"))
      assert.equal(6, co(5))
      assert.equal(6, d:get("k"))
    end)

    it("a coroutine that is closed frees its key", function()
      local d = tm.dict { k = 1 }
      local co = coroutine.create(function() d:update("k", function() coroutine.yield() end) end)
      coroutine.resume(co)
      assert.is_true(coroutine.close(co))
      d:set("k", 2)
      assert.equal(2, d:get("k"))
    end)

    it("a task that leaves a coroutine inside an update frees its key", function()
      local pool, d = helper.pool(), tm.dict { k = 1 }
      pool:submit(function()
        left = coroutine.create(function() d:update("k", function() coroutine.yield() end) end) -- luacheck: ignore
        coroutine.resume(left) -- luacheck: ignore
      end):result(LIMIT)
      d:set("k", 2)
      assert.equal(2, d:get("k"))
    end)

    it("works where Lua cannot yield", function()
      local pool, d, go = helper.pool(), tm.dict { k = 1 }, tm.event()
      local first = updating(pool, d, "k", go, function(v) return v + 1 end)
      tm.submit(function() tm.sleep(MOMENT) go:set() end)
      local seen
      local text = ("x"):gsub("x", function()
        seen = d:update("k", function(v) tm.sleep(0) return v * 10 end)
        return "y"
      end)
      assert.equal("y", text)
      assert.equal(20, seen)
      first:result(LIMIT)
    end)

    it("clear meanwhile does not end it", function()
      local pool, d, go = helper.pool(), tm.dict { k = 1 }, tm.event()
      local first = updating(pool, d, "k", go, function(v) return v + 1 end)
      d:clear()
      assert.is_nil(d:get("k"))
      go:set()
      assert.equal(2, first:result(LIMIT))
      assert.equal(2, d:get("k"))
    end)
  end)

  describe("get_or_set", function()
    it("computes an absent value once, while others wait for it", function()
      local pool, d, calls, futures = helper.pool { max_workers = 100 }, tm.dict(), tm.counter(), {}
      local moment = MOMENT
      for i = 1, 100 do
        futures[i] = pool:submit(function()
          return d:get_or_set("k", function(a, b)
            calls:add()
            tm.sleep(moment)
            return { a + b }
          end, 1, 2)
        end)
      end
      for _, f in ipairs(futures) do assert.same({ 3 }, f:result(LIMIT)) end
      assert.equal(1, calls:get())
      assert.same({ 3 }, d:get_or_set("k", error))
      d:set("f", false)
      assert.is_false(d:get_or_set("f", error))
    end)

    it("tries anew where the function failed or gave nothing", function()
      local pool, d, calls, futures = helper.pool(), tm.dict(), tm.counter(), {}
      local moment = MOMENT
      for i = 1, 3 do
        futures[i] = pool:submit(function()
          return d:get_or_set("k", function()
            local n = calls:add()
            tm.sleep(moment)
            if n == 1 then error("first", 0) end
            if n == 3 then return "third" end
          end)
        end)
      end
      local results = {}
      for i = 1, 3 do
        local _, value = pcall(futures[i].result, futures[i], LIMIT)
        results[#results + 1] = tostring(value)
      end
      table.sort(results)
      assert.same({ "first", "nil", "third" }, results)
      assert.equal("third", d:get("k"))
    end)
  end)

  it("is the same object wherever it arrives, and may hold itself", function()
    local d = tm.dict()
    d:set("d", d)
    assert.equal(d, d:get("d"))
    assert.is_true(rawequal(d, tm.submit(function(x) x:set("from", "task") return x end, d):result(LIMIT)))
    assert.equal("task", d:get("from"))
  end)

  it("a long chain of dicts is dropped without depth", function()
    tm.submit(function()
      local d = tm.dict()
      for _ = 1, 20000 do d = tm.dict { next = d } end
      d = nil -- luacheck: ignore
      collectgarbage()
    end):result(LIMIT)
  end)

  it("is hidden from the script", function()
    assert.is_true(type(getmetatable(tm.dict())) ~= "table")
  end)
end)
