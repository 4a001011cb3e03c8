local tm = require "tidemill"
local helper = require "helper"
local LIMIT, MOMENT = helper.LIMIT, helper.MOMENT

local function has(text, piece)
  text = tostring(text)
  if not text:find(piece, 1, true) then error(("'%s' is not in: %s"):format(piece, text), 2) end
end

--- n tasks that wait on the condition, one after the other; each answers with what `wait` gave and when it went on.
local function waiters(pool, condition, n, limit)
  local futures, began, turn = {}, tm.counter(), tm.counter()
  for i = 1, n do
    futures[i] = pool:submit(function()
      local _ <close> = condition:guard()
      began:add()
      return condition:wait(limit), turn:add()
    end)
    helper.eventually(function() return began:get() == i end)
  end
  condition:with(function() end) -- the last one waits: it let go of the lock
  return futures
end

describe("condition", function()
  after_each(helper.settle)

  it("has an rlock of its own, or shares one", function()
    local own = tm.condition()
    own:acquire()
    own:acquire()
    own:release()
    assert.is_true(own:locked())
    own:release()
    assert.is_false(own:locked())
    for _, lock in ipairs { tm.lock(), tm.rlock() } do
      local a, b = tm.condition(lock), tm.condition(lock)
      a:acquire()
      assert.is_true(lock:locked() and b:locked())
      b:release()
      local guard <close> = b:guard()
      assert.is_true(lock:locked())
      guard:release()
      assert.equal(7, a:with(function(x) return x end, 7))
    end
  end)

  it("refuses what is no lock", function()
    has(helper.raised(tm.condition, 1), "tidemill.lock expected, got number")
    has(helper.raised(tm.condition, tm.event()), "tidemill.lock expected, got tidemill.event")
    has(helper.raised(tm.condition, tm.condition()), "tidemill.lock expected")
    assert.has_error(function() tm.condition().wait(tm.lock()) end)
  end)

  it("wait and notify without the lock raise", function()
    local condition = tm.condition()
    for _, method in ipairs { "wait", "notify", "notify_all" } do
      has(helper.raised(condition[method], condition), "it is free")
    end
    has(helper.raised(condition.wait_for, condition, print), "it is free")
    condition:acquire()
    local f = tm.submit(function() return select(2, pcall(condition.notify, condition)) end)
    has(f:result(LIMIT), "held by 'main'")
    condition:release()
  end)

  it("takes nil or a number >= 0 for a limit", function()
    local condition = tm.condition()
    local _ <close> = condition:guard()
    for _, limit in ipairs { -1, 0 / 0, "x" } do
      assert.has_error(function() condition:wait(limit) end)
      assert.has_error(function() condition:wait_for(print, limit) end)
    end
    has(helper.raised(condition.notify, condition, -1), "negative")
    has(helper.raised(condition.notify, condition, 1.5), "integer")
    has(helper.raised(condition.wait_for, condition), "value expected")
    has(helper.raised(condition.wait_for, condition, 7), "function expected")
    assert.is_false(condition:wait(0))
    assert.is_true(condition:locked())
  end)

  it("wait gives true if notified, false when its time is over; it holds the lock either way", function()
    local pool, condition = helper.pool(), tm.condition()
    local f = waiters(pool, condition, 1)[1]
    condition:with(function() condition:notify() end)
    assert.is_true(f:result(LIMIT))
    local before = tm.monotonic()
    assert.is_false(condition:with(function()
      local answer = condition:wait(MOMENT)
      assert.is_true(condition:locked())
      return answer
    end))
    assert.is_true(tm.monotonic() - before >= MOMENT - helper.ROUNDING)
    assert.is_false(condition:locked())
  end)

  it("wait lets go of all levels and restores them", function()
    local pool, condition = helper.pool(), tm.condition()
    local f = pool:submit(function()
      for _ = 1, 3 do condition:acquire() end
      local answer = condition:wait()
      for _ = 1, 3 do condition:release() end
      return answer, condition:locked()
    end)
    helper.eventually(function()
      return condition:with(function() condition:notify() return f:done() end)
    end)
    assert.same({ true, false }, { f:result(LIMIT) })
  end)

  it("notify wakes one, or as many as it is told, in the order they came", function()
    local pool, condition = helper.pool(), tm.condition()
    local futures = waiters(pool, condition, 6)
    local function done()
      local n = 0
      for _, f in ipairs(futures) do n = n + (f:done() and 1 or 0) end
      return n
    end
    condition:with(function() condition:notify() end)
    helper.eventually(function() return done() == 1 end)
    assert.is_true(futures[1]:done())
    condition:with(function() condition:notify(0) end)
    condition:with(function() condition:notify(2) end)
    helper.eventually(function() return done() == 3 end)
    assert.is_true(futures[2]:done() and futures[3]:done())
    tm.sleep(MOMENT)
    assert.equal(3, done())
    condition:with(function() condition:notify_all() end)
    for _, f in ipairs(futures) do assert.is_true(f:result(LIMIT)) end
  end)

  it("notify without waiters is not remembered", function()
    local condition = tm.condition()
    local _ <close> = condition:guard()
    condition:notify()
    condition:notify_all()
    assert.is_false(condition:wait(MOMENT))
  end)

  it("who is woken runs only when the notifier has let go", function()
    local pool, condition, inside = helper.pool(), tm.condition(), tm.counter()
    local futures = {}
    for i = 1, 3 do
      futures[i] = pool:submit(function()
        local _ <close> = condition:guard()
        condition:wait()
        return inside:get()
      end)
    end
    tm.sleep(MOMENT)
    condition:with(function()
      inside:set(1)
      condition:notify_all()
      tm.sleep(MOMENT)
      inside:set(0)
    end)
    for _, f in ipairs(futures) do assert.equal(0, f:result(LIMIT)) end
  end)

  it("wait_for gives what the predicate gave last", function()
    local pool, condition, value = helper.pool(), tm.condition(), tm.counter()
    local f = pool:submit(function()
      local _ <close> = condition:guard()
      return condition:wait_for(function()
        tm.sleep(0) -- it may wait
        return value:get() > 40 and value:get()
      end)
    end)
    for n = 40, 42 do
      tm.sleep(0.01)
      condition:with(function()
        value:set(n)
        condition:notify_all()
      end)
    end
    assert.is_true(f:result(LIMIT) > 40)
    local _ <close> = condition:guard()
    assert.equal(42, condition:wait_for(function() return value:get() end))
    assert.is_false(condition:wait_for(function() return false end, MOMENT))
    assert.is_false(condition:wait_for(function() return false end, 0))
    has(helper.raised(condition.wait_for, condition, function() error("from the predicate") end), "from the predicate")
    assert.is_true(condition:locked())
  end)

  it("a cancelled wait raises holding the lock, and takes no notification with it", function()
    local pool, condition, held = helper.pool(), tm.condition(), tm.counter()
    local futures, began = {}, tm.counter()
    for i = 1, 3 do
      futures[i] = pool:submit(function()
        local _ <close> = condition:guard()
        local _ <close> = setmetatable({}, { __close = function()
          if pcall(condition.notify, condition, 0) then held:add() end
        end })
        began:add()
        return condition:wait()
      end)
      helper.eventually(function() return began:get() == i end)
    end
    condition:with(function()
      futures[1]:cancel()
      tm.sleep(MOMENT) -- it cannot end while the lock is held here
      assert.is_false(futures[1]:done())
      condition:notify()
    end)
    assert.equal("cancelled", helper.kind(futures[1].result, futures[1], LIMIT))
    assert.is_true(futures[2]:result(LIMIT))
    condition:with(function() condition:notify() end)
    assert.is_true(futures[3]:result(LIMIT))
    assert.equal(3, held:get())
    assert.is_false(condition:locked())
  end)

  it("a time limit around it strikes, and the lock is held", function()
    local condition = tm.condition()
    local _ <close> = condition:guard()
    assert.equal("timeout", helper.kind(tm.timeout, MOMENT, condition.wait, condition))
    condition:notify()
  end)

  it("where its lock is abandoned the waits raise", function()
    local pool, condition = helper.pool(), tm.condition()
    local futures = waiters(pool, condition, 3)
    pool:submit(function() condition:acquire() end):result(LIMIT)
    for _, f in ipairs(futures) do assert.equal("abandoned", helper.kind(f.result, f, LIMIT)) end
    assert.equal("abandoned", helper.kind(condition.acquire, condition))
    assert.is_true(condition:reset())
    assert.is_true(condition:acquire())
    condition:release()
  end)

  it("works where Lua cannot yield", function()
    local pool, condition, go = helper.pool(), tm.condition(), tm.counter()
    local f = pool:submit(function()
      return (("x"):gsub("x", function()
        return condition:with(function() return condition:wait_for(function() return go:get() > 0 and "y" end) end)
      end))
    end)
    tm.sleep(MOMENT)
    condition:with(function() go:set(1) condition:notify() end)
    assert.equal("y", f:result(LIMIT))
  end)

  it("carries items from tasks to tasks", function()
    local pool, condition = helper.pool(), tm.condition()
    local room, items, taken = 3, tm.counter(), tm.counter()
    local futures = {}
    for i = 1, 8 do
      futures[i] = pool:submit(function()
        for _ = 1, 50 do
          local _ <close> = condition:guard()
          if i % 2 == 0 then
            condition:wait_for(function() return items:get() < room end)
            items:add(1)
          else
            condition:wait_for(function() return items:get() > 0 end)
            items:add(-1)
            taken:add()
          end
          condition:notify_all()
        end
      end)
    end
    for _, f in ipairs(futures) do f:result(LIMIT) end
    assert.equal(200, taken:get())
    assert.equal(0, items:get())
  end)

  it("is the same object wherever it arrives", function()
    local condition = tm.condition()
    local same, back = tm.submit(function(c, list) return c == condition and list[c], c end, condition,
      { [condition] = true }):result(LIMIT)
    assert.is_true(same)
    assert.is_true(rawequal(condition, back))
    has(tostring(condition), "condition (")
  end)
end)

-- Of CPython's threading.Condition without counterpart: a negative limit as a poll (one rule for time arguments).
