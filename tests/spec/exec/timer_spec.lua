-- tm.after and tm.every. Python's Timer is a thread that starts late, so what it says of `start` has no counterpart: a
-- timer is started by being made. Its negative interval fires at once; here it is an error, as every negative time is.

local tm = require "tidemill"
local helper = require "helper"

describe("tm.after", function()
  it("calls once, with the arguments, in the state that asked", function()
    local seen = {} -- the callback is not copied: it sees this very table
    local t = tm.after(0.01, function(...) seen[#seen + 1] = table.pack(...) end, "a", nil, 3)
    assert.is_true(t:join(helper.LIMIT))
    assert.equal(1, #seen)
    assert.same({ n = 3, "a", nil, 3 }, seen[1])
    assert.is_false(t:is_active())
  end)

  it("is prevented by a stop before, which does no harm behind", function()
    local called = false
    local t = tm.after(0.02, function() called = true end)
    t:stop()
    tm.sleep(0.05)
    assert.is_false(called)
    t:stop()
    assert.is_true(t:join())
  end)

  it("does not run once it is stopped, also where it was due already", function()
    local second
    local called = false
    local first = tm.after(0.005, function() second:stop() end)
    second = tm.after(0.005, function() called = true end)
    local till = tm.monotonic() + 0.01
    while tm.monotonic() < till do end -- so that both are found due at once
    assert.is_true(first:join(helper.LIMIT))
    assert.is_true(second:join(helper.LIMIT))
    assert.equal(first:stats().runs == 1, not called)
    assert.equal(0, second:stats().runs)
  end)

  it("fires at once after no time", function()
    local n = 0
    tm.after(0, function() n = n + 1 end):join()
    assert.equal(1, n)
  end)

  it("can be stopped by another task", function()
    local t = tm.after(3600, function() error("no") end)
    tm.submit(function(timer) timer:stop() end, t):result()
    assert.is_true(t:join(helper.LIMIT))
  end)

  it("works in a task on a worker, which has ended by then", function()
    local event = tm.event()
    tm.submit(function(e) tm.after(0.02, function() e:set() end) end, event):result()
    assert.is_true(event:wait(helper.LIMIT))
  end)
end)

describe("tm.every", function()
  it("ticks on a grid, and counts", function()
    local began, ticks = tm.now(), {}
    local t = tm.every(0.01, function(tick) ticks[#ticks + 1] = tick end, { max_runs = 5, catch_up = "all" })
    assert.is_true(t:join(helper.LIMIT))
    assert.equal(5, #ticks)
    for i, tick in ipairs(ticks) do
      assert.equal(i, tick.number)
      assert.equal(t, tick.timer)
      assert.is_true(tick.late >= 0)
      -- the instants are those of the grid, however late the ticks came
      assert.near(ticks[1].instant + (i - 1) * 0.01, tick.instant, 0.002)
    end
    assert.is_true(ticks[1].instant >= began)
    assert.equal(5, t:stats().runs)
  end)

  it("begins at once if told so", function()
    local n = 0
    local t = tm.every(3600, function(tick) n = tick.number end, { immediate = true, max_runs = 1 })
    assert.is_true(t:join(helper.LIMIT))
    assert.equal(1, n)
  end)

  -- callbacks that fail are in tests/cli/timers.sh: here they would spoil the exit code
  it("can be stopped by its callback", function()
    local n = 0
    local t = tm.every(0.001, function(tick)
      n = n + 1
      if n == 3 then tick.timer:stop() end
    end)
    assert.is_true(t:join(helper.LIMIT))
    assert.equal(3, n)
    assert.equal(0, t:stats().failures)
  end)

  it("skips a tick while the last run goes on", function()
    local running, most = 0, 0
    local t = tm.every(0.002, function(tick)
      running = running + 1
      most = math.max(most, running)
      tm.sleep(0.01)
      running = running - 1
      if tick.missed > 0 then tick.timer:stop() end
    end)
    assert.is_true(t:join(helper.LIMIT))
    assert.equal(1, most)
    assert.is_true(t:stats().missed > 0)
  end)

  it("queues ticks if told so", function()
    local running, most, n = 0, 0, 0
    local t = tm.every(0.002, function()
      running, n = running + 1, n + 1
      most = math.max(most, running)
      tm.sleep(n == 1 and 0.02 or 0)
      running = running - 1
    end, { overlap = "queue", catch_up = "all", max_runs = 6 })
    assert.is_true(t:join(helper.LIMIT))
    assert.equal(6, n)
    assert.equal(1, most)
    assert.equal(0, t:stats().missed)
  end)

  it("runs beside itself if told so", function()
    local running, most, gate = 0, 0, tm.event()
    local t = tm.every(0.002, function()
      running = running + 1
      most = math.max(most, running)
      if running == 3 then gate:set() end
      gate:wait(helper.LIMIT)
    end, { overlap = "concurrent", max_runs = 3, catch_up = "all" })
    assert.is_true(t:join(helper.LIMIT))
    assert.equal(3, most)
  end)

  it("is stopped by the end of its block, which waits for a run that goes on", function()
    local began, ended = tm.event(), false
    do
      local _ <close> = tm.every(0.001, function()
        began:set()
        tm.sleep(0.02)
        ended = true
      end, { daemon = true })
      assert.is_true(began:wait(helper.LIMIT))
    end
    assert.is_true(ended)
  end)

  it("cannot be joined by its own callback", function()
    local message
    tm.every(0.001, function(tick)
      tick.timer:stop()
      message = helper.raised(tick.timer.join, tick.timer)
    end):join()
    assert.matches("wait for itself", message)
  end)

  it("join has a time limit", function()
    local t = tm.every(3600, function() end)
    assert.is_false(t:join(0.01))
    assert.is_false(t:join(0))
    t:stop()
    assert.is_true(t:join(0))
  end)

  it("refuses what is no interval", function()
    for _, bad in ipairs { 0, -1, 0 / 0, math.huge } do
      assert.matches("number of seconds > 0", helper.raised(tm.every, bad, print))
    end
    assert.matches("number expected", helper.raised(tm.every, "soon", print))
    assert.matches("function expected", helper.raised(tm.every, 1))
    assert.matches("unknown option", helper.raised(tm.every, 1, print, { often = true }))
    assert.matches("'overlap'", helper.raised(tm.every, 1, print, { overlap = "never" }))
    assert.matches("'jitter'", helper.raised(tm.every, 1, print, { jitter = 2 }))
    assert.matches("'jitter'", helper.raised(tm.every, 1, print, { jitter = 0 / 0 }))
    assert.matches("'max_runs'", helper.raised(tm.every, 1, print, { max_runs = 0 }))
    assert.matches(">= 0", helper.raised(tm.after, -1, print))
    assert.matches(">= 0", helper.raised(tm.after, math.huge, print))
  end)

  it("moves single ticks by jitter, not the grid", function()
    local late = 0
    local began = tm.monotonic()
    local t = tm.every(0.01, function(tick) late = math.max(late, tick.late) end, { jitter = 0.005, max_runs = 5 })
    assert.is_true(t:join(helper.LIMIT))
    assert.is_true(tm.monotonic() - began >= 0.05 - helper.ROUNDING and late >= 0)
  end)
end)

describe("tm.cron", function()
  it("runs once a minute for a week of virtual time, within seconds of the real one", function()
    if not tm.testing.is_virtual() then
      pending("needs --virtual-time")
      return
    end
    local n, last, even = 0, nil, true
    local t = tm.cron("* * * * *", function(tick)
      n = n + 1
      even = even and tick.missed == 0 and tick.late == 0 and (not last or tick.instant - last == 60)
      last = tick.instant
    end, { zone = "UTC" })
    tm.sleep(7 * 24 * 3600 + 0.5)
    t:stop():join()
    assert.equal(7 * 24 * 60, n)
    assert.is_true(even)
  end)

  it("runs when its expression is due", function()
    local ticks = {}
    local t = tm.cron("* * * * * *", function(tick) ticks[#ticks + 1] = tick end, { max_runs = 2, zone = "UTC" })
    assert.is_true(t:join(helper.LIMIT))
    assert.equal(2, #ticks)
    for _, tick in ipairs(ticks) do
      assert.equal(0, tick.instant % 1)
      assert.is_true(tick.late >= 0)
      assert.equal(t, tick.timer)
    end
    assert.is_true(ticks[2].instant > ticks[1].instant)
  end)

  it("refuses what is no expression, zone or option", function()
    local e = helper.raised(tm.cron, "* 25 * * *", print)
    assert.matches("hour: 25 is out of range", e)
    assert.matches("\n    %* 25 %* %* %*\n      %^", e)
    assert.matches("never", helper.raised(tm.cron, "0 0 30 2 *", print))
    assert.matches("No/Where", helper.raised(tm.cron, "* * * * *", print, { zone = "No/Where" }))
    assert.matches("function expected", helper.raised(tm.cron, "* * * * *"))
    assert.matches("unknown option", helper.raised(tm.cron, "* * * * *", print, { immediate = true }))
  end)
end)
