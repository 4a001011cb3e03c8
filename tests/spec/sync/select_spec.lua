local tm = require "tidemill"
local helper = require "helper"
local LIMIT, MOMENT = helper.LIMIT, helper.MOMENT

describe("select", function()
  after_each(helper.settle)

  it("gives the index and the item of a queue, once", function()
    local a, b = tm.queue(), tm.queue()
    b:put("x")
    assert.same({ 2, "x" }, { tm.select { a, b } })
    assert.same({ nil, "timeout" }, { tm.select { a, b, timeout = 0 } })
  end)

  it("gives the future, and true for an event", function()
    local future, event = tm.submit(function() return 5 end), tm.event()
    local i, value = tm.select { event, future, timeout = LIMIT }
    assert.equal(2, i)
    assert.is_true(rawequal(future, value))
    assert.equal(5, value:result())
    event:set()
    assert.same({ 1, true }, { tm.select { event, future } })
  end)

  it("the first in the list wins where several are ready", function()
    local a, b, event = tm.queue(), tm.queue(), tm.event()
    a:put(1)
    b:put(2)
    event:set()
    assert.same({ 1, 2 }, { tm.select { b, a, event } })
    assert.same({ 1, true }, { tm.select { event, a } })
    assert.equal(1, #a)
  end)

  it("waits for the first that becomes ready", function()
    local pool, a, b, event = helper.pool(), tm.queue(), tm.queue(), tm.event()
    local function selected()
      local future = pool:submit(function() return tm.select { a, b, event, timeout = LIMIT } end)
      tm.sleep(MOMENT)
      return future
    end
    local future = selected()
    b:put { "t" }
    local i, item = future:result(LIMIT)
    assert.equal(2, i)
    assert.same({ "t" }, item)
    future = selected()
    a:put(false)
    assert.same({ 1, false }, { future:result(LIMIT) })
    future = selected()
    event:set()
    assert.same({ 3, true }, { future:result(LIMIT) })
    assert.equal(0, #a + #b)
  end)

  it("waits for a future, and lends its slot to it", function()
    local pool = helper.pool { max_workers = 1 }
    local outer = pool:submit(function()
      local inner = pool:submit(function() return 7 end)
      local i, f = tm.select { tm.queue(), inner }
      return i, f:result()
    end)
    assert.same({ 2, 7 }, { outer:result(LIMIT) })
  end)

  it("leaves the other lists", function()
    local a, b, event = tm.queue(1), tm.queue(1), tm.event()
    for _ = 1, 50 do assert.same({ nil, "timeout" }, { tm.select { a, b, event, timeout = 0.0001 } }) end
    a:put(1)
    b:put(2)
    event:set()
    assert.same({ 1, 2 }, { a:get(), b:get() })
  end)

  it("answers shutdown for a queue that is shut down, before and while it waits", function()
    local pool, a, b = helper.pool(), tm.queue(), tm.queue()
    local future = pool:submit(function() return tm.select { a, b } end)
    tm.sleep(MOMENT)
    b:shutdown()
    assert.same({ 2, nil, "shutdown" }, { future:result(LIMIT) })
    assert.same({ 2, nil, "shutdown" }, { tm.select { a, b } })
    b = tm.queue()
    b:put(1)
    b:shutdown()
    assert.same({ 1, 1 }, { tm.select { b } })
    assert.same({ 1, nil, "shutdown" }, { tm.select { b } })
  end)

  it("gives the priority of an item, too", function()
    local pool, q = helper.pool(), tm.priority_queue()
    q:put("x", 3)
    assert.same({ 1, "x", 3 }, { tm.select { q } })
    local future = pool:submit(function() return tm.select { q } end)
    tm.sleep(MOMENT)
    q:put("y", 1.5)
    assert.same({ 1, "y", 1.5 }, { future:result(LIMIT) })
  end)

  it("takes the same object twice", function()
    local pool, q = helper.pool(), tm.queue()
    local future = pool:submit(function() return tm.select { q, q } end)
    tm.sleep(MOMENT)
    q:put(1)
    assert.same({ 1, 1 }, { future:result(LIMIT) })
    assert.equal(0, #q)
  end)

  it("gives up when its time is over, not before", function()
    local before = tm.monotonic()
    assert.same({ nil, "timeout" }, { tm.select { tm.queue(), timeout = MOMENT } })
    assert.is_true(tm.monotonic() - before >= MOMENT - helper.ROUNDING)
  end)

  it("a cancelled one takes nothing", function()
    local pool, q = helper.pool(), tm.queue()
    local future = pool:submit(function() return tm.select { q, tm.event() } end)
    tm.sleep(MOMENT)
    assert.is_true(future:cancel())
    assert.equal("cancelled", helper.kind(future.result, future, LIMIT))
    q:put(1)
    assert.equal(1, q:get(0))
  end)

  it("what was handed over is returned, though a cancellation comes at once", function()
    local pool, taken, put = helper.pool(), tm.counter(), 0
    for _ = 1, 300 do
      local q = tm.queue()
      local future = pool:submit(function()
        local i = tm.select { q, tm.event() }
        taken:add(i)
      end)
      if math.random(2) == 1 then tm.sleep(0.0002) end
      q:put(1)
      put = put + 1
      future:cancel()
      pcall(future.result, future, LIMIT)
      taken:add(#q) -- taken and counted, or still there
    end
    -- the cancellation may strike between the return and the count, but not often; nothing comes twice
    assert.is_true(taken:get() <= put)
  end)

  it("waits where Lua cannot yield", function()
    local pool, q = helper.pool(), tm.queue()
    pool:submit(function()
      tm.sleep(MOMENT)
      q:put(3)
    end)
    local got = ("x"):gsub("x", function() return (select(2, tm.select { tm.event(), q })) end)
    assert.equal("3", got)
  end)

  it("travels, as every function of the module", function()
    local q, pick = tm.queue(), tm.select
    q:put(4)
    assert.same({ 1, 4 }, { tm.submit(function() return pick { q } end):result(LIMIT) })
  end)

  it("names what is wrong", function()
    local q = tm.queue()
    local function text(t) return tostring(helper.raised(tm.select, t)) end
    assert.truthy(text(nil):find("table expected", 1, true))
    assert.truthy(text {}:find("nothing to wait for", 1, true))
    assert.truthy(text { timeout = 1 }:find("nothing to wait for", 1, true))
    assert.truthy(text { q, 3 }:find("item 2: queue, future or event expected, got number", 1, true))
    assert.truthy(text { q, tm.counter() }:find("expected, got tidemill.counter", 1, true))
    assert.truthy(text { q, timeot = 1 }:find("unknown key 'timeot'", 1, true))
    assert.truthy(text { q, [1.5] = q }:find("unknown key '1.5'", 1, true))
    for _, wrong in ipairs { -1, 0 / 0, "x" } do assert.truthy(text { q, timeout = wrong }:find("timeout", 1, true)) end
    q:put(1)
    assert.has_error(function() tm.select { q, 3 } end) -- also where the first is ready
    assert.equal(1, #q)
  end)
end)
