local tm = require "tidemill"
local helper = require "helper"
local LIMIT, MOMENT = helper.LIMIT, helper.MOMENT

--- Futures of n tasks that wait at the barrier, one after the other in this order.
local function waiters(pool, barrier, n)
  local futures = {}
  for i = 1, n do
    local before = barrier:n_waiting()
    futures[i] = pool:submit(function(limit) return barrier:wait(limit) end, LIMIT)
    helper.eventually(function() return futures[i]:done() or barrier:n_waiting() > before end)
  end
  return futures
end

local function all_broken(futures, why)
  for _, f in ipairs(futures) do
    local e = helper.raised(f.result, f, LIMIT)
    assert.equal("broken_barrier", e.kind)
    assert.matches(why, e.message)
  end
end

describe("barrier", function()
  after_each(helper.settle)

  it("wants at least one party", function()
    assert.has_error(function() tm.barrier() end, "bad argument #1 to 'barrier' (number expected, got no value)")
    assert.matches("less than 1", helper.raised(tm.barrier, 0))
    assert.matches("less than 1", helper.raised(tm.barrier, -2))
    assert.matches("no integer", helper.raised(tm.barrier, 1.5))
    assert.matches("too many", helper.raised(tm.barrier, math.maxinteger))
    assert.matches("unknown option 'actoin' %(known: action timeout%)",
      helper.raised(tm.barrier, 1, { actoin = print }))
    assert.matches("option 'action': a function expected, got a table", helper.raised(tm.barrier, 1, { action = {} }))
    assert.matches("option 'timeout': a number of seconds >= 0", helper.raised(tm.barrier, 1, { timeout = -1 }))
    assert.matches("cannot send", helper.raised(tm.barrier, 1, { action = coroutine.wrap(print) }))
  end)

  it("of one party never waits", function()
    local b = tm.barrier(1)
    assert.equal(1, b:wait())
    assert.equal(1, b:wait(0))
    assert.equal(1, b:parties())
  end)

  it("lets all go on when the last has come, with their place in the order", function()
    local pool, b = helper.pool(), tm.barrier(4)
    local futures = waiters(pool, b, 3)
    assert.equal(3, b:n_waiting())
    assert.equal("barrier (3 of 4 wait)", tostring(b))
    for _, f in ipairs(futures) do assert.is_false(f:done()) end
    assert.equal(4, b:wait(LIMIT))
    for i, f in ipairs(futures) do assert.equal(i, f:result(LIMIT)) end
    assert.equal(0, b:n_waiting())
    assert.is_false(b:broken())
  end)

  it("can be passed again and again, with each place once", function()
    local pool, b, places, failed = helper.pool(), tm.barrier(5), {}, tm.counter()
    local futures, inside = {}, tm.counter()
    for i = 1, 5 do places[i] = tm.counter() end
    for i = 1, 5 do
      futures[i] = pool:submit(function()
        for round = 1, 200 do
          inside:add()
          places[b:wait()]:add()
          if inside:get() < 5 * round then failed:add() end
        end
      end)
    end
    for _, f in ipairs(futures) do f:result(LIMIT) end
    for i = 1, 5 do assert.equal(200, places[i]:get()) end
    assert.equal(0, failed:get())
  end)

  it("runs its action once, in the last task, before the others go on", function()
    local runs, go, began = tm.counter(), tm.event(), tm.event()
    local b = tm.barrier(3, {
      action = function()
        began:set()
        go:wait()
        runs:add()
      end,
    })
    local pool = helper.pool()
    local futures = waiters(pool, b, 2)
    local last = pool:submit(function()
      local place = b:wait()
      return place, runs:get()
    end)
    assert.is_true(began:wait(LIMIT))
    tm.sleep(MOMENT)
    for _, f in ipairs(futures) do assert.is_false(f:done()) end
    local late = pool:submit(function(limit) return b:wait(limit) end, MOMENT) -- it cannot come in yet
    assert.same({ nil, "timeout" }, { late:result(LIMIT) })
    assert.is_false(b:broken())
    late = pool:submit(function(limit) return b:wait(limit) end, LIMIT)
    tm.sleep(MOMENT)
    assert.equal(2, b:n_waiting())
    go:set()
    assert.same({ 3, 1 }, { last:result(LIMIT) })
    for i, f in ipairs(futures) do assert.equal(i, f:result(LIMIT)) end
    helper.eventually(function() return b:n_waiting() == 1 end) -- the late one, of the next round
    waiters(pool, b, 2)
    assert.equal(1, late:result(LIMIT))
    assert.equal(2, runs:get())
  end)

  it("an action that raises gives its error to its task, and breaks the barrier for the others", function()
    local pool, b = helper.pool(), tm.barrier(3, { action = function() error({ code = 7 }) end })
    local futures = waiters(pool, b, 2)
    local e = helper.raised(b.wait, b)
    assert.equal(7, e.code)
    all_broken(futures, "its action failed")
    assert.is_true(b:broken())
  end)

  it("an action that is cancelled breaks it", function()
    local pool, began, limit = helper.pool(), tm.event(), LIMIT
    local b = tm.barrier(2, {
      action = function()
        began:set()
        tm.sleep(limit)
      end,
    })
    local futures = waiters(pool, b, 1)
    local actor = pool:submit(function() b:wait() end)
    assert.is_true(began:wait(LIMIT))
    actor:cancel()
    assert.equal("cancelled", helper.kind(actor.result, actor, LIMIT))
    all_broken(futures, "cancelled")
  end)

  it("an action may not wait for its own barrier", function()
    local b
    local box = { }
    b = tm.barrier(1, { action = function() return box.b end })
    assert.equal(1, b:wait())
    local get = tm.once()
    local c = tm.barrier(1, { action = function() get:run(error):wait() end })
    get:run(function() return c end)
    assert.matches("waits for the barrier itself", helper.raised(c.wait, c))
  end)

  it("a time-out gives nil, \"timeout\" to its task, and breaks the barrier for the others", function()
    local pool, b = helper.pool(), tm.barrier(4)
    local futures = waiters(pool, b, 2)
    local before = tm.monotonic()
    assert.same({ nil, "timeout" }, { b:wait(MOMENT) })
    assert.is_true(tm.monotonic() - before >= MOMENT - helper.ROUNDING)
    all_broken(futures, "time limit")
    assert.is_true(b:broken())
    assert.equal("barrier (broken)", tostring(b))
    assert.equal("broken_barrier", helper.kind(b.wait, b))
    assert.equal("broken_barrier", helper.kind(b.wait, b, 0))
    assert.equal(0, b:n_waiting())
  end)

  it("a limit of 0 is a time-out like any other", function()
    local b = tm.barrier(2)
    assert.same({ nil, "timeout" }, { b:wait(0) })
    assert.is_true(b:broken())
  end)

  it("its own time limit is that of waits that have none", function()
    local b = tm.barrier(2, { timeout = MOMENT })
    assert.same({ nil, "timeout" }, { b:wait() })
    b:reset()
    local pool = helper.pool()
    local f = pool:submit(function(for_ever) return b:wait(for_ever) end, math.huge)
    tm.sleep(2 * MOMENT)
    assert.is_false(f:done())
    assert.equal(2, b:wait())
    assert.equal(1, f:result(LIMIT))
  end)

  it("takes nil or a number >= 0 for a time limit", function()
    local b = tm.barrier(1)
    assert.has_error(function() b:wait(-1) end, "bad argument #1 to 'wait' (time limit is negative)")
    assert.has_error(function() b:wait(0 / 0) end, "bad argument #1 to 'wait' (time limit is NaN)")
    assert.has_error(function() b:wait("x") end, "bad argument #1 to 'wait' (number expected, got string)")
    assert.is_false(b:broken())
  end)

  it("a waiter that is cancelled, or out of a time limit around it, breaks it", function()
    local pool, b = helper.pool(), tm.barrier(4)
    local futures = waiters(pool, b, 3)
    futures[2]:cancel()
    assert.equal("cancelled", helper.kind(futures[2].result, futures[2], LIMIT))
    all_broken({ futures[1], futures[3] }, "cancelled")
    b:reset()
    assert.equal("timeout", helper.kind(tm.timeout, MOMENT, b.wait, b))
    assert.is_true(b:broken())
  end)

  it("abort breaks it until reset", function()
    local pool, b = helper.pool(), tm.barrier(3)
    local futures = waiters(pool, b, 2)
    b:abort()
    b:abort()
    all_broken(futures, "abort%(%) was called")
    assert.equal("broken_barrier", helper.kind(b.wait, b))
    b:reset()
    assert.is_false(b:broken())
    futures = waiters(pool, b, 2)
    assert.equal(3, b:wait(LIMIT))
    for i, f in ipairs(futures) do assert.equal(i, f:result(LIMIT)) end
  end)

  it("reset lets waiters go with an error, and is usable at once", function()
    local pool, b = helper.pool(), tm.barrier(3)
    b:reset()
    local futures = waiters(pool, b, 2)
    b:reset()
    all_broken(futures, "reset%(%) was called")
    assert.is_false(b:broken())
    futures = waiters(pool, b, 2)
    assert.equal(3, b:wait(LIMIT))
    for i, f in ipairs(futures) do assert.equal(i, f:result(LIMIT)) end
  end)

  it("abort and reset reach an action that runs", function()
    for _, what in ipairs { "abort", "reset" } do
      local pool, began, go = helper.pool(), tm.event(), tm.event()
      local b = tm.barrier(2, {
        action = function()
          began:set()
          go:wait()
        end,
      })
      local futures = waiters(pool, b, 1)
      futures[2] = pool:submit(function() return b:wait() end)
      assert.is_true(began:wait(LIMIT))
      b[what](b)
      assert.equal("broken_barrier", helper.kind(futures[1].result, futures[1], LIMIT))
      assert.is_false(futures[2]:done())
      go:set()
      all_broken(futures, what)
      assert.equal(what == "abort", b:broken())
    end
  end)

  it("is the same object wherever it arrives", function()
    local b = tm.barrier(1, { action = print })
    local same, back = tm.submit(function(a, list) return a == list[1] and a == b, a end, b, { b }):result(LIMIT)
    assert.is_true(same)
    assert.is_true(rawequal(b, back))
    assert.has_error(function() b.wait(tm.event()) end)
    assert.is_true(type(getmetatable(b)) ~= "table")
  end)
end)
