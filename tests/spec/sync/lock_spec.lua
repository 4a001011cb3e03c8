local tm = require "tidemill"
local helper = require "helper"
local LIMIT, MOMENT = helper.LIMIT, helper.MOMENT

--- The text of what fn raises.
local function says(fn, ...)
  return tostring(helper.raised(fn, ...))
end

--- Asserts that the text contains all the pieces.
local function has(text, ...)
  for _, piece in ipairs { ... } do
    if not text:find(piece, 1, true) then error(("'%s' is not in: %s"):format(piece, text), 2) end
  end
end

--- A task that holds the lock until `go` is set, and has it.
local function holder(pool, lock, go)
  local began, limit = tm.event(), LIMIT
  local future = pool:submit(function()
    lock:acquire()
    began:set()
    go:wait(limit)
    lock:release()
  end)
  assert.is_true(began:wait(limit))
  return future
end

for _, sort in ipairs { "lock", "rlock" } do
  describe(sort, function()
    local make = tm[sort]
    after_each(helper.settle)

    it("acquire gives true, release gives nothing, locked tells", function()
      local lock = make()
      assert.is_false(lock:locked())
      assert.is_true(lock:acquire())
      assert.is_true(lock:locked())
      assert.equal(0, select("#", lock:release()))
      assert.is_false(lock:locked())
      assert.is_true(lock:try_acquire())
      lock:release()
    end)

    it("release of one that is free raises", function()
      local lock = make { name = "jobs" }
      has(says(lock.release, lock), "cannot release the " .. sort .. " 'jobs': it is free; ")
      has(says(lock.release, lock), "; the task has to acquire it first, once for each release")
      lock:acquire()
      lock:release()
      has(says(lock.release, lock), "it is free")
    end)

    it("only its owner releases it: others are told who that is, and what else there is", function()
      local pool, lock, go = helper.pool(), make(), tm.event()
      local function keeper()
        lock:acquire()
        go:wait()
        lock:release()
      end
      local f = pool:submit(keeper)
      helper.eventually(function() return lock:locked() end)
      has(says(lock.release, lock), "held by '", "keeper", "lock_spec.lua:", "tm.event", "tm.semaphore")
      assert.is_true(lock:locked())
      go:set()
      f:result(LIMIT)
      assert.is_false(lock:locked())
    end)

    it("acquire with a limit gives false when it is over, not before", function()
      local pool, lock, go = helper.pool(), make(), tm.event()
      local f = holder(pool, lock, go)
      local before = tm.monotonic()
      assert.is_false(lock:acquire(MOMENT))
      assert.is_true(tm.monotonic() - before >= MOMENT - helper.ROUNDING)
      assert.is_false(lock:acquire(0))
      assert.is_false(lock:try_acquire())
      assert.same({ nil, "timeout" }, { lock:guard(0) })
      local g, why = lock:guard(MOMENT)
      assert.is_nil(g)
      assert.equal("timeout", why)
      go:set()
      assert.is_true(lock:acquire(LIMIT))
      lock:release()
      f:result(LIMIT)
    end)

    it("takes nil or a number >= 0 for a limit", function()
      local lock = make()
      for _, method in ipairs { "acquire", "guard" } do
        has(says(lock[method], lock, -1), "time limit is negative")
        has(says(lock[method], lock, 0 / 0), "time limit is NaN")
        has(says(lock[method], lock, "x"), "number expected, got string")
        has(says(lock[method], lock, {}), "number expected, got table")
      end
      assert.is_false(lock:locked())
      assert.is_true(lock:acquire(nil))
      lock:release()
      assert.is_true(lock:acquire(math.huge))
      lock:release()
    end)

    it("refuses wrong options and wrong objects", function()
      has(says(make, { nam = "x" }), "unknown option 'nam'", "name")
      has(says(make, { name = 1 }), "option 'name': a string expected")
      has(says(make, 7), "table expected")
      local lock = make()
      has(says(lock.acquire, tm.event()), "tidemill.lock expected, got tidemill.event")
      assert.has_error(function() lock.acquire() end)
      assert.has_error(function() lock.release({}) end)
      assert.has_error(function() lock.x = 1 end)
      assert.is_true(type(getmetatable(lock)) ~= "table")
      has(says(lock.with, lock, 7), "function expected")
      assert.is_false(lock:locked())
    end)

    it("tells what it is", function()
      local lock = make { name = "jobs" }
      assert.equal(sort .. " 'jobs' (free)", tostring(lock))
      lock:acquire()
      has(tostring(lock), sort .. " 'jobs' (held by 'main', taken at ", "lock_spec.lua:")
      lock:release()
      assert.equal(sort .. " (free)", tostring(make()))
    end)

    it("keeps all others out", function()
      local pool, lock, counter = helper.pool(), make(), tm.counter()
      local futures = {}
      for i = 1, 16 do
        futures[i] = pool:submit(function()
          for k = 1, 200 do
            lock:acquire()
            local value = counter:get()
            if k % 50 == 0 then tm.sleep(0) end
            counter:set(value + 1)
            lock:release()
          end
        end)
      end
      for _, f in ipairs(futures) do f:result(LIMIT) end
      assert.equal(16 * 200, counter:get())
    end)

    it("nobody starves: who has waited is handed the lock between two takes of a task that never stops", function()
      local pool, lock, stop, limit = helper.pool(), make(), tm.event(), LIMIT
      local greedy = {}
      for i = 1, 3 do
        greedy[i] = pool:submit(function()
          local n = 0
          while not stop:is_set() do
            lock:acquire()
            n = n + 1
            for _ = 1, 1000 do end
            lock:release()
          end
          return n
        end)
      end
      local patient = {}
      for i = 1, 20 do
        patient[i] = pool:submit(function() return lock:acquire(limit) and (lock:release() or true) end)
      end
      for _, f in ipairs(patient) do assert.is_true(f:result(LIMIT)) end
      for _ = 1, 20 do
        assert.is_true(lock:acquire(LIMIT))
        lock:release()
      end
      stop:set()
      for _, f in ipairs(greedy) do assert.is_true(f:result(LIMIT) > 0) end
    end)

    it("a wait that timed out or was cancelled leaves nothing behind", function()
      local pool, lock, go = helper.pool(), make(), tm.event()
      local f = holder(pool, lock, go)
      for _ = 1, 100 do assert.is_false(lock:acquire(0.0001)) end
      local waiting = {}
      for i = 1, 3 do waiting[i] = pool:submit(function() return lock:acquire() and (lock:release() or i) end) end
      tm.sleep(MOMENT)
      assert.is_true(waiting[1]:cancel())
      assert.equal("cancelled", helper.kind(waiting[1].result, waiting[1], LIMIT))
      go:set()
      assert.equal(2, waiting[2]:result(LIMIT))
      assert.equal(3, waiting[3]:result(LIMIT))
      f:result(LIMIT)
      assert.is_false(lock:locked())
    end)

    it("is the same object wherever it arrives", function()
      local lock = make()
      local list = { [lock] = "as a key" }
      local f = tm.submit(function(l, t) return l == lock and t[l], l end, lock, list)
      local value, back = f:result(LIMIT)
      assert.equal("as a key", value)
      assert.is_true(rawequal(lock, back))
      lock:acquire()
      assert.is_false(tm.submit(function() return lock:try_acquire() end):result(LIMIT))
      lock:release()
    end)

    it("may be taken where Lua cannot yield", function()
      local pool, lock, go = helper.pool(), make(), tm.event()
      local f = holder(pool, lock, go)
      local g = pool:submit(function() tm.sleep(0.02) go:set() end)
      local list = { 2, 1 }
      table.sort(list, function(a, b)
        lock:acquire()
        lock:release()
        return a < b
      end)
      assert.same({ 1, 2 }, list)
      f:result(LIMIT)
      g:result(LIMIT)
    end)

    it("belongs to the task, whichever of its coroutines takes and releases it", function()
      local lock = make()
      coroutine.wrap(function() lock:acquire() end)()
      assert.is_true(lock:locked())
      coroutine.wrap(function() lock:release() end)()
      assert.is_false(lock:locked())
    end)

    -- guards

    it("a guard releases it where its block ends, whichever way", function()
      local lock = make()
      do
        local g <close> = lock:guard()
        assert.is_true(lock:locked())
        assert.equal("guard (holds its lock)", tostring(g))
      end
      assert.is_false(lock:locked())
      assert.is_false(pcall(function()
        local _ <close> = lock:guard(1)
        error("out")
      end))
      assert.is_false(lock:locked())
      for _ = 1, 3 do
        local _ <close> = assert(lock:guard(0))
        if lock:locked() then goto continue end
        ::continue::
      end
      assert.is_false(lock:locked())
    end)

    it("a guard may be released before, once", function()
      local lock = make()
      do
        local g <close> = lock:guard()
        g:release()
        assert.is_false(lock:locked())
        assert.equal("guard (released)", tostring(g))
        has(says(g.release, g), "has released its lock already")
      end
      assert.is_false(lock:locked())
    end)

    it("a guard that is closed twice says so", function()
      local lock = make()
      has(says(function()
        local a <close> = lock:guard()
        local _ <close> = a
      end), "the guard was closed already")
      assert.is_false(lock:locked())
    end)

    it("a guard stays with the task that made it, and does not travel", function()
      local lock = make()
      local g <close> = lock:guard()
      assert.is_false(pcall(tm.submit, function() return g end))
      assert.has_error(function() g.release({}) end)
      assert.is_true(type(getmetatable(g)) ~= "table")
    end)

    it("where an error passes, a guard whose lock is gone keeps quiet", function()
      local lock = make()
      has(says(function()
        local _ <close> = lock:guard()
        lock:release()
        error("the cause")
      end), "the cause")
      has(says(function()
        local _ <close> = lock:guard()
        lock:release()
      end), "it is free")
    end)

    -- with

    it("with calls a function under the lock and gives its results", function()
      local lock = make()
      local function f(...)
        assert.is_true(lock:locked())
        return ...
      end
      assert.equal(0, select("#", lock:with(f)))
      assert.same({ 1, nil, 3, n = 3 }, table.pack(lock:with(f, 1, nil, 3)))
      assert.is_false(lock:locked())
    end)

    it("with releases it where the function fails or is cancelled", function()
      local pool, lock = helper.pool(), make()
      local thrown = {}
      assert.equal(thrown, helper.raised(lock.with, lock, error, thrown))
      assert.is_false(lock:locked())
      local f = pool:submit(function() lock:with(function() tm.sleep(1000) end) end)
      helper.eventually(function() return lock:locked() end)
      f:cancel()
      assert.equal("cancelled", helper.kind(f.result, f, LIMIT))
      assert.is_false(lock:locked())
      local co = coroutine.create(function() lock:with(error, "in a coroutine") end)
      assert.is_false((coroutine.resume(co)))
      assert.is_false(lock:locked())
    end)

    it("with waits, and may yield inside", function()
      local pool, lock, go = helper.pool(), make(), tm.event()
      local f = holder(pool, lock, go)
      local waiting = pool:submit(function()
        return lock:with(function(x)
          tm.sleep(0)
          return x, lock:locked()
        end, 5)
      end)
      tm.sleep(MOMENT)
      go:set()
      assert.same({ 5, true }, { waiting:result(LIMIT) })
      f:result(LIMIT)
      local values = {}
      for v in coroutine.wrap(function() lock:with(function() coroutine.yield(1) coroutine.yield(2) end) end) do
        values[#values + 1] = v
      end
      assert.same({ 1, 2 }, values)
      assert.is_false(lock:locked())
    end)

    -- abandoned

    it("one whose owner ended is abandoned until it is reset", function()
      local pool, lock = helper.pool(), make { name = "jobs" }
      assert.is_false(lock:reset())
      local function careless() lock:acquire() end
      pool:submit(careless):result(LIMIT)
      assert.is_true(lock:locked())
      for _, method in ipairs { "acquire", "try_acquire", "guard" } do
        local e = helper.raised(lock[method], lock)
        assert.equal("abandoned", e.kind)
        has(tostring(e), "'jobs'", "careless", "took it at ", "lock_spec.lua:", "lock:reset()")
      end
      assert.equal("abandoned", helper.kind(lock.with, lock, print))
      assert.equal("abandoned", helper.kind(lock.acquire, lock, 0))
      assert.equal("abandoned", helper.kind(lock.release, lock))
      has(tostring(lock), "abandoned")
      assert.is_true(lock:reset())
      assert.is_false(lock:reset())
      assert.is_true(lock:acquire())
      assert.is_false(lock:reset()) -- one that is held stays so
      assert.is_true(lock:locked())
      lock:release()
    end)

    it("who waits while it is abandoned is told", function()
      local pool, lock, go = helper.pool(), make(), tm.event()
      local f = pool:submit(function()
        lock:acquire()
        go:wait()
        error("dies with the lock")
      end)
      f:ignore()
      helper.eventually(function() return lock:locked() end)
      local waiting = {}
      for i = 1, 4 do waiting[i] = pool:submit(function() lock:acquire() end) end
      tm.sleep(MOMENT)
      go:set()
      for _, w in ipairs(waiting) do assert.equal("abandoned", helper.kind(w.result, w, LIMIT)) end
      assert.is_true(lock:reset())
    end)

    it("a cancelled task, a callback, an item of a map abandon what they hold as well", function()
      local pool, lock = helper.pool(), make()
      local f = pool:submit(function() lock:acquire() tm.sleep(1000) end)
      helper.eventually(function() return lock:locked() end)
      f:cancel()
      assert.equal("cancelled", helper.kind(f.result, f, LIMIT))
      assert.equal("abandoned", helper.kind(lock.acquire, lock))
      lock:reset()

      local done = pool:submit(function() end)
      done:on_done(function() lock:acquire() end)
      helper.eventually(function() return not lock:locked() or tostring(lock):find("abandoned") end)
      helper.eventually(function() return lock:locked() end)
      helper.eventually(function() return lock:reset() end)

      local answers = pool:map(function()
        local ok, e = pcall(lock.acquire, lock)
        return ok and "taken" or e.kind
      end, { 1, 2, 3 }, { chunksize = 3 }):collect()
      table.sort(answers)
      assert.same({ "abandoned", "abandoned", "taken" }, answers)
      lock:reset()
    end)

    -- deadlock

    it("two tasks that wait for each other's: one is told the circle", function()
      local pool, a, b = helper.pool(), make { name = "first" }, make { name = "second" }
      local both, limit = tm.counter(), LIMIT
      local function work(mine, other)
        local _ <close> = mine:guard()
        both:add()
        local stop = tm.monotonic() + limit
        while both:get() < 2 and tm.monotonic() < stop do tm.sleep(0.001) end
        local ok, e = pcall(other.acquire, other)
        if ok then other:release() end
        return ok, tostring(e)
      end
      local x, y = pool:submit(work, a, b), pool:submit(work, b, a)
      local ok1, e1 = x:result(LIMIT)
      local ok2, e2 = y:result(LIMIT)
      assert.is_true(ok1 ~= ok2)
      has(ok1 and e2 or e1, "deadlock: 'work", "'first'", "'second'", "held by 'work", "lock_spec.lua:", "itself")
    end)

    it("so are three", function()
      local pool, locks, ready, limit = helper.pool(), {}, tm.counter(), LIMIT
      for i = 1, 3 do locks[i] = make { name = "number " .. i } end
      local futures = {}
      for i = 1, 3 do
        futures[i] = pool:submit(function()
          local _ <close> = locks[i]:guard()
          ready:add()
          local stop = tm.monotonic() + limit
          while ready:get() < 3 and tm.monotonic() < stop do tm.sleep(0.001) end
          local ok, e = pcall(locks[i % 3 + 1].with, locks[i % 3 + 1], function() end)
          return not ok and tostring(e)
        end)
      end
      local told = {}
      for _, f in ipairs(futures) do told[#told + 1] = f:result(LIMIT) or nil end
      assert.equal(1, #told)
      has(told[1], "deadlock", "number 1", "number 2", "number 3")
    end)

    it("a circle through a future is told, too", function()
      local pool, lock = helper.pool(), make { name = "jobs" }
      local e = lock:with(function()
        local inner = pool:submit(function()
          local ok, e = pcall(lock.acquire, lock)
          return ok or tostring(e)
        end)
        local ok, e = pcall(inner.result, inner)
        return ok and e or tostring(e)
      end)
      has(e, "deadlock", "'jobs'", "held by 'main'")
    end)

    it("with a limit it is just a wait", function()
      local pool, lock = helper.pool(), make()
      lock:acquire()
      local inner = pool:submit(function() return lock:acquire(MOMENT) end)
      assert.is_false(inner:result())
      inner = pool:submit(function()
        local ok, e = pcall(tm.timeout, MOMENT, lock.acquire, lock)
        return ok or e.kind
      end)
      assert.equal("timeout", inner:result())
      lock:release()
    end)
  end)
end

describe("lock", function()
  after_each(helper.settle)

  it("taken twice without a limit by one task raises and names tm.rlock", function()
    local lock = tm.lock { name = "jobs" }
    lock:acquire()
    has(says(lock.acquire, lock), "deadlock: 'main' waits for the lock 'jobs' held by 'main'", "lock_spec.lua:",
      "tm.rlock")
    has(says(lock.guard, lock), "deadlock")
    has(says(lock.with, lock, print), "deadlock")
    assert.is_false(lock:try_acquire())
    assert.is_false(lock:acquire(0))
    local before = tm.monotonic()
    assert.is_false(lock:acquire(MOMENT))
    assert.is_true(tm.monotonic() - before >= MOMENT - helper.ROUNDING)
    assert.equal("timeout", helper.kind(tm.timeout, MOMENT, lock.acquire, lock))
    lock:release()
    assert.is_false(lock:locked())
  end)
end)

describe("rlock", function()
  after_each(helper.settle)

  it("is taken by its owner again and again, and free after as many releases", function()
    local lock = tm.rlock()
    for _ = 1, 3 do assert.is_true(lock:acquire()) end
    assert.is_true(lock:try_acquire())
    assert.is_true(lock:acquire(0))
    local other = function() return lock:try_acquire() end
    for _ = 1, 5 do
      assert.is_false(tm.submit(other):result(LIMIT))
      lock:release()
    end
    assert.is_false(lock:locked())
    has(says(lock.release, lock), "it is free")
  end)

  it("guards and with count, too", function()
    local lock = tm.rlock()
    local inside = lock:with(function()
      local _ <close> = lock:guard()
      return lock:with(function() return lock:locked() end)
    end)
    assert.is_true(inside)
    assert.is_false(lock:locked())
  end)
end)

-- Of CPython's threading.Lock and RLock without counterpart: -1 for "for ever" and timeout with blocking=False (one
-- rule for time arguments); any thread may release (a lock has an owner); self-acquire of a Lock hangs (it raises).
