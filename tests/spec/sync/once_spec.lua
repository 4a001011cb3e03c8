local tm = require "tidemill"
local helper = require "helper"
local LIMIT, MOMENT = helper.LIMIT, helper.MOMENT

describe("once", function()
  after_each(helper.settle)

  it("runs the first function, and gives everyone its values", function()
    local o, runs = tm.once(), 0
    assert.is_false(o:done())
    assert.equal("once (not run)", tostring(o))
    local function load(...)
      runs = runs + 1
      return ...
    end
    assert.same({ n = 3, [1] = "a", [3] = 1.5 }, table.pack(o:run(load, "a", nil, 1.5)))
    assert.is_true(o:done())
    assert.equal("once (done)", tostring(o))
    assert.same({ n = 3, [1] = "a", [3] = 1.5 }, table.pack(o:run(load, "b")))
    assert.same({ n = 3, [1] = "a", [3] = 1.5 }, table.pack(o:run(error, "never called")))
    assert.equal(1, runs)
  end)

  it("may give nothing", function()
    local o = tm.once()
    assert.equal(0, select("#", o:run(function() end)))
    assert.equal(0, select("#", o:run(error)))
    assert.is_true(o:done())
  end)

  it("gives the first caller its own values, and the same ones each time", function()
    local o, own = tm.once(), { 1, 2 }
    assert.equal(own, (o:run(function() return own end)))
    assert.equal(own, (o:run(error)))
    local copy, again = tm.submit(function()
      local a, b = o:run(error), o:run(error)
      return a, a == b
    end):result(LIMIT)
    assert.same(own, copy)
    assert.is_true(again)
  end)

  it("others wait on any worker until it has completed", function()
    local pool, o, go, runs = helper.pool(), tm.once(), tm.event(), tm.counter()
    local futures = {}
    for i = 1, 20 do
      futures[i] = pool:submit(function(number)
        return o:run(function()
          runs:add()
          go:wait()
          return number, { number }
        end)
      end, i)
    end
    tm.sleep(MOMENT)
    assert.equal("once (running)", tostring(o))
    for _, f in ipairs(futures) do assert.is_false(f:done()) end
    go:set()
    local first = futures[1]:result(LIMIT)
    for _, f in ipairs(futures) do
      local i, t = f:result(LIMIT)
      assert.equal(first, i)
      assert.same({ first }, t)
    end
    assert.equal(1, runs:get())
  end)

  it("an error goes to its caller, and the next caller runs its own function", function()
    local pool, o, go, began = helper.pool(), tm.once(), tm.event(), tm.event()
    local e = {}
    assert.equal(e, helper.raised(o.run, o, error, e))
    assert.is_false(o:done())
    local first = pool:submit(function()
      return o:run(function()
        began:set()
        go:wait()
        error("mine")
      end)
    end)
    assert.is_true(began:wait(LIMIT))
    local second = pool:submit(function() return o:run(function() return "second" end) end)
    tm.sleep(MOMENT)
    go:set()
    assert.matches("mine", helper.raised(first.result, first, LIMIT))
    assert.equal("second", second:result(LIMIT))
    assert.equal("second", o:run(error))
  end)

  it("a cancellation, or a time limit around it, passes the turn on", function()
    local pool, o, began, limit = helper.pool(), tm.once(), tm.event(), LIMIT
    local first = pool:submit(function()
      return o:run(function()
        began:set()
        tm.sleep(limit)
      end)
    end)
    assert.is_true(began:wait(LIMIT))
    local second = pool:submit(function() return tm.timeout(0.05, o.run, o, tm.sleep, limit) end)
    assert.equal("timeout", helper.kind(second.result, second, LIMIT)) -- it waited, which changed nothing
    local third = pool:submit(function() return o:run(function() return "third" end) end)
    first:cancel()
    assert.equal("cancelled", helper.kind(first.result, first, LIMIT))
    assert.equal("third", third:result(LIMIT))
    local p = tm.once()
    assert.equal("timeout", helper.kind(tm.timeout, MOMENT, p.run, p, tm.sleep, LIMIT))
    assert.equal("ok", p:run(function() return "ok" end))
  end)

  it("a waiter that is cancelled leaves nothing behind", function()
    local pool, o, began, go = helper.pool(), tm.once(), tm.event(), tm.event()
    local first = pool:submit(function()
      return o:run(function()
        began:set()
        go:wait()
        return 1
      end)
    end)
    assert.is_true(began:wait(LIMIT))
    local second = pool:submit(function() return o:run(error) end)
    tm.sleep(MOMENT)
    second:cancel()
    assert.equal("cancelled", helper.kind(second.result, second, LIMIT))
    go:set()
    assert.equal(1, first:result(LIMIT))
  end)

  it("a value that cannot be sent is an error, and nothing is done", function()
    local o = tm.once()
    assert.matches("cannot send", tostring(helper.raised(o.run, o, function() return coroutine.create(print) end)))
    assert.is_false(o:done())
    assert.equal(2, o:run(function() return 2 end))
  end)

  it("its own function cannot run it again", function()
    local o = tm.once()
    assert.matches("run by this very task", helper.raised(o.run, o, function() return o:run(print) end))
    assert.equal("once (not run)", tostring(o))
    assert.equal(3, o:run(function()
      pcall(o.run, o, print)
      return 3
    end))
  end)

  it("a circle of waits raises and spells it out", function()
    local o = tm.once()
    local e = helper.raised(o.run, o, function()
      return tm.submit(function() return o:run(print) end):result()
    end)
    -- whoever of the two came last
    assert.matches("deadlock: .* waits for the run of a once, which '.*' runs, which", tostring(e))
    assert.matches("waits for the result of '.*', which", tostring(e))
    local a, b, go = tm.once(), tm.once(), tm.barrier(2)
    local pool = helper.pool()
    local function both(first, second)
      return pool:submit(function()
        return first:run(function()
          go:wait()
          return second:run(function() return 1 end)
        end)
      end)
    end
    local f, g = both(a, b), both(b, a)
    local ok_f, e_f = pcall(f.result, f, LIMIT)
    local ok_g, e_g = pcall(g.result, g, LIMIT)
    assert.is_true(ok_f ~= ok_g) -- the one that closed the circle raised, and so the other went on
    assert.matches("deadlock", tostring(ok_f and e_g or e_f))
  end)

  it("waiting for it lends the slot: what runs it may need one", function()
    local pool, o, began = helper.pool({ max_workers = 1 }), tm.once(), tm.event()
    local first = pool:submit(function()
      return o:run(function()
        began:set()
        tm.sleep(0.05)
        return pool:submit(function() return "from within" end):result()
      end)
    end)
    assert.is_true(began:wait(LIMIT))
    local second = pool:submit(function() return o:run(error) end)
    assert.equal("from within", first:result(LIMIT))
    assert.equal("from within", second:result(LIMIT))
  end)

  it("passes the turn on where its coroutine is closed or forgotten", function()
    local o = tm.once()
    local co = coroutine.create(function() o:run(coroutine.yield) end)
    coroutine.resume(co)
    assert.equal("once (running)", tostring(o))
    coroutine.close(co)
    assert.equal("once (not run)", tostring(o))
    co = coroutine.create(function() o:run(coroutine.yield) end)
    coroutine.resume(co)
    co = nil -- luacheck: ignore
    helper.eventually(function()
      collectgarbage()
      return tostring(o) == "once (not run)"
    end)
  end)

  it("may give itself", function()
    local o = tm.once()
    assert.equal(o, (o:run(function() return o end)))
    assert.is_true(tm.submit(function() return o:run(error) == o end):result(LIMIT))
  end)

  -- each in the values of the next: neither collecting nor dropping them may take depth, or the square of their number
  it("makes long chains", function()
    local last, q = nil, tm.queue()
    for _ = 1, 30000 do
      local o, before = tm.once(), last
      o:run(function() return before end)
      last = o
    end
    q:put(last)
    last = nil -- luacheck: ignore
    collectgarbage()
    q:get()
    collectgarbage()
    collectgarbage()
  end)

  it("wants a function, and no time limit", function()
    local o = tm.once()
    assert.has_error(function() o:run() end, "bad argument #1 to 'run' (function expected, got no value)")
    assert.has_error(function() o:run(1, print) end, "bad argument #1 to 'run' (function expected, got number)")
    assert.has_error(function() o.run(tm.event(), print) end)
    assert.is_true(type(getmetatable(o)) ~= "table")
    assert.matches("the function goes to run", helper.raised(tm.once, print))
  end)
end)
