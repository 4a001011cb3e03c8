local tm = require "tidemill"
local helper = require "helper"
local LIMIT, MOMENT = helper.LIMIT, helper.MOMENT

describe("event", function()
  after_each(helper.settle)

  --- Futures of n tasks that wait for the event and have begun to.
  local function waiters(pool, event, n)
    local futures, began = {}, tm.counter()
    for i = 1, n do
      futures[i] = pool:submit(function()
        began:add()
        return event:wait(LIMIT)
      end)
    end
    helper.eventually(function() return began:get() == n end)
    tm.sleep(MOMENT) -- they are about to wait
    return futures
  end

  it("takes no argument", function()
    assert.matches("a new event is not set", helper.raised(tm.event, true), 1, true)
  end)

  it("is not set at first", function()
    local event = tm.event()
    assert.is_false(event:is_set())
    assert.equal("event (not set)", tostring(event))
    assert.is_false(event:wait(0))
  end)

  it("stays set, and may be set and cleared again and again", function()
    local event = tm.event()
    event:set()
    event:set()
    assert.is_true(event:is_set())
    assert.equal("event (set)", tostring(event))
    assert.is_true(event:wait())
    assert.is_true(event:wait(0))
    assert.is_true(event:is_set())
    event:clear()
    event:clear()
    assert.is_false(event:is_set())
    assert.is_false(event:wait(0))
    event:set()
    assert.is_true(event:wait())
  end)

  it("wait gives false when its time is over, not before", function()
    local event, before = tm.event(), tm.monotonic()
    assert.is_false(event:wait(MOMENT))
    assert.is_true(tm.monotonic() - before >= MOMENT - helper.ROUNDING)
  end)

  it("set wakes all who wait", function()
    local pool, event = helper.pool(), tm.event()
    local futures = waiters(pool, event, 20)
    for _, f in ipairs(futures) do assert.is_false(f:done()) end
    event:set()
    for _, f in ipairs(futures) do assert.is_true(f:result(LIMIT)) end
    assert.is_true(event:is_set())
  end)

  it("set and clear at once still wakes all who wait", function()
    local pool, event = helper.pool(), tm.event()
    local futures = waiters(pool, event, 20)
    event:set()
    event:clear()
    for _, f in ipairs(futures) do assert.is_true(f:result(LIMIT)) end
    assert.is_false(event:is_set())
  end)

  it("a wait that timed out leaves nothing behind", function()
    local pool, event = helper.pool(), tm.event()
    for _ = 1, 100 do assert.is_false(event:wait(0.0001)) end
    local futures = waiters(pool, event, 2)
    event:set()
    for _, f in ipairs(futures) do assert.is_true(f:result(LIMIT)) end
  end)

  it("a cancelled wait leaves nothing behind", function()
    local pool, event = helper.pool(), tm.event()
    local futures = waiters(pool, event, 2)
    assert.is_true(futures[1]:cancel())
    assert.equal("cancelled", helper.kind(futures[1].result, futures[1], LIMIT))
    event:set()
    assert.is_true(futures[2]:result(LIMIT))
  end)

  it("takes nil or a number >= 0 for a time limit", function()
    local event = tm.event()
    assert.has_error(function() event:wait(-1) end, "bad argument #1 to 'wait' (time limit is negative)")
    assert.has_error(function() event:wait(0 / 0) end, "bad argument #1 to 'wait' (time limit is NaN)")
    assert.has_error(function() event:wait("x") end, "bad argument #1 to 'wait' (number expected, got string)")
    assert.has_error(function() event:wait({}) end, "bad argument #1 to 'wait' (number expected, got table)")
    event:set()
    assert.is_true(event:wait(math.huge))
    assert.is_true(event:wait(1e300))
    assert.has_error(function() event:wait(-1) end) -- also where it would not have to wait
  end)

  it("waits for ever with math.huge", function()
    local event, pool = tm.event(), helper.pool()
    local f = pool:submit(function(for_ever) return event:wait(for_ever) end, math.huge)
    tm.sleep(MOMENT)
    assert.is_false(f:done())
    event:set()
    assert.is_true(f:result(LIMIT))
  end)

  it("is the same object wherever it arrives", function()
    local event = tm.event()
    local f = tm.submit(function(e, list) return e == list[1] and e == event, e end, event, { event })
    local same, back = f:result(LIMIT)
    assert.is_true(same)
    assert.is_true(rawequal(event, back))
  end)

  it("is hidden from the script", function()
    local event = tm.event()
    assert.is_true(type(getmetatable(event)) ~= "table")
    assert.has_error(function() event.x = 1 end)
    assert.has_error(function() event.set(1) end)
    assert.has_error(function() event.set(tm.counter()) end)
    assert.has_error(function() event.set() end)
  end)
end)
