local tm = require "tidemill"
local helper = require "helper"
local LIMIT, MOMENT = helper.LIMIT, helper.MOMENT
local error, ipairs = error, ipairs -- for tasks: not busted's environment

local function value(x) return x end
local function fail(x) error(x, 0) end

--- The set of a list.
local function set(list)
  local s = {}
  for _, x in ipairs(list) do s[x] = true end
  return s
end

describe("as_completed", function()
  after_each(helper.settle)

  it("gives each future once, cancelled and failed ones included", function()
    local pool, go = helper.pool({ max_workers = 1 }), tm.event()
    local busy = helper.busy(pool, go)
    local cancelled = pool:submit(value)
    cancelled:cancel()
    local failed = tm.submit(fail, "x")
    local list = { busy, cancelled, failed, tm.submit(value, 1), cancelled }
    local seen, n = {}, 0
    for f in tm.as_completed(list, LIMIT) do
      assert.is_nil(seen[f])
      assert.is_true(f:done())
      seen[f], n = true, n + 1
      if n == 3 then go:set() end
    end
    assert.equal(4, n)
    assert.same(set(list), seen)
    failed:error()
  end)

  it("gives those that have completed first", function()
    local pool, go = helper.pool(), tm.event()
    local slow, quick = helper.busy(pool, go), tm.submit(value, 1)
    quick:result(LIMIT)
    local next_done = tm.as_completed({ slow, quick }, LIMIT)
    assert.equal(quick, next_done())
    go:set()
    assert.equal(slow, next_done())
    assert.is_nil(next_done())
    assert.is_nil(next_done())
  end)

  it("gives them as they complete", function()
    local pool, gates, list = helper.pool(), {}, {}
    for i = 1, 4 do
      gates[i] = tm.event()
      list[i] = helper.busy(pool, gates[i])
    end
    local next_done = tm.as_completed(list, LIMIT)
    for _, i in ipairs { 3, 1, 4, 2 } do
      gates[i]:set()
      assert.equal(list[i], next_done())
    end
    assert.is_nil(next_done())
  end)

  it("counts its time from the call, and says how many are unfinished", function()
    local pool, go = helper.pool(), tm.event()
    local slow, quick = helper.busy(pool, go), tm.submit(value, 1)
    quick:result(LIMIT)
    local next_done = tm.as_completed({ slow, quick }, MOMENT)
    tm.sleep(MOMENT)
    assert.equal(quick, next_done())
    local e = helper.raised(next_done)
    assert.equal("timeout", e.kind)
    assert.matches("1 %(of 2%) futures unfinished", tostring(e))
    assert.is_false(slow:done()) -- and goes on
    go:set()
    assert.is_true(slow:result(LIMIT))
  end)

  it("of nothing is over at once", function()
    for _ in tm.as_completed({}) do error("a future of nothing") end
    for _ in tm.as_completed({}, 0) do error("a future of nothing") end
  end)

  it("takes futures of several executors and scopes", function()
    local a, b = helper.pool(), helper.pool()
    tm.scope(function(s)
      local n = 0
      for _ in tm.as_completed({ a:submit(value), b:submit(value), s:spawn(value) }, LIMIT) do n = n + 1 end
      assert.equal(3, n)
    end)
  end)

  it("may be left early", function()
    local list = {}
    for i = 1, 10 do list[i] = tm.submit(value, i) end
    assert.is_true(tm.as_completed(list, LIMIT)():done())
    assert.equal(55, (function()
      local sum = 0
      for _, f in ipairs(list) do sum = sum + f:result(LIMIT) end
      return sum
    end)())
  end)

  it("refuses what is no list of futures", function()
    assert.matches("table of futures expected, got nil", helper.raised(tm.as_completed, nil))
    assert.matches("item 1: future expected, got number", helper.raised(tm.as_completed, { 1 }))
    local f = tm.submit(value)
    for name, bad in pairs { nothing = { f, false }, number = { f, 2 } } do
      for _, fn in ipairs { "as_completed", "wait", "gather" } do
        local e = helper.raised(tm[fn], bad)
        assert.matches("bad argument #1 to '" .. fn .. "' %(item 2: future expected, got ", e)
        assert.matches("waiting_spec.lua:%d+:", helper.raised(function() tm[fn](bad) end))
        assert.matches(name == "number" and "number" or "boolean", e)
      end
    end
    for _, bad in ipairs { -1, 0 / 0, "x" } do
      assert.matches("number of seconds >= 0 expected", helper.raised(tm.as_completed, {}, bad))
    end
  end)
end)

describe("wait", function()
  after_each(helper.settle)

  it("leaves pending tasks in the order of the list", function()
    local pool, go, order = helper.pool { max_workers = 1 }, tm.event(), tm.counter()
    helper.busy(pool, go)
    local list = {}
    for i = 1, 5 do list[i] = pool:submit(function() return order:add() end) end
    tm.wait(list, { timeout = MOMENT })
    go:set()
    assert.same({ 1, 2, 3, 4, 5 }, tm.gather(list, LIMIT))
  end)

  it("gives what is done and what is not", function()
    local pool, go = helper.pool(), tm.event()
    local slow, quick = helper.busy(pool, go), tm.submit(value, 1)
    quick:result(LIMIT)
    local done, not_done = tm.wait({ slow, quick, quick }, { timeout = 0 })
    assert.same({ quick }, done)
    assert.same({ slow }, not_done)
    done, not_done = tm.wait({ slow, quick }, { timeout = MOMENT })
    assert.same({ 1, 1 }, { #done, #not_done })
    go:set()
    done, not_done = tm.wait({ slow, quick })
    assert.same(set { slow, quick }, set(done))
    assert.same({}, not_done)
  end)

  it("FIRST_COMPLETED returns at once if one is done", function()
    local pool, go = helper.pool(), tm.event()
    local slow, quick = helper.busy(pool, go), tm.submit(value, 1)
    local done, not_done = tm.wait({ slow, quick }, { return_when = "FIRST_COMPLETED", timeout = LIMIT })
    assert.same({ quick }, done)
    assert.same({ slow }, not_done)
    go:set()
  end)

  it("FIRST_EXCEPTION returns with the first failure", function()
    local pool, go = helper.pool(), tm.event()
    local slow, quick, failed = helper.busy(pool, go), tm.submit(value, 1), tm.submit(fail, "x")
    local done, not_done = tm.wait({ slow, quick, failed }, { return_when = "FIRST_EXCEPTION", timeout = LIMIT })
    assert.is_true(set(done)[failed])
    assert.is_true(set(not_done)[slow])
    go:set()
    failed:error()
  end)

  it("FIRST_EXCEPTION ignores cancelled ones, and waits for all where none fails", function()
    local pool, go = helper.pool({ max_workers = 1 }), tm.event()
    local slow = helper.busy(pool, go)
    local cancelled = pool:submit(value)
    cancelled:cancel()
    local list = { slow, cancelled }
    local done, not_done = tm.wait(list, { return_when = "FIRST_EXCEPTION", timeout = MOMENT })
    assert.same({ cancelled }, done)
    assert.same({ slow }, not_done)
    go:set()
    done, not_done = tm.wait(list, { return_when = "FIRST_EXCEPTION", timeout = LIMIT })
    assert.same({ 2, 0 }, { #done, #not_done })
  end)

  it("sees a pending future that is cancelled", function()
    local pool, go = helper.pool({ max_workers = 1 }), tm.event()
    helper.busy(pool, go)
    local f = pool:submit(value)
    local waiting = tm.submit(function() return #tm.wait({ f }, { timeout = LIMIT }) end)
    tm.sleep(MOMENT)
    f:cancel()
    assert.equal(1, waiting:result(LIMIT))
    go:set()
  end)

  it("of nothing gives nothing", function()
    assert.same({ {}, {} }, { tm.wait({}) })
  end)

  it("does not count as having asked", function()
    local f = tm.submit(fail, "x")
    tm.wait({ f })
    assert.equal("x", f:error())
  end)

  it("refuses wrong arguments", function()
    assert.matches("table of futures expected, got string", helper.raised(tm.wait, "x"))
    assert.matches("unknown option 'tiemout'", helper.raised(tm.wait, {}, { tiemout = 1 }))
    assert.matches("FIRST_COMPLETED", helper.raised(tm.wait, {}, { return_when = "SOMETIMES" }))
    assert.matches("seconds", helper.raised(tm.wait, {}, { timeout = -1 }))
    assert.has_error(function() tm.wait({}, 5) end)
  end)
end)

describe("gather", function()
  after_each(helper.settle)

  it("gives the results in the order of the futures", function()
    local list = {}
    for i = 1, 20 do list[i] = tm.submit(value, i * i) end
    local results = tm.gather(list)
    for i = 1, 20 do assert.equal(i * i, results[i]) end
  end)

  it("takes a future twice, and none", function()
    local f = tm.submit(value, 3)
    assert.same({ 3, 3 }, tm.gather({ f, f }))
    assert.same({}, tm.gather({}))
  end)

  it("raises the first failure as soon as it happens", function()
    local pool, go = helper.pool(), tm.event()
    local slow, failed = helper.busy(pool, go), tm.submit(fail, { code = 5 })
    assert.same({ code = 5 }, helper.raised(tm.gather, { slow, failed }))
    go:set()
  end)

  it("raises for a cancelled one", function()
    local pool, go = helper.pool(), tm.event()
    local f = helper.busy(pool, go)
    f:cancel()
    assert.equal("cancelled", helper.kind(tm.gather, { f }))
  end)

  it("raises when its time is over", function()
    local pool, go = helper.pool(), tm.event()
    local slow = helper.busy(pool, go)
    local e = helper.raised(tm.gather, { slow }, MOMENT)
    assert.equal("timeout", e.kind)
    go:set()
    assert.same({ true }, tm.gather({ slow }, LIMIT))
  end)

  it("works inside a pool of one, for tasks of that pool", function()
    local pool = helper.pool({ max_workers = 1 })
    assert.equal(10, pool:submit(function()
      local list = {}
      for i = 1, 4 do list[i] = pool:submit(value, i) end
      local sum = 0
      for _, x in ipairs(tm.gather(list, LIMIT)) do sum = sum + x end
      return sum
    end):result(LIMIT))
  end)
end)
