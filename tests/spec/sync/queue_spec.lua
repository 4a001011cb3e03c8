local tm = require "tidemill"
local helper = require "helper"
local LIMIT, MOMENT = helper.LIMIT, helper.MOMENT

-- Python's SimpleQueue has no counterpart: a queue without maxsize is as simple, and has an end.
-- put_nowait and get_nowait are try_put and try_get; Full and Empty are their second results.

for _, kind in ipairs { "queue", "lifo_queue", "priority_queue" } do
  describe(kind, function()
    after_each(helper.settle)

    local function new(options) return tm[kind](options) end

    --- put, with a priority where there has to be one.
    local function put(q, item, timeout)
      if kind == "priority_queue" then return q:put(item, type(item) == "number" and item or 0, timeout) end
      return q:put(item, timeout)
    end

    local function try_put(q, item)
      if kind == "priority_queue" then return q:try_put(item, 0) end
      return q:try_put(item)
    end

    local function put_many(q, items, timeout)
      if kind == "priority_queue" then return q:put_many(items, 0, timeout) end
      return q:put_many(items, timeout)
    end

    it("without maxsize has no limit, and is never full", function()
      for _, options in ipairs { false, 0, { maxsize = 0 }, {} } do
        local q = new(options or nil)
        assert.equal(0, q:maxsize())
        for i = 1, 3000 do assert.is_true(put(q, i)) end
        assert.is_false(q:full())
        assert.equal(3000, #q)
      end
    end)

    it("with maxsize is full then", function()
      for _, options in ipairs { 2, { maxsize = 2, name = "two" } } do
        local q = new(options)
        assert.equal(2, q:maxsize())
        assert.is_true(q:empty())
        assert.is_true(put(q, 1))
        assert.is_false(q:empty())
        assert.is_false(q:full())
        assert.is_true(put(q, 2))
        assert.is_true(q:full())
        assert.same({ nil, "full" }, { try_put(q, 3) })
        assert.same({ nil, "timeout" }, { put(q, 3, 0) })
        assert.equal(2, #q)
      end
    end)

    it("refuses what is no maxsize", function()
      assert.has_error(function() new(-1) end)
      assert.has_error(function() new(1.5) end)
      assert.has_error(function() new("x") end)
      assert.has_error(function() new { maxsize = -1 } end)
      assert.has_error(function() new { maxsize = 0.5 } end)
      assert.has_error(function() new { maxsize = "3" } end)
      assert.has_error(function() new { maxsise = 3 } end)
      assert.has_error(function() new { name = 3 } end)
    end)

    it("answers at once where it is empty", function()
      local q = new()
      assert.same({ nil, "empty" }, { q:try_get() })
      assert.same({ nil, "timeout" }, { q:get(0) })
      assert.same({ nil, "timeout" }, { q:get_many(3, 0) })
    end)

    it("get gives up when its time is over, not before", function()
      local q, before = new(), tm.monotonic()
      assert.same({ nil, "timeout" }, { q:get(MOMENT) })
      assert.is_true(tm.monotonic() - before >= MOMENT - helper.ROUNDING)
      assert.same({ nil, "timeout" }, { q:get_many(1, 0.001) })
    end)

    it("put gives up when its time is over, and nothing went in", function()
      local q, before = new(1), tm.monotonic()
      put(q, 1)
      assert.same({ nil, "timeout" }, { put(q, 2, MOMENT) })
      assert.is_true(tm.monotonic() - before >= MOMENT - helper.ROUNDING)
      assert.equal(1, (q:get()))
      assert.same({ nil, "empty" }, { q:try_get() })
    end)

    it("takes nil or a number >= 0 for a time limit, also where it would not have to wait", function()
      local q = new()
      put(q, 1)
      for _, wrong in ipairs { -1, 0 / 0, "x", {} } do
        assert.has_error(function() put(q, 1, wrong) end)
        assert.has_error(function() q:get(wrong) end)
        assert.has_error(function() q:get_many(1, wrong) end)
        assert.has_error(function() put_many(q, { 1 }, wrong) end)
        assert.has_error(function() q:join(wrong) end)
      end
      assert.equal(1, #q)
      assert.equal(1, (q:get(math.huge)))
    end)

    it("takes false for an item, and nil for none", function()
      local q = new()
      put(q, false)
      assert.is_false((q:get()))
      assert.has_error(function() put(q, nil) end)
      assert.has_error(function() try_put(q, nil) end)
      assert.has_error(function() put_many(q, { 1, nil, 3 }) end)
      assert.equal(0, #q)
    end)

    it("copies its items and keeps what they are", function()
      local q = new()
      local event, t = tm.event(), { 1, { "two" } }
      t.self = t
      for _, item in ipairs { true, 7, 7.0, -0.5, math.huge, "text", "", "a\0b", event } do
        put(q, item)
        local got = q:get()
        assert.equal(item, got)
        assert.equal(math.type(item), math.type(got))
      end
      put(q, t)
      local copy = q:get()
      assert.is_false(rawequal(t, copy))
      assert.equal("two", copy[2][1])
      assert.is_true(rawequal(copy, copy.self))
      put(q, string.rep("x", 1000000))
      assert.equal(1000000, #(q:get()))
      put(q, function(x) return x + #t end)
      assert.equal(5, (q:get())(3))
    end)

    it("names the way to what cannot be sent, and stays as it was", function()
      local q = new()
      local _, e = pcall(put, q, { a = { b = coroutine.create(print) } })
      assert.truthy(tostring(e):find("cannot send field 'a.b' of the item", 1, true))
      assert.has_error(function() put(q, io.tmpfile()) end)
      assert.has_error(function() put_many(q, { 1, coroutine.create(print) }) end)
      assert.equal(0, #q)
      assert.equal(0, #new(0))
    end)

    it("holds shared objects, which stay themselves: queues, itself, futures", function()
      local q, other = new(), tm.queue()
      local future = tm.submit(function() return 5 end)
      for _, object in ipairs { other, q, future } do
        put(q, object)
        assert.is_true(rawequal(object, (q:get())))
      end
      put(q, { other, q, [future] = true })
      local t = q:get()
      assert.is_true(rawequal(t[1], other) and rawequal(t[2], q) and t[future])
      put(q, q) -- and nobody takes it out
      assert.equal(5, future:result(LIMIT))
    end)

    it("hands over to those who wait, in the order they came", function()
      local pool, q, at = helper.pool(), new(), tm.counter()
      local futures = {}
      for i = 1, 5 do
        futures[i] = pool:submit(function()
          at:add()
          return (q:get(LIMIT))
        end)
        helper.eventually(function() return at:get() == i end)
        tm.sleep(MOMENT)
      end
      for i = 1, 5 do put(q, i) end
      for i = 1, 5 do assert.equal(i, futures[i]:result(LIMIT)) end
      assert.equal(0, #q)
    end)

    it("takes in from those who wait, and nothing is lost", function()
      local pool, q = helper.pool(), new(1)
      put(q, 0)
      local futures = {}
      for i = 1, 5 do futures[i] = pool:submit(function() return put(q, i, LIMIT) end) end
      local sum = 0
      for _ = 0, 5 do sum = sum + q:get(LIMIT) end
      assert.equal(15, sum)
      for i = 1, 5 do assert.is_true(futures[i]:result(LIMIT)) end
    end)

    it("a cancelled wait leaves nothing behind", function()
      local pool, q = helper.pool(), new(1)
      local getter = pool:submit(function() return q:get() end)
      tm.sleep(MOMENT)
      assert.is_true(getter:cancel())
      assert.equal("cancelled", helper.kind(getter.result, getter, LIMIT))
      put(q, 1)
      local putter = pool:submit(function() return put(q, 2) end)
      tm.sleep(MOMENT)
      assert.is_true(putter:cancel())
      assert.equal("cancelled", helper.kind(putter.result, putter, LIMIT))
      assert.equal(1, (q:get()))
      assert.same({ nil, "empty" }, { q:try_get() })
    end)

    it("waits where Lua cannot yield", function()
      local pool, q = helper.pool(), new(1)
      pool:submit(function()
        for i = 1, 40 do put(q, i) end
      end)
      local n = 0
      table.sort({ 3, 1, 2, 5, 4 }, function(a, b)
        n = n + q:get(LIMIT) * 0 + 1
        return a < b
      end)
      local got = pool:submit(function()
        local count = 0
        while q:get(0.5) do count = count + 1 end
        return count
      end)
      assert.equal(40, n + got:result(LIMIT))
    end)

    -- ---- many at once ----

    it("put_many and get_many move lists", function()
      local q = new()
      assert.equal(0, put_many(q, {}))
      assert.equal(3, put_many(q, { 1, 2, 3 }))
      local items = q:get_many()
      table.sort(items)
      assert.same({ 1, 2, 3 }, items)
      put_many(q, { 1, 2, 3 })
      assert.equal(2, #(q:get_many(2)))
      assert.equal(1, #(q:get_many(2)))
      assert.has_error(function() q:get_many(0) end)
      assert.has_error(function() q:get_many(1.5) end)
      assert.has_error(function() put_many(q, 7) end)
    end)

    it("put_many tells how many went in", function()
      local q = new(3)
      assert.same({ 3, "timeout" }, { put_many(q, { 1, 2, 3, 4, 5 }, MOMENT) })
      assert.same({ 0, "timeout" }, { put_many(q, { 1, 2 }, 0) })
      assert.equal(3, #q)
      q:shutdown()
      assert.same({ 0, "shutdown" }, { put_many(q, { 1, 2 }) })
    end)

    it("put_many of many passes through a small queue", function()
      local pool, q = helper.pool(), new(3)
      local future = pool:submit(function()
        local items = {}
        for i = 1, 1000 do items[i] = i end
        return put_many(q, items)
      end)
      local sum, count = 0, 0
      while count < 1000 do
        for _, i in ipairs(q:get_many(7, LIMIT)) do sum, count = sum + i, count + 1 end
      end
      assert.equal(500500, sum)
      assert.equal(1000, future:result(LIMIT))
    end)

    it("put_many waits where Lua cannot yield, however often", function()
      local pool, q = helper.pool(), new(1)
      local future = pool:submit(function()
        local items, sent = {}, nil
        for i = 1, 3000 do items[i] = i end
        table.sort({ 1, 2 }, function(a, b)
          sent = sent or put_many(q, items)
          return a < b
        end)
        return sent
      end)
      local sum = 0
      for _ = 1, 3000 do sum = sum + q:get(LIMIT) end
      assert.equal(3000 * 3001 // 2, sum)
      assert.equal(3000, future:result(LIMIT))
    end)

    it("get_many waits for one", function()
      local pool, q = helper.pool(), new()
      local future = pool:submit(function() return (q:get_many(10, LIMIT)) end)
      tm.sleep(MOMENT)
      put(q, 5)
      assert.same({ 5 }, future:result(LIMIT))
    end)

    -- ---- task_done, join ----

    it("join waits until each item that was put is done", function()
      local pool, q = helper.pool(), new()
      assert.is_true(q:join())
      for i = 1, 3 do put(q, i) end
      assert.is_false(q:join(0))
      assert.is_false(q:join(MOMENT))
      local joined = pool:submit(function() return q:join(LIMIT) end)
      q:get()
      q:task_done()
      q:get_many(2)
      tm.sleep(MOMENT)
      assert.is_false(joined:done())
      q:task_done(2)
      assert.is_true(joined:result(LIMIT))
    end)

    it("task_done more often than get raises, also while an item is inside", function()
      local q = new()
      assert.has_error(function() q:task_done() end)
      put(q, 1)
      assert.has_error(function() q:task_done() end)
      assert.is_false(q:join(0))
      q:get()
      assert.has_error(function() q:task_done(2) end)
      assert.has_error(function() q:task_done(0) end)
      assert.has_error(function() q:task_done(-1) end)
      q:task_done()
      assert.has_error(function() q:task_done() end)
      assert.is_true(q:join())
    end)

    it("counts what is handed over to one who waits", function()
      local pool, q, go = helper.pool(), new(), tm.event()
      local worker = pool:submit(function()
        q:get()
        go:wait()
        q:task_done()
      end)
      tm.sleep(MOMENT)
      put(q, 1)
      assert.equal(0, #q)
      assert.is_false(q:join(MOMENT))
      go:set()
      assert.is_true(q:join(LIMIT))
      worker:result(LIMIT)
    end)

    -- ---- shutdown ----

    it("once shut down takes no more, and gives what is left", function()
      local q = new()
      assert.is_false(q:is_shutdown())
      put(q, 1)
      put(q, 2)
      q:shutdown()
      q:shutdown()
      assert.is_true(q:is_shutdown())
      assert.same({ nil, "shutdown" }, { put(q, 3) })
      assert.same({ nil, "shutdown" }, { try_put(q, 3) })
      assert.equal(3, q:get() + q:get())
      assert.same({ nil, "shutdown" }, { q:get() })
      assert.same({ nil, "shutdown" }, { q:get(0) })
      assert.same({ nil, "shutdown" }, { q:try_get() })
      assert.same({ nil, "shutdown" }, { q:get_many() })
      assert.is_false(q:join(0)) -- join and task_done work on
      q:task_done(2)
      assert.is_true(q:join())
    end)

    it("shutdown wakes all who wait", function()
      local pool, q, full = helper.pool(), new(), new(1)
      put(full, 1)
      local futures = {}
      for i = 1, 3 do
        futures[i] = pool:submit(function() return q:get() end)
        futures[i + 3] = pool:submit(function() return put(full, 2) end)
        futures[i + 6] = pool:submit(function() return q:get_many(5) end)
      end
      tm.sleep(MOMENT)
      q:shutdown()
      full:shutdown()
      for i = 1, 9 do assert.same({ nil, "shutdown" }, { futures[i]:result(LIMIT) }) end
      assert.equal(1, #full)
    end)

    it("immediate shutdown drops the items and counts them as done", function()
      local pool, q = helper.pool(), new()
      for i = 1, 3 do put(q, i) end
      local joined = pool:submit(function() return q:join(LIMIT) end)
      tm.sleep(MOMENT)
      q:shutdown { immediate = true }
      assert.is_true(joined:result(LIMIT))
      assert.equal(0, #q)
      assert.same({ nil, "shutdown" }, { q:get() })
      q:shutdown { immediate = true }
      q:shutdown { immediate = false }
      assert.has_error(function() q:shutdown { immediately = true } end)
      assert.has_error(function() q:shutdown { immediate = 1 } end)
    end)

    it("immediate shutdown after the other drops what is left; join waits for what was got", function()
      local q = new()
      put(q, 1)
      put(q, 2)
      q:get()
      q:shutdown()
      assert.equal(1, #q)
      q:shutdown { immediate = true }
      assert.equal(0, #q)
      assert.is_false(q:join(0))
      q:task_done()
      assert.is_true(q:join())
    end)

    it("is iterated until it is shut down and empty; false is an item", function()
      local pool, q = helper.pool(), new(2)
      pool:submit(function()
        for i = 1, 10 do put(q, i) end
        put(q, false)
        q:shutdown()
      end)
      local sum, falses = 0, 0
      for item in q do
        if item then sum = sum + item else falses = falses + 1 end
      end
      assert.same({ 55, 1 }, { sum, falses })
      for _ in q:iter() do error("nothing is left") end
    end)

    it("is the same object wherever it arrives, and is hidden", function()
      local q = new { name = "jobs", maxsize = 3 }
      local same, back = tm.submit(function(a, list) return a == list[1] and a == q, a end, q, { q }):result(LIMIT)
      assert.is_true(same)
      assert.is_true(rawequal(q, back))
      assert.equal(kind .. " 'jobs' (0 of 3 inside)", tostring(q))
      assert.equal(kind .. " (0 inside)", tostring(new()))
      assert.is_true(type(getmetatable(q)) ~= "table")
      assert.has_error(function() q.put(tm.event(), 1) end)
      assert.has_error(function() q.get() end)
    end)
  end)
end

describe("queue", function()
  after_each(helper.settle)

  it("gives first what was put first", function()
    local q = tm.queue()
    q:put_many { 1, 2, 3 }
    q:put(4)
    assert.same({ 1, 2 }, q:get_many(2))
    assert.equal(3, q:get())
    assert.equal(4, q:get())
  end)

  it("in a queue in a queue, a hundred thousand deep, goes without a deep stack", function()
    local q = tm.queue()
    for _ = 1, 100000 do
      local outer = tm.queue()
      outer:put(q)
      q = outer
    end
    q = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
  end)
end)

describe("lifo_queue", function()
  it("gives first what was put last", function()
    local q = tm.lifo_queue()
    q:put_many { 1, 2, 3 }
    q:put(4)
    assert.same({ 4, 3, 2, 1 }, q:get_many())
  end)
end)

describe("priority_queue", function()
  it("gives the smallest priority first, with the priority", function()
    local q = tm.priority_queue()
    q:put("c", 3)
    q:put("a", -1.5)
    q:put("b", 0)
    q:put("d", math.huge)
    assert.same({ "a", -1.5 }, { q:get() })
    assert.same({ "b", 0 }, { q:try_get() })
    assert.same({ { "c", "d" }, { 3, math.huge } }, { q:get_many() })
  end)

  it("gives equal priorities in the order they went in", function()
    local q = tm.priority_queue()
    for i = 1, 100 do q:put({ i }, i % 2) end -- items that do not compare
    for _, first in ipairs { 2, 1 } do
      for i = first, 100, 2 do assert.same({ i }, (q:get())) end
    end
  end)

  it("checks the priority before anything changes", function()
    local q = tm.priority_queue()
    assert.has_error(function() q:put("x") end)
    assert.has_error(function() q:put("x", "high") end)
    assert.has_error(function() q:put("x", 0 / 0) end)
    assert.has_error(function() q:put("x", math.maxinteger) end)
    assert.has_error(function() q:put("x", 2 ^ 53 // 1 | 1) end, nil)
    assert.has_error(function() q:try_put("x") end)
    assert.has_error(function() q:put_many({ "x" }) end)
    assert.has_error(function() q:put_many({ "x", "y" }, { 1 }) end)
    assert.has_error(function() q:put_many({ "x", "y" }, { 1, 0 / 0 }) end)
    assert.has_error(function() q:put_many({ "x", "y" }, { 1, "2" }) end)
    assert.equal(0, #q)
    assert.is_true(q:join(0))
  end)

  it("put_many takes a priority for each, or one for all", function()
    local q = tm.priority_queue()
    assert.equal(3, q:put_many({ "c", "a", "b" }, { 3, 1, 2 }))
    assert.equal(1, q:put_many({ "d" }, 9))
    assert.same({ { "a", "b", "c", "d" }, { 1, 2, 3, 9 } }, { q:get_many() })
  end)

  it("hands over with the priority", function()
    local pool, q = helper.pool(), tm.priority_queue(1)
    local future = pool:submit(function() return q:get(LIMIT) end)
    tm.sleep(MOMENT)
    q:put("x", 4.5)
    assert.same({ "x", 4.5 }, { future:result(LIMIT) })
    q:put("late", 5)
    local putter = pool:submit(function() return q:put("soon", 1, LIMIT) end)
    tm.sleep(MOMENT)
    assert.same({ "late", 5 }, { q:get() })
    assert.is_true(putter:result(LIMIT))
    assert.same({ "soon", 1 }, { q:get() })
    helper.settle()
  end)

  it("gives item and priority to a loop", function()
    local q, seen = tm.priority_queue(), {}
    q:put_many({ "b", "a" }, { 2, 1 })
    q:shutdown()
    for item, priority in q do seen[#seen + 1] = item .. priority end
    assert.same({ "a1", "b2" }, seen)
  end)
end)
