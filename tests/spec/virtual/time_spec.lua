-- Runs with --virtual-time (docs/virtual-time.md).

local tm = require "tidemill"
local helper = require "helper"

local WEEK = 7 * 24 * 3600

--- What a call returns, and the seconds that it took on each clock.
local function timed(fn, ...)
  local before, cpu, wall = tm.monotonic(), os.clock(), tm.now()
  local result = fn(...)
  return result, tm.monotonic() - before, os.clock() - cpu, tm.now() - wall
end

describe("virtual time", function()
  after_each(helper.settle)

  it("jumps over a sleep on all clocks", function()
    local _, spent, cpu, wall = timed(tm.sleep, WEEK)
    for _, seconds in ipairs { spent, cpu, wall } do assert.near(WEEK, seconds, 1e-6) end -- as exact as a float is
  end)

  it("is what os.time and os.date tell, where they are not given a time", function()
    local before = os.time()
    assert.equal(before, math.floor(tm.now()))
    tm.sleep(3600)
    assert.equal(3600, os.time() - before)
    assert.equal(os.date("!%F %T", os.time()), os.date "!%F %T")
    assert.equal(os.date("%c", os.time()), os.date())
    assert.equal("1970-01-01", os.date("!%F", 0))
    assert.equal(946728000, os.time(os.date("*t", 946728000)))
  end)

  it("is the same for all tasks", function()
    local function now() return tm.monotonic() end
    local here = tm.monotonic()
    local futures = {}
    for i = 1, 20 do futures[i] = tm.submit(now) end
    for _, there in ipairs(tm.gather(futures)) do assert.equal(here, there) end
  end)

  it("wakes tasks in the order of their times", function()
    local order = {}
    local function nap(seconds)
      tm.sleep(seconds)
      return seconds
    end
    local futures = {}
    for i, seconds in ipairs { 300, 100, 500, 200, 400 } do futures[i] = tm.submit(nap, seconds) end
    for future in tm.as_completed(futures) do order[#order + 1] = future:result() end
    assert.same({ 100, 200, 300, 400, 500 }, order)
  end)

  it("ends waits and functions at their limits", function()
    local _, spent = timed(function() return tm.event():wait(1000) end)
    assert.equal(1000, spent)
    local kind
    kind, spent = timed(helper.kind, tm.timeout, 1000, tm.sleep, WEEK)
    assert.equal("timeout", kind)
    assert.equal(1000, spent)
  end)

  it("goes on for who polls it, and for who computes for long", function()
    local stop = tm.monotonic() + 0.02
    while tm.monotonic() < stop do end
    local kind, spent = timed(helper.kind, tm.timeout, 0.02, function() while true do end end)
    assert.equal("timeout", kind)
    assert.is_true(spent >= 0.0199 and spent < 0.05)
    local function look() assert(tm.fs.read "README.md") end
    for _, between in ipairs { function() tm.sleep(0) end, function() tm.sleep(1e-9) end, look } do
      stop = tm.monotonic() + 0.02
      while tm.monotonic() < stop do between() end
    end
  end)

  it("stands while files are read", function()
    local other = tm.submit(function()
      tm.sleep(1e-2)
      return tm.monotonic()
    end)
    tm.sleep(1e-3) -- what was computed before counts no more
    local before = tm.monotonic()
    for _ = 1, 20 do assert(tm.fs.read "README.md") end
    assert.equal(before, tm.monotonic())
    assert.is_true(other:result() > before)
  end)

  it("passes where Lua cannot yield", function()
    local list, before = { 3, 1, 2 }, tm.monotonic()
    table.sort(list, function(a, b)
      tm.sleep(60)
      return a < b
    end)
    assert.same({ 1, 2, 3 }, list)
    assert.is_true(tm.monotonic() - before >= 120)
  end)

  it("lets others run beside one that computes where Lua cannot yield", function()
    local pool = helper.pool()
    local go = tm.counter()
    local sorter = pool:submit(function()
      local list = { 3, 1, 2 }
      table.sort(list, function(a, b)
        while go:get() == 0 do end
        return a < b
      end)
      return table.concat(list)
    end)
    tm.sleep(0)
    go:add(1)
    assert.equal("123", sorter:result())
  end)

  it("seeds math.random, and math.randomseed without arguments", function()
    assert.is_true(math.random() < 1)
    math.randomseed(7)
    local a = math.random(1 << 30)
    math.randomseed(7)
    assert.equal(a, math.random(1 << 30))
    math.randomseed()
    assert.not_equal(a, math.random(1 << 30))
  end)

  it("leaves hooks of the script alone", function()
    local count = 0
    debug.sethook(function() count = count + 1 end, "", 1000)
    for _ = 1, 100000 do end
    debug.sethook()
    assert.is_true(count >= 90 and count <= 210)
  end)
end)

describe("tm.testing", function()
  after_each(helper.settle)

  --- A task that sleeps, and has begun to.
  local function napping(pool, seconds)
    local future = pool:submit(function() tm.sleep(seconds) return tm.monotonic() end)
    tm.testing.advance(0)
    return future
  end

  it("says that time is virtual", function()
    assert.is_true(tm.testing.is_virtual())
  end)

  it("advance runs what is due until then, and not what is due later", function()
    local _ <close> = tm.testing.manual()
    local pool, start = helper.pool(), tm.monotonic()
    local a, b, c = napping(pool, 10), napping(pool, 5), napping(pool, 10.5)
    tm.testing.advance(5)
    assert.same({ false, true, false }, { a:done(), b:done(), c:done() })
    tm.testing.advance(5)
    assert.same({ true, true, false }, { a:done(), b:done(), c:done() })
    assert.equal(start + 10, tm.monotonic())
    tm.testing.advance(90)
    assert.same({ 10, 5, 10.5 }, { a:result() - start, b:result() - start, c:result() - start })
    assert.equal(start + 100, tm.monotonic())
  end)

  it("advance returns when all are at rest, what follows from what was due included", function()
    local _ <close> = tm.testing.manual()
    local pool, done = helper.pool(), tm.counter()
    pool:submit(function()
      tm.sleep(1)
      for _ = 1, 5 do
        tm.sleep(0)
        pool:submit(function()
          for _ = 1, 10000 do end
          done:add(1)
        end):result()
      end
    end)
    tm.testing.advance(1)
    assert.equal(5, done:get())
  end)

  it("manual keeps the clock until it is closed", function()
    local pool = helper.pool()
    do
      local _ <close> = tm.testing.manual()
      local again = tm.testing.manual()
      again:close()
      again:close() -- does nothing
      local nap = napping(pool, 1)
      tm.testing.advance(0.5)
      assert.is_false(nap:done())
    end
    local before = tm.monotonic()
    tm.sleep(60)
    assert.equal(before + 60, tm.monotonic())
  end)

  it("advance of several tasks ends for each at its own time", function()
    local pool, start = helper.pool(), tm.monotonic()
    local _ <close> = tm.testing.manual()
    local futures = {}
    for i = 1, 5 do
      futures[i] = pool:submit(function()
        tm.testing.advance(i)
        return tm.monotonic()
      end)
    end
    for i, future in ipairs(futures) do assert.equal(start + i, future:result()) end
  end)

  it("advance can be cancelled and limited", function()
    local _ <close> = tm.testing.manual()
    assert.equal("timeout", helper.kind(tm.timeout, 1, tm.testing.advance, 5))
    local pool = helper.pool()
    local future = pool:submit(tm.testing.advance, 1000)
    tm.testing.advance(0)
    assert.is_true(future:cancel())
    tm.testing.advance(0)
    assert.is_true(future:cancelled())
  end)

  it("advance takes a number of seconds", function()
    for _, bad in ipairs { -1, 0 / 0, math.huge, "soon", {}, false } do
      assert.matches("bad argument #1 to 'advance'", helper.raised(tm.testing.advance, bad))
    end
    assert.matches("bad argument #1 to 'advance'", helper.raised(tm.testing.advance))
  end)
end)
