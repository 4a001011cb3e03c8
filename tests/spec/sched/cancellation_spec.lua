-- That closers which outlive the grace are interrupted, and how a signal or a time limit ends the program: tests/cli.

local tm = require "tidemill"
local helper = require "helper"
local LIMIT, MOMENT = helper.LIMIT, helper.MOMENT
-- for tasks: they would take the environment of busted along
local error, setmetatable, pcall, xpcall, coroutine, table = error, setmetatable, pcall, xpcall, coroutine, table
local debug = debug

--- Runs fn as a task with an event to set when it is where it is to be cancelled, and a counter of closers; cancels it
--- there, waits for its end, which must be a cancellation, and gives the counter's value.
local function cancelled_in(fn)
  local began, closed = tm.event(), tm.counter()
  local f = helper.pool():submit(fn, began, closed)
  assert.is_true(began:wait(LIMIT))
  tm.sleep(0.005)
  assert.is_true(f:cancel())
  assert.equal("cancelled", helper.kind(f.result, f, LIMIT))
  assert.is_true(f:cancelled())
  return closed:get()
end

local function closer(closed)
  return setmetatable({}, { __close = function() closed:add() end })
end

describe("a cancellation", function()
  after_each(helper.settle)

  it("of a pending task: it never starts", function()
    local pool, go, ran = helper.pool { max_workers = 1 }, tm.event(), tm.counter()
    helper.busy(pool, go)
    local list = {}
    for i = 1, 20 do list[i] = pool:submit(function() ran:add() end) end
    for _, f in ipairs(list) do
      assert.is_true(f:cancel())
      assert.is_true(f:cancelled())
    end
    go:set()
    pool:shutdown { timeout = LIMIT }
    assert.equal(0, ran:get())
  end)

  it("ends every wait, and closers run", function()
    assert.equal(1, cancelled_in(function(began, closed)
      local _ <close> = closer(closed)
      began:set()
      tm.sleep(LIMIT)
    end))
    assert.equal(1, cancelled_in(function(began, closed)
      local _ <close> = closer(closed)
      began:set()
      tm.event():wait()
    end))
    assert.equal(1, cancelled_in(function(began, closed)
      local _ <close> = closer(closed)
      local other = tm.submit(tm.sleep, 0.2)
      began:set()
      other:result()
      tm.sleep(LIMIT)
    end))
    assert.equal(1, cancelled_in(function(began, closed)
      local _ <close> = closer(closed)
      began:set()
      tm.scope(function(s) s:spawn(tm.sleep, LIMIT) end)
    end))
    assert.equal(1, cancelled_in(function(began, closed)
      local pool = tm.executor { max_workers = 1 }
      local _ <close> = closer(closed)
      local f = pool:submit(tm.sleep, LIMIT)
      local _ <close> = setmetatable({}, { __close = function() f:cancel() end })
      local map <close> = pool:map(tm.sleep, { LIMIT })
      began:set()
      map:collect()
    end))
  end)

  it("ends a loop that never waits", function()
    assert.equal(1, cancelled_in(function(began, closed)
      local _ <close> = closer(closed)
      began:set()
      while true do end
    end))
    assert.equal(1, cancelled_in(function(began, closed)
      local _ <close> = closer(closed)
      began:set()
      local n = 0
      repeat n = n + 1 until n < 0
    end))
  end)

  it("ends a loop in nested coroutines, whose closers all run", function()
    assert.equal(4, cancelled_in(function(began, closed)
      local _ <close> = closer(closed)
      local function nest(depth)
        return coroutine.wrap(function()
          local _ <close> = closer(closed)
          if depth > 1 then nest(depth - 1)() end
          began:set()
          while true do end
        end)
      end
      nest(3)()
    end))
  end)

  it("ends a wait in nested coroutines, whose closers all run", function()
    assert.equal(4, cancelled_in(function(began, closed)
      local _ <close> = closer(closed)
      local function nest(depth)
        local co = coroutine.create(function()
          local _ <close> = closer(closed)
          if depth > 1 then nest(depth - 1) end
          began:set()
          tm.sleep(LIMIT)
        end)
        coroutine.resume(co) -- what it returns is not looked at
      end
      nest(3)
    end))
  end)

  it("cannot be swallowed by pcall, xpcall, coroutine.resume or a wait in a comparator", function()
    assert.equal(0, cancelled_in(function(began, missed)
      began:set()
      while true do
        pcall(tm.sleep, LIMIT)
        missed:add()
      end
    end))
    assert.equal(0, cancelled_in(function(began, missed)
      began:set()
      xpcall(tm.sleep, function(e) return e end, LIMIT)
      missed:add()
    end))
    assert.equal(0, cancelled_in(function(began, missed)
      began:set()
      coroutine.resume(coroutine.create(tm.sleep), LIMIT)
      missed:add()
    end))
    assert.equal(0, cancelled_in(function(began, missed)
      began:set()
      pcall(table.sort, { 3, 2, 1 }, function(a, b)
        tm.sleep(LIMIT)
        return a < b
      end)
      missed:add()
    end))
    assert.equal(0, cancelled_in(function(began, missed)
      began:set()
      pcall(function()
        pcall(function() while true do end end)
        missed:add()
      end)
      missed:add()
    end))
  end)

  it("runs each closer once, in order, and closers may wait", function()
    local order = tm.counter()
    local began = tm.event()
    local f = helper.pool():submit(function()
      local function closing(n)
        return setmetatable({}, { __close = function()
          tm.sleep(0.001)
          order:set(order:get() * 10 + n)
        end })
      end
      local _ <close> = closing(1)
      local _ <close> = closing(2)
      pcall(function()
        local _ <close> = closing(3)
        began:set()
        tm.sleep(LIMIT)
      end)
    end)
    began:wait(LIMIT)
    f:cancel()
    f:cancel()
    assert.equal("cancelled", helper.kind(f.result, f, LIMIT))
    assert.equal(321, order:get())
  end)

  it("lets closers use pcall, coroutines, scopes and time limits as ever", function()
    assert.equal(5, cancelled_in(function(began, fine)
      local _ <close> = setmetatable({}, { __close = function()
        local ok, e = pcall(error, "x", 0)
        if not ok and e == "x" then fine:add() end
        if coroutine.wrap(function() return 7 end)() == 7 then fine:add() end
        if tm.scope(function(s) return s:spawn(function() return 8 end):result() end) == 8 then fine:add() end
        if not pcall(tm.timeout, 0.001, tm.sleep, LIMIT) then fine:add() end
        if tm.submit(function() return 9 end):result() == 9 then fine:add() end
      end })
      began:set()
      tm.sleep(LIMIT)
    end))
  end)

  -- where a closer raises it stays what it is, too: tests/cli/failures.sh, as that makes the program's exit code 1

  it("is what a closer is told", function()
    local kind = tm.counter()
    cancelled_in(function(began)
      local _ <close> = setmetatable({}, { __close = function(_, e)
        if e.kind == "cancelled" then kind:add() end
      end })
      began:set()
      tm.sleep(LIMIT)
    end)
    assert.equal(1, kind:get())
  end)

  it("that comes too late changes nothing: the result stands", function()
    local pool = helper.pool()
    local seen = { done = 0, cancelled = 0 }
    for _ = 1, 300 do
      local f = pool:submit(function() return 5 end)
      f:cancel()
      local ok, e = pcall(f.result, f, LIMIT)
      if ok then
        assert.equal(5, e)
        assert.is_false(f:cancelled())
        seen.done = seen.done + 1
      else
        assert.equal("cancelled", e.kind)
        assert.is_true(f:cancelled())
        seen.cancelled = seen.cancelled + 1
      end
    end
    assert.equal(300, seen.done + seen.cancelled)
  end)

  it("of a shielded function waits for its end", function()
    assert.equal(1, cancelled_in(function(began, closed)
      tm.shield(function()
        began:set()
        tm.sleep(4 * MOMENT)
        closed:add()
      end)
      while true do tm.sleep(0) end
    end))
  end)

  it("ends at the frame of its scope: the task goes on", function()
    local f = helper.pool():submit(function()
      local kinds = {}
      for i = 1, 3 do
        local _, e = pcall(tm.timeout, 0.002, function()
          if i == 1 then tm.sleep(60) end
          if i == 2 then while true do end end
          coroutine.wrap(function() tm.sleep(60) end)()
        end)
        kinds[i] = e.kind
      end
      return table.concat(kinds, " ")
    end)
    assert.equal("timeout timeout timeout", f:result(LIMIT))
  end)

  it("of the outermost scope wins", function()
    assert.equal("outer", helper.pool():submit(function()
      local ok, e = pcall(tm.timeout, 0.01, function()
        pcall(tm.timeout, 0.005, function()
          local _ <close> = setmetatable({}, { __close = function() tm.sleep(0.02) end })
          tm.sleep(60)
        end)
        tm.sleep(60)
        return "inner"
      end)
      return not ok and e.kind == "timeout" and "outer"
    end):result(LIMIT))
  end)

  it("in main is an error like others outside of its scope", function()
    for _ = 1, 3 do assert.equal("timeout", helper.kind(tm.timeout, 0.001, function() while true do end end)) end
    assert.is_true(tm.submit(function() return true end):result(LIMIT))
  end)

  it("reaches tasks in great numbers", function()
    local pool, closed, list = helper.pool { max_workers = 500 }, tm.counter(), {}
    local began = tm.counter()
    for i = 1, 500 do
      list[i] = pool:submit(function()
        local _ <close> = closer(closed)
        began:add()
        tm.sleep(LIMIT)
      end)
    end
    helper.eventually(function() return began:get() == 500 end)
    assert.is_true(pool:shutdown { cancel = "all", timeout = LIMIT })
    assert.equal(500, closed:get())
    for _, f in ipairs(list) do assert.is_true(f:cancelled()) end
  end)

  it("leaves a hook of the script where it is", function()
    assert.equal("timeout", helper.kind(tm.timeout, 0.01, function()
      debug.sethook(function() end, "l")
      while true do end
    end))
    assert.equal("l", select(2, debug.gethook()))
    debug.sethook()
  end)
end)
