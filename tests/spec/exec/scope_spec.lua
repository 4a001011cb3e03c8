local tm = require "tidemill"
local helper = require "helper"
local LIMIT, MOMENT = helper.LIMIT, helper.MOMENT
local error, setmetatable, pcall = error, setmetatable, pcall -- for tasks: they would take busted's environment along

local function value(...) return ... end
local function fail(e) error(e, 0) end

--- A closer that counts how often it ran.
local function closer(counter)
  return setmetatable({}, { __close = function() counter:add() end })
end

describe("scope", function()
  it("gives what its function returns", function()
    assert.same({ n = 3, 1, nil, 3 }, table.pack(tm.scope(function() return 1, nil, 3 end)))
    assert.equal(0, select("#", tm.scope(function() end)))
  end)

  it("spawns tasks and waits for them", function()
    local n = tm.counter()
    local f
    tm.scope(function(s)
      for _ = 1, 20 do
        s:spawn(function()
          tm.sleep(0.001)
          n:add()
        end)
      end
      f = s:spawn(value, 5)
    end)
    assert.equal(20, n:get())
    assert.is_true(f:done())
    assert.equal(5, f:result())
  end)

  it("may be left with results of its tasks", function()
    assert.equal(9, tm.scope(function(s)
      local a, b = s:spawn(value, 4), s:spawn(value, 5)
      return a:result() + b:result()
    end))
  end)

  it("is run by the first failure: siblings are cancelled, all awaited, the cause raised", function()
    local closed, began = tm.counter(), tm.counter()
    local sibling
    local e = helper.raised(tm.scope, function(s)
      sibling = s:spawn(function()
        local _ <close> = closer(closed)
        began:add()
        tm.sleep(LIMIT)
      end)
      helper.eventually(function() return began:get() == 1 end)
      s:spawn(fail, { code = 7 })
      tm.sleep(LIMIT) -- the body is cancelled too
    end)
    assert.same({ code = 7 }, e)
    assert.is_true(sibling:cancelled())
    assert.equal(1, closed:get())
  end)

  it("raises the cause where the body had returned", function()
    assert.same({ code = 8 }, helper.raised(tm.scope, function(s)
      s:spawn(function()
        tm.sleep(0.01)
        error({ code = 8 })
      end)
    end))
  end)

  it("raises the body's own error, and cancels its tasks", function()
    local f
    assert.equal("body", helper.raised(tm.scope, function(s)
      f = s:spawn(tm.sleep, LIMIT)
      fail("body")
    end))
    assert.is_true(f:cancelled())
  end)

  it("a failure that the body caught is raised all the same", function()
    assert.equal("x", helper.raised(tm.scope, function(s)
      local f = s:spawn(fail, "x")
      pcall(f.result, f)
    end))
  end)

  it("cancel ends the tasks, and the body goes on", function()
    local f
    assert.equal("end", tm.scope(function(s)
      f = s:spawn(tm.sleep, LIMIT)
      s:cancel()
      s:cancel()
      assert.equal("cancelled", helper.kind(f.result, f))
      return "end"
    end))
    assert.is_true(f:cancelled())
  end)

  it("takes nothing more once it was cancelled or has ended", function()
    local kept
    tm.scope(function(s)
      kept = s
      s:cancel()
      assert.matches("cannot spawn: the scope was cancelled or has ended", helper.raised(s.spawn, s, value))
    end)
    assert.matches("cannot spawn: the scope was cancelled or has ended", helper.raised(kept.spawn, kept, value))
    kept:cancel()
  end)

  it("may be given to its tasks, which spawn into it", function()
    local n = tm.counter()
    tm.scope(function(s)
      s:spawn(function()
        for _ = 1, 5 do s:spawn(function() n:add() end) end
      end)
    end)
    assert.equal(5, n:get())
  end)

  it("may be nested: the inner failure is the outer one's body error", function()
    local outer_task
    assert.equal("deep", helper.raised(tm.scope, function(outer)
      outer_task = outer:spawn(tm.sleep, LIMIT)
      tm.scope(function(inner) inner:spawn(fail, "deep") end)
    end))
    assert.is_true(outer_task:cancelled())
  end)

  it("an inner failure can be caught in the outer scope", function()
    assert.equal("fine", tm.scope(function(outer)
      local f = outer:spawn(value, "fine")
      assert.equal("deep", helper.raised(tm.scope, function(inner) inner:spawn(fail, "deep") end))
      return f:result(LIMIT)
    end))
  end)

  it("ends with the task that opened it", function()
    local began, closed = tm.event(), tm.counter()
    local f = tm.submit(function()
      tm.scope(function(s)
        s:spawn(function()
          local _ <close> = setmetatable({}, { __close = function() closed:add() end })
          began:set()
          tm.sleep(LIMIT)
        end)
      end)
    end)
    assert.is_true(began:wait(LIMIT))
    f:cancel()
    assert.equal("cancelled", helper.kind(f.result, f, LIMIT))
    assert.equal(1, closed:get())
  end)

  it("ends by a time limit around it", function()
    local child
    assert.equal("timeout", helper.kind(tm.timeout, MOMENT, function()
      tm.scope(function(s) child = s:spawn(tm.sleep, LIMIT) end)
    end))
    assert.is_true(child:cancelled())
  end)

  it("refuses wrong arguments", function()
    assert.matches("function expected, got no value", helper.raised(tm.scope))
    assert.matches("function expected, got table", helper.raised(tm.scope, {}))
    tm.scope(function(s)
      assert.matches("function expected, got number", helper.raised(s.spawn, s, 1))
      assert.matches("cannot send", helper.raised(s.spawn, s, value, coroutine.create(value)))
      assert.is_false((pcall(s.spawn)))
    end)
  end)
end)

describe("timeout", function()
  it("gives what the function returns", function()
    assert.same({ n = 3, 1, nil, 3 }, table.pack(tm.timeout(LIMIT, value, 1, nil, 3)))
    assert.equal(0, select("#", tm.timeout(math.huge, value)))
  end)

  it("passes errors on as they are", function()
    assert.same({ code = 1 }, helper.raised(tm.timeout, LIMIT, fail, { code = 1 }))
  end)

  it("ends a wait", function()
    local before = tm.monotonic()
    local e = helper.raised(tm.timeout, MOMENT, function() tm.sleep(LIMIT) end)
    assert.equal("timeout", e.kind)
    assert.matches("timeout", tostring(e))
    assert.is_true(tm.monotonic() - before >= MOMENT - helper.ROUNDING)
    assert.is_true(tm.monotonic() - before < LIMIT)
  end)

  it("ends a loop that never waits", function()
    local closed = tm.counter()
    assert.equal("timeout", helper.kind(tm.timeout, MOMENT, function()
      local _ <close> = closer(closed)
      while true do end
    end))
    assert.equal(1, closed:get())
  end)

  it("of 0 ends the function at its first wait", function()
    assert.equal("timeout", helper.kind(tm.timeout, 0, tm.sleep, LIMIT))
  end)

  it("cannot be swallowed inside, and is an ordinary error outside", function()
    local after = 0
    local e = helper.raised(tm.timeout, MOMENT, function()
      pcall(function() pcall(tm.sleep, LIMIT) after = after + 1 end)
      after = after + 1
    end)
    assert.equal("timeout", e.kind)
    assert.equal(0, after)
    tm.sleep(0) -- and the task goes on
  end)

  it("the outer one wins where both are over", function()
    local inner_caught = false
    local e = helper.raised(tm.timeout, MOMENT, function()
      pcall(tm.timeout, LIMIT, tm.sleep, LIMIT)
      inner_caught = true
    end)
    assert.equal("timeout", e.kind)
    assert.is_false(inner_caught)
  end)

  it("the inner one alone ends only the inner function", function()
    assert.equal("done", tm.timeout(LIMIT, function()
      assert.equal("timeout", helper.kind(tm.timeout, MOMENT, tm.sleep, LIMIT))
      return "done"
    end))
  end)

  it("closers may wait", function()
    local waited = false
    assert.equal("timeout", helper.kind(tm.timeout, MOMENT, function()
      local _ <close> = setmetatable({}, { __close = function()
        tm.sleep(0.01)
        waited = true
      end })
      tm.sleep(LIMIT)
    end))
    assert.is_true(waited)
  end)

  it("that came too late changes nothing", function()
    local x
    for _ = 1, 200 do
      local ok, e = pcall(tm.timeout, 0.0002, function()
        x = 0
        for i = 1, 1000 do x = x + i end
        return true
      end)
      assert.is_true(ok or e.kind == "timeout")
      tm.sleep(0)
    end
  end)

  it("refuses wrong arguments", function()
    assert.matches("time limit is negative", helper.raised(tm.timeout, -1, value))
    assert.matches("time limit is NaN", helper.raised(tm.timeout, 0 / 0, value))
    assert.matches("number expected, got string", helper.raised(tm.timeout, "x", value))
    assert.matches("number expected, got nil", helper.raised(tm.timeout, nil, value))
    assert.matches("function expected, got no value", helper.raised(tm.timeout, 1))
  end)
end)

describe("shield", function()
  it("gives what the function returns, and passes errors on", function()
    assert.same({ n = 3, 1, nil, 3 }, table.pack(tm.shield(value, 1, nil, 3)))
    assert.same({ code = 1 }, helper.raised(tm.shield, fail, { code = 1 }))
    assert.matches("function expected", helper.raised(tm.shield))
  end)

  it("holds a cancellation back until it ends", function()
    local began, go, finished, after = tm.event(), tm.event(), tm.counter(), tm.counter()
    local f = tm.submit(function()
      tm.shield(function()
        began:set()
        go:wait(LIMIT)
        tm.sleep(0.001)
        finished:add()
      end)
      tm.sleep(LIMIT)
      after:add()
    end)
    began:wait(LIMIT)
    assert.is_true(f:cancel())
    tm.sleep(MOMENT)
    assert.is_false(f:done())
    go:set()
    assert.equal("cancelled", helper.kind(f.result, f, LIMIT))
    assert.equal(1, finished:get())
    assert.equal(0, after:get())
  end)

  it("holds a time limit around it back", function()
    local finished = false
    assert.equal("timeout", helper.kind(tm.timeout, MOMENT, function()
      tm.shield(function()
        tm.sleep(2 * MOMENT)
        finished = true
      end)
      tm.sleep(LIMIT)
    end))
    assert.is_true(finished)
  end)

  it("does not hold back a time limit inside it", function()
    assert.equal("fine", tm.shield(function()
      assert.equal("timeout", helper.kind(tm.timeout, MOMENT, tm.sleep, LIMIT))
      return "fine"
    end))
  end)
end)
