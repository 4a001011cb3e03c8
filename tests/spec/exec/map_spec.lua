-- Of CPython's map these have no counterpart: several iterables (items come from one; pass tables for more), and
-- "the executor was dropped" (a map holds its executor).

local tm = require "tidemill"
local helper = require "helper"
local LIMIT, MOMENT = helper.LIMIT, helper.MOMENT
local error, coroutine, print = error, coroutine, print -- for tasks: they would take busted's environment along

local function double(x) return 2 * x end

local function up_to(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

--- An iterator over 1..n (endless for nil), and a function that tells how many it gave.
local function numbers(n)
  local i = 0
  return function()
    if i == n then return nil end
    i = i + 1
    return i
  end, function() return i end
end

describe("map", function()
  after_each(helper.settle)

  it("gives index and value in the order of the items", function()
    local pool, n = helper.pool(), 0
    for i, x in pool:map(double, up_to(1000)) do
      n = n + 1
      assert.equal(n, i)
      assert.equal(2 * n, x)
    end
    assert.equal(1000, n)
  end)

  it("collects", function()
    local pool = helper.pool()
    assert.same({ 2, 4, 6 }, pool:map(double, { 1, 2, 3 }):collect())
    assert.same({}, pool:map(double, {}):collect())
    assert.same({ 2, 4, 6 }, pool:map(double, (numbers(3))):collect())
  end)

  it("takes items from an iterator, such as io.lines", function()
    local name = os.tmpname()
    local file = assert(io.open(name, "w"))
    file:write("a\nbb\nccc\n")
    file:close()
    assert.same({ 1, 2, 3 }, helper.pool():map(string.len, io.lines(name)):collect())
    os.remove(name)
  end)

  it("takes items from a coroutine that waits", function()
    local pool = helper.pool()
    assert.same({ 2, 4, 6 }, pool:map(double, coroutine.wrap(function()
      for i = 1, 3 do
        tm.sleep(0.001)
        coroutine.yield(i)
      end
    end)):collect())
  end)

  it("takes values of any kind, false included", function()
    local pool = helper.pool()
    assert.same({ true, false, true }, pool:map(function(x) return not x end, { false, true, false }):collect())
    assert.same({ { 1 }, { 2 } }, pool:map(function(x) return { x } end, { 1, 2 }):collect())
    local count = 0
    for i, x in pool:map(function() end, { 1, 2, 3 }) do
      count = count + 1
      assert.equal(count, i)
      assert.is_nil(x)
    end
    assert.equal(3, count)
  end)

  it("is lazy: it takes no more than its window ahead", function()
    local pool = helper.pool { max_workers = 4 }
    local source, taken = numbers()
    local items = pool:map(double, source)
    for i, x in items do
      assert.equal(2 * i, x)
      if i == 100 then break end
    end
    local ahead = taken() - 100
    assert.is_true(ahead >= 0 and ahead <= 1000000) -- chunks of cheap items are large, but have an end
  end)

  it("takes few ahead where items are slow", function() -- twice max_workers, or four for each worker thread
    local pool = helper.pool { max_workers = 3 }
    local source, taken = numbers()
    local step = pool:map(function(x)
      tm.sleep(0.005)
      return x
    end, source)
    for i = 1, 20 do assert.equal(i, (step())) end
    assert.is_true(taken() <= 20 + 4 * 64)
    step:close()
  end)

  it("buffersize bounds how far it goes ahead", function()
    local pool = helper.pool { max_workers = 2 }
    local source, taken = numbers()
    local step = pool:map(function(x) return x end, source, { buffersize = 5 })
    assert.equal(0, taken())
    for i = 1, 30 do
      assert.equal(i, (step()))
      assert.is_true(taken() <= i + 5)
    end
    step:close()
  end)

  it("runs at most max_workers items at once", function()
    local pool, now, over = helper.pool { max_workers = 2 }, tm.counter(), tm.counter()
    pool:map(function()
      if now:add() > 2 then over:add() end
      tm.sleep(0.001)
      now:add(-1)
    end, up_to(50)):collect()
    assert.equal(0, over:get())
  end)

  it("chunksize changes nothing but speed", function()
    local pool = helper.pool()
    for _, size in ipairs { 1, 3, 64, 1000 } do
      local results = pool:map(double, up_to(200), { chunksize = size }):collect()
      for i = 1, 200 do assert.equal(2 * i, results[i]) end
      assert.equal(200, #results)
    end
  end)

  it("ordered = false gives values as they come, with their index", function()
    local pool, gate = helper.pool { max_workers = 4 }, tm.event()
    local seen = {}
    for i, x in pool:map(function(x)
      if x == 1 then gate:wait(LIMIT) end
      return -x
    end, { 1, 2, 3 }, { ordered = false, chunksize = 1 }) do
      assert.equal(-i, x)
      seen[#seen + 1] = i
      if #seen == 2 then gate:set() end
    end
    assert.equal(1, seen[3])
    assert.equal(3, #seen)
    local results = pool:map(double, up_to(100), { ordered = false }):collect()
    for i = 1, 100 do assert.equal(2 * i, results[i]) end
  end)

  describe("of which an item fails", function()
    local function fail_at(n)
      return function(x)
        if x == n then error({ code = x }) end
        return x
      end
    end

    it("raises at its position, and is over then", function()
      local pool = helper.pool { max_workers = 2 }
      local step = pool:map(fail_at(4), up_to(10))
      for i = 1, 3 do assert.same({ i, i }, { step() }) end
      assert.same({ code = 4 }, helper.raised(step))
      assert.is_nil((step()))
    end)

    it("raises from a loop and from collect", function()
      local pool = helper.pool()
      local last = 0
      assert.same({ code = 7 }, helper.raised(function()
        for i in pool:map(fail_at(7), up_to(10)) do last = i end
      end))
      assert.equal(6, last)
      assert.same({ code = 1 }, helper.raised(function() pool:map(fail_at(1), { 1 }):collect() end))
    end)

    it("cancels what is pending", function()
      local pool, ran = helper.pool { max_workers = 1 }, tm.counter()
      helper.raised(function()
        pool:map(function(x)
          ran:add()
          if x == 2 then error("x") end
        end, up_to(1000), { chunksize = 1, buffersize = 500 }):collect()
      end)
      assert.is_true(pool:shutdown { timeout = LIMIT })
      assert.is_true(ran:get() < 1000)
    end)

    it("counts as asked", function()
      local pool = helper.pool()
      helper.raised(function() pool:map(function() error("x") end, up_to(20), { chunksize = 1 }):collect() end)
      -- that nothing is reported is seen by tests/cli/failures.sh
    end)
  end)

  it("left early cancels what is pending", function()
    local pool, ran = helper.pool { max_workers = 1 }, tm.counter()
    for i in pool:map(function()
      ran:add()
      tm.sleep(0.001)
    end, up_to(1000), { chunksize = 1, buffersize = 500 }) do
      if i == 3 then break end
    end
    assert.is_true(pool:shutdown { timeout = LIMIT })
    assert.is_true(ran:get() < 1000)
  end)

  it("that is interrupted while it collects cancels what is pending", function()
    local pool, ran = helper.pool { max_workers = 1 }, tm.counter()
    assert.equal("timeout", helper.kind(tm.timeout, MOMENT, function()
      pool:map(function()
        ran:add()
        tm.sleep(2 * MOMENT)
      end, up_to(100), { chunksize = 1, buffersize = 100 }):collect()
    end))
    assert.is_true(pool:shutdown { timeout = LIMIT })
    assert.is_true(ran:get() <= 3)
  end)

  it("raises the iterator's error where it comes", function()
    local pool = helper.pool()
    local n = 0
    local items = pool:map(double, function()
      n = n + 1
      if n == 3 then error("no more lines", 0) end
      return n
    end)
    assert.matches("no more lines", helper.raised(function() items:collect() end))
  end)

  describe("with a time limit", function()
    it("counts from the call", function()
      local pool, go = helper.pool(), tm.event()
      local step = pool:map(function(x)
        if x == 2 then go:wait(LIMIT) end
        return x
      end, { 1, 2, 3 }, { timeout = MOMENT, chunksize = 1 })
      assert.equal(1, (step()))
      assert.equal("timeout", helper.kind(step))
      go:set()
      assert.is_nil((step()))
    end)

    it("of 0 still gives what has finished", function()
      local pool = helper.pool()
      local source = numbers(2)
      local e = helper.raised(function()
        pool:map(function()
          tm.sleep(MOMENT)
          return 1
        end, source, { timeout = 0 }):collect()
      end)
      assert.equal("timeout", e.kind)
      assert.same({}, pool:map(double, {}, { timeout = 0 }):collect())
    end)
  end)

  it("raises when the executor is shut down meanwhile", function()
    local pool = helper.pool { max_workers = 1 }
    local step = pool:map(double, (numbers()), { chunksize = 1, buffersize = 1 })
    assert.equal(1, (step()))
    pool:shutdown()
    assert.matches("shut down", helper.raised(function() for _ = 1, 10 do step() end end))
  end)

  it("refuses wrong arguments", function()
    local pool = helper.pool()
    local function refused(text, ...)
      local e = helper.raised(pool.map, pool, ...)
      assert.is_true(tostring(e):find(text, 1, true) ~= nil, e)
    end
    refused("table or iterator function expected, got nil", double, nil)
    refused("table or iterator function expected, got no value", double)
    refused("table or iterator function expected, got number", double, 5)
    refused("table or iterator function expected, got string", double, "abc")
    refused("function expected, got table", {}, double)
    refused("table expected, got number", double, {}, 5)
    refused("unknown option 'chunk' (known: timeout buffersize chunksize ordered)", double, {}, { chunk = 1 })
    refused("option 'buffersize': an integer from 1 to", double, {}, { buffersize = 0 })
    refused("option 'chunksize': an integer from 1 to", double, {}, { chunksize = 1.5 })
    refused("option 'timeout': a number of seconds >= 0 expected, got -1", double, {}, { timeout = -1 })
    refused("option 'ordered': true or false expected", double, {}, { ordered = "no" })
  end)

  it("refuses items and results that cannot travel, and names them", function()
    local pool = helper.pool()
    local e = helper.raised(function() pool:map(double, { coroutine.create(print) }):collect() end)
    assert.matches("cannot send", tostring(e))
    e = helper.raised(function() pool:map(function() return coroutine.create(print) end, { 1 }):collect() end)
    assert.matches("coroutine", tostring(e))
  end)

  it("may be nested", function()
    local pool = helper.pool { max_workers = 1 }
    local sums = pool:map(function(n)
      local sum = 0
      for _, x in pool:map(double, { n, n, n }) do sum = sum + x end
      return sum
    end, { 1, 2, 3 }):collect()
    assert.same({ 6, 12, 18 }, sums)
  end)

  it("runs ten thousand items", function()
    local sum = 0
    for _, x in helper.pool():map(double, (numbers(10000))) do sum = sum + x end
    assert.equal(100010000, sum)
  end)
end)
