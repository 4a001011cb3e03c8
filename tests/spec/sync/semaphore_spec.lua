local tm = require "tidemill"
local helper = require "helper"
local LIMIT, MOMENT = helper.LIMIT, helper.MOMENT

--- Futures of n tasks that acquire one permit each, one after the other in this order, and wait for it.
local function waiters(pool, s, n)
  local futures, began = {}, tm.counter()
  for i = 1, n do
    futures[i] = pool:submit(function(limit)
      began:add()
      return s:acquire(limit)
    end, LIMIT)
    helper.eventually(function() return began:get() == i end)
    tm.sleep(0.01) -- it is about to wait
  end
  return futures
end

local function done(futures)
  local n = 0
  for _, f in ipairs(futures) do n = n + (f:done() and 1 or 0) end
  return n
end

describe("semaphore", function()
  after_each(helper.settle)

  it("has one permit at first, or as many as asked", function()
    assert.equal(1, tm.semaphore():value())
    assert.equal(0, tm.semaphore(0):value())
    assert.equal(7, tm.bounded_semaphore(7):value())
    assert.equal("semaphore (3 left)", tostring(tm.semaphore(3)))
    assert.equal("bounded semaphore (3 of 3 left)", tostring(tm.bounded_semaphore(3)))
  end)

  it("refuses a number of permits below 0, and what is no integer", function()
    for _, make in ipairs { tm.semaphore, tm.bounded_semaphore } do
      assert.matches("negative", helper.raised(make, -1))
      assert.matches("number expected, got string", helper.raised(make, "x"))
      assert.matches("no integer representation", helper.raised(make, 1.5))
      assert.matches("too many permits", helper.raised(make, math.maxinteger))
    end
  end)

  it("acquire takes a permit and gives true, release gives it back and nothing", function()
    local s = tm.semaphore(2)
    assert.is_true(s:acquire())
    assert.is_true(s:acquire(LIMIT))
    assert.equal(0, s:value())
    assert.equal(0, select("#", s:release()))
    assert.equal(1, s:value())
  end)

  it("acquire gives false when its time is over, not before; 0 only looks", function()
    local s, before = tm.semaphore(0), tm.monotonic()
    assert.is_false(s:acquire(MOMENT))
    assert.is_true(tm.monotonic() - before >= MOMENT - helper.ROUNDING)
    assert.is_false(s:acquire(0))
    s:release()
    assert.is_true(s:acquire(0))
  end)

  it("try_acquire never waits", function()
    local s = tm.semaphore()
    assert.is_true(s:try_acquire())
    assert.is_false(s:try_acquire())
  end)

  -- CPython has acquire(blocking=False, timeout=x) raise: there is no `blocking` here. Its negative time-out is False
  -- at once; here a time limit is nil or a number >= 0 everywhere.
  it("takes nil or a number >= 0 for a time limit", function()
    local s = tm.semaphore()
    assert.has_error(function() s:acquire(-1) end, "bad argument #1 to 'acquire' (time limit is negative)")
    assert.has_error(function() s:guard(-1) end, "bad argument #1 to 'guard' (time limit is negative)")
    assert.has_error(function() s:acquire(0 / 0) end, "bad argument #1 to 'acquire' (time limit is NaN)")
    assert.has_error(function() s:acquire("x") end, "bad argument #1 to 'acquire' (number expected, got string)")
    assert.equal(1, s:value())
    assert.is_true(s:acquire(math.huge))
  end)

  it("release needs a number >= 1", function()
    local s = tm.semaphore()
    assert.has_error(function() s:release(0) end,
      "bad argument #1 to 'release' (the number of permits is less than 1)")
    assert.has_error(function() s:release(-3) end,
      "bad argument #1 to 'release' (the number of permits is less than 1)")
    assert.has_error(function() s:release(1.5) end,
      "bad argument #1 to 'release' (number has no integer representation)")
    assert.has_error(function() s:release("x") end, "bad argument #1 to 'release' (number expected, got string)")
    assert.matches("too many", helper.raised(s.release, s, math.maxinteger))
    assert.equal(1, s:value())
  end)

  it("release without acquire adds permits", function()
    local s = tm.semaphore(0)
    s:release()
    s:release(4)
    assert.equal(5, s:value())
  end)

  it("bounded: released more often than acquired raises, and leaves the value", function()
    local s = tm.bounded_semaphore(2)
    assert.matches("released more often than acquired", helper.raised(s.release, s))
    assert.equal(2, s:value())
    s:acquire()
    assert.matches("has 1 of its 2", helper.raised(s.release, s, 2))
    assert.equal(1, s:value())
    s:release()
    assert.equal(2, s:value())
    assert.is_true(s:acquire() and s:acquire() and not s:try_acquire())
    s:release(2)
    assert.equal(2, s:value())
  end)

  it("release wakes up to n", function()
    local pool, s = helper.pool(), tm.semaphore(0)
    local futures = waiters(pool, s, 5)
    s:release(2)
    helper.eventually(function() return done(futures) == 2 end)
    tm.sleep(MOMENT)
    assert.equal(2, done(futures))
    assert.equal(0, s:value())
    s:release(5)
    for _, f in ipairs(futures) do assert.is_true(f:result(LIMIT)) end
    assert.equal(2, s:value())
  end)

  it("gives permits in the order in which they were asked for, and nobody overtakes", function()
    local pool, s = helper.pool(), tm.semaphore(0)
    local futures = waiters(pool, s, 6)
    for i = 1, 6 do
      s:release()
      assert.is_false(s:try_acquire())
      assert.is_true(futures[i]:result(LIMIT))
      assert.equal(i, done(futures))
    end
  end)

  it("lets in as many as it has permits", function()
    local pool, s, inside, most = helper.pool(), tm.semaphore(3), tm.counter(), tm.counter()
    local futures = {}
    for i = 1, 40 do
      futures[i] = pool:submit(function()
        for _ = 1, 20 do
          local _ <close> = s:guard()
          local n = inside:add()
          if n > most:get() then most:set(n) end
          if n > 3 then error("too many inside") end
          tm.sleep(0)
          inside:add(-1)
        end
      end)
    end
    for _, f in ipairs(futures) do f:result(LIMIT) end
    assert.equal(3, s:value())
    assert.equal(0, inside:get())
    assert.is_true(most:get() >= 1)
  end)

  it("any task may give back what another took", function()
    local s = tm.bounded_semaphore()
    s:acquire()
    tm.submit(function() s:release() end):result(LIMIT)
    assert.is_true(s:acquire(LIMIT))
  end)

  it("waits that timed out or were cancelled leave nothing behind", function()
    local pool, s = helper.pool(), tm.semaphore(0)
    for _ = 1, 100 do assert.is_false(s:acquire(0.0001)) end
    local futures = waiters(pool, s, 2)
    assert.is_true(futures[1]:cancel())
    assert.equal("cancelled", helper.kind(futures[1].result, futures[1], LIMIT))
    s:release()
    assert.is_true(futures[2]:result(LIMIT))
    assert.equal(0, s:value())
  end)

  it("a time limit around it takes nothing", function()
    local s = tm.semaphore(0)
    assert.equal("timeout", helper.kind(tm.timeout, MOMENT, s.acquire, s))
    assert.equal("timeout", helper.kind(tm.timeout, MOMENT, s.with, s, print))
    s:release()
    assert.equal(1, s:value())
  end)

  it("waits where Lua cannot yield", function()
    local s = tm.semaphore(0)
    local f = tm.submit(function()
      tm.sleep(0.02)
      s:release(2)
    end)
    local got = {}
    string.gsub("ab", ".", function(c) got[#got + 1] = c .. tostring(s:acquire(LIMIT)) end)
    assert.same({ "atrue", "btrue" }, got)
    f:result(LIMIT)
  end)

  it("is the same object wherever it arrives, and no other", function()
    local s = tm.semaphore()
    local same, back = tm.submit(function(a, list) return a == list[1] and a == s, a end, s, { s }):result(LIMIT)
    assert.is_true(same)
    assert.is_true(rawequal(s, back))
    assert.has_error(function() s.acquire(tm.event()) end)
    assert.has_error(function() s.release() end)
    assert.is_true(type(getmetatable(s)) ~= "table")
  end)
end)

describe("guard of a semaphore", function()
  after_each(helper.settle)

  it("gives back what it took, however its block ends", function()
    local s = tm.bounded_semaphore()
    do
      local permit <close> = s:guard()
      assert.equal(0, s:value())
      assert.equal("guard of a semaphore (held)", tostring(permit))
    end
    assert.equal(1, s:value())
    helper.raised(function()
      local _ <close> = s:guard()
      error("x")
    end)
    assert.equal(1, s:value())
  end)

  it("gives nil, \"timeout\" when its time is over, which a <close> variable takes", function()
    local s = tm.semaphore(0)
    local permit <close>, why = s:guard(MOMENT)
    assert.is_nil(permit)
    assert.equal("timeout", why)
  end)

  it("can be released before the block ends, once", function()
    local s = tm.bounded_semaphore()
    do
      local permit <close> = s:guard()
      permit:release()
      assert.equal(1, s:value())
      assert.equal("guard of a semaphore (released)", tostring(permit))
      assert.matches("has been released before", helper.raised(permit.release, permit))
      assert.is_true(s:acquire()) -- what the closing must not give back
    end
    assert.equal(0, s:value())
  end)

  it("cannot be closed twice", function()
    local s = tm.semaphore()
    local permit = s:guard()
    do local _ <close> = permit end
    assert.matches("has been closed before", helper.raised(function() local _ <close> = permit end))
    assert.matches("has been released before", helper.raised(permit.release, permit))
    assert.equal(1, s:value())
  end)

  it("says so where its permit was given back behind its back", function()
    local s = tm.bounded_semaphore()
    assert.matches("all its permits", helper.raised(function()
      local _ <close> = s:guard()
      s:release()
    end))
    assert.equal(1, s:value())
  end)

  it("that is forgotten gives back when it is collected", function()
    local s = tm.bounded_semaphore()
    do s:guard() end
    helper.eventually(function()
      collectgarbage()
      return s:value() == 1
    end)
  end)

  it("stays where it was made", function()
    local s = tm.semaphore()
    local permit <close> = s:guard()
    assert.matches("cannot send", tostring(helper.raised(tm.submit, function() return permit end)))
    assert.is_false(getmetatable(permit))
    assert.has_error(function() permit.release(s) end)
    assert.has_error(function() permit.release(io.stdout) end)
  end)

  it("gives back where its task is cancelled", function()
    local pool, s, began = helper.pool(), tm.bounded_semaphore(), tm.event()
    local f = pool:submit(function(limit)
      local _ <close> = s:guard()
      began:set()
      tm.sleep(limit)
    end, LIMIT)
    assert.is_true(began:wait(LIMIT))
    assert.equal(0, s:value())
    f:cancel()
    assert.equal("cancelled", helper.kind(f.result, f, LIMIT))
    assert.equal(1, s:value())
  end)
end)

describe("semaphore:with", function()
  after_each(helper.settle)

  it("calls with a permit and returns what was returned", function()
    local s = tm.bounded_semaphore()
    local result = table.pack(s:with(function(...) return s:value(), ... end, nil, "a", nil))
    assert.same({ n = 4, [1] = 0, [3] = "a" }, result)
    assert.equal(1, s:value())
    assert.equal(0, select("#", s:with(function() end)))
  end)

  it("gives back on an error, which it passes on", function()
    local s, e = tm.bounded_semaphore(), {}
    assert.equal(e, helper.raised(s.with, s, error, e))
    assert.equal(1, s:value())
  end)

  it("gives back where the call waits and is cancelled or out of time", function()
    local pool, s = helper.pool(), tm.bounded_semaphore()
    assert.equal("timeout", helper.kind(tm.timeout, MOMENT, s.with, s, tm.sleep, LIMIT))
    assert.equal(1, s:value())
    local f = pool:submit(function(limit) s:with(tm.sleep, limit) end, LIMIT)
    helper.eventually(function() return s:value() == 0 end)
    f:cancel()
    assert.equal("cancelled", helper.kind(f.result, f, LIMIT))
    assert.equal(1, s:value())
  end)

  it("gives back where it stands in a coroutine that is closed", function()
    local s = tm.bounded_semaphore()
    local co = coroutine.create(function() s:with(coroutine.yield) end)
    coroutine.resume(co)
    assert.equal(0, s:value())
    assert.is_true(coroutine.close(co))
    assert.equal(1, s:value())
  end)

  it("waits for its permit", function()
    local s = tm.semaphore(0)
    local f = tm.submit(function() return s:with(function(x) return x end, "mine") end)
    tm.sleep(MOMENT)
    assert.is_false(f:done())
    s:release()
    assert.equal("mine", f:result(LIMIT))
    assert.equal(1, s:value())
  end)

  it("wants a function", function()
    local s = tm.semaphore()
    assert.has_error(function() s:with() end, "bad argument #1 to 'with' (function expected, got no value)")
    assert.has_error(function() s:with({}) end, "bad argument #1 to 'with' (function expected, got table)")
    assert.equal(1, s:value())
  end)
end)
