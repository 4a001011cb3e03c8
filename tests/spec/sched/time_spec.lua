local tm = require "tidemill"
local helper = require "helper"
local LIMIT, MOMENT = helper.LIMIT, helper.MOMENT

describe("sleep", function()
  after_each(helper.settle)

  it("takes as long as asked, and gives nothing", function()
    local before = tm.monotonic()
    assert.equal(0, select("#", tm.sleep(MOMENT)))
    local took = tm.monotonic() - before
    assert.is_true(took >= MOMENT and took < LIMIT)
  end)

  it("of 0 lets others run", function()
    local pool, n = helper.pool(), tm.counter()
    local f = pool:submit(function()
      for _ = 1, 100 do tm.sleep(0) end
      return n:add()
    end)
    assert.equal(1, f:result(LIMIT))
  end)

  it("parks the task, not its worker", function()
    local pool, list = helper.pool { max_workers = 1000 }, {}
    local before = tm.monotonic()
    for i = 1, 1000 do list[i] = pool:submit(tm.sleep, MOMENT) end
    for _, f in ipairs(list) do f:result(LIMIT) end
    assert.is_true(tm.monotonic() - before < 1000 * MOMENT / 4)
  end)

  it("wakes in the order of the times", function()
    local pool, order, list = helper.pool(), tm.counter(), {}
    local go = tm.event()
    for i = 1, 5 do
      list[i] = pool:submit(function()
        go:wait(LIMIT)
        tm.sleep(0.1 * (6 - i))
        return order:add()
      end)
    end
    go:set()
    assert.same({ 5, 4, 3, 2, 1 }, tm.gather(list, LIMIT))
  end)

  it("takes long times, and ends by a cancellation", function()
    local pool = helper.pool()
    for _, seconds in ipairs { 1e9, 1e18, 1e300, math.huge } do
      local f = pool:submit(tm.sleep, seconds)
      helper.eventually(function() return f:running() end)
      f:cancel()
      assert.equal("cancelled", helper.kind(f.result, f, LIMIT))
    end
  end)

  it("refuses what is no number >= 0", function()
    assert.matches("duration is negative", helper.raised(tm.sleep, -0.001))
    assert.matches("duration is negative", helper.raised(tm.sleep, -math.huge))
    assert.matches("duration is NaN", helper.raised(tm.sleep, 0 / 0))
    assert.matches("number expected, got no value", helper.raised(tm.sleep))
    assert.matches("number expected, got nil", helper.raised(tm.sleep, nil))
    assert.matches("number expected, got string", helper.raised(tm.sleep, "long"))
  end)
end)

describe("clocks", function()
  it("now is the time of day in seconds", function()
    local before, now, after = os.time(), tm.now(), os.time()
    assert.equal("float", math.type(now))
    assert.is_true(now >= before and now <= after + 1)
  end)

  it("monotonic never goes back", function()
    local last = tm.monotonic()
    assert.equal("float", math.type(last))
    for _ = 1, 10000 do
      local now = tm.monotonic()
      assert.is_true(now >= last)
      last = now
    end
  end)

  it("monotonic is the same in every task", function()
    local before = tm.monotonic()
    local there = tm.submit(tm.monotonic):result(LIMIT)
    assert.is_true(there >= before and there <= tm.monotonic())
  end)
end)
