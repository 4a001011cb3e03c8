local tm = require "tidemill"
local helper = require "helper"
local LIMIT = helper.LIMIT

describe("counter", function()
  after_each(helper.settle)

  it("begins at 0 or what is asked", function()
    assert.equal(0, tm.counter():get())
    assert.equal(-7, tm.counter(-7):get())
    assert.equal("integer", math.type(tm.counter(3.0):get()))
    assert.equal("counter (5)", tostring(tm.counter(5)))
  end)

  it("add gives the new value", function()
    local c = tm.counter(10)
    assert.equal(11, c:add())
    assert.equal(16, c:add(5))
    assert.equal(14, c:add(-2))
    assert.equal(14, c:get())
  end)

  it("wraps around as Lua's integers do", function()
    local c = tm.counter(math.maxinteger)
    assert.equal(math.mininteger, c:add(1))
  end)

  it("set gives the old value", function()
    local c = tm.counter(1)
    assert.equal(1, c:set(9))
    assert.equal(9, c:get())
  end)

  it("compare_exchange changes what it expects", function()
    local c = tm.counter(1)
    assert.same({ true, 1 }, { c:compare_exchange(1, 2) })
    assert.same({ false, 2 }, { c:compare_exchange(1, 3) })
    assert.equal(2, c:get())
  end)

  it("loses nothing between tasks", function()
    local pool, c = helper.pool(), tm.counter()
    local futures = {}
    for i = 1, 8 do
      futures[i] = pool:submit(function()
        for _ = 1, 10000 do c:add() end
      end)
    end
    for _, f in ipairs(futures) do f:result(LIMIT) end
    assert.equal(80000, c:get())
  end)

  it("refuses what is no integer", function()
    assert.has_error(function() tm.counter("x") end, "bad argument #1 to 'counter' (number expected, got string)")
    assert.has_error(function() tm.counter(1.5) end,
      "bad argument #1 to 'counter' (number has no integer representation)")
    local c = tm.counter()
    assert.has_error(function() c:add(0.5) end, "bad argument #1 to 'add' (number has no integer representation)")
    assert.has_error(function() c:set() end, "bad argument #1 to 'set' (number expected, got no value)")
    assert.has_error(function() c:compare_exchange(1) end,
      "bad argument #2 to 'compare_exchange' (number expected, got no value)")
    assert.has_error(function() c.add({}) end)
    assert.equal(0, c:get())
  end)
end)
