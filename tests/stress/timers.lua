--- Hundreds of timers on all workers, of every sort, that are stopped, joined, closed and cancelled from other workers at any
--- instant, while their callbacks wait, fail, wait where Lua cannot yield, and stop their own timer. What must hold: no run
--- is begun after stop has returned, or goes on when join has; no two runs at once, unless concurrent; each run that began
--- ended; runs that were counted are those that began; everything ends. TIDE_STRESS_SECONDS: how long, 5 by default.
local tm = require "tidemill"

local seconds = tonumber(os.getenv("TIDE_STRESS_SECONDS")) or 5
local seed = tonumber(os.getenv("TIDE_SEED")) or os.time()
print(("seed: TIDE_SEED=%d"):format(seed))
math.randomseed(seed)

local overlaps, catch_ups = { "skip", "queue", "concurrent" }, { "one", "all", "none" }
local totals = { timers = 0, runs = 0, cancelled = 0, wrong = tm.counter(), failed = tm.counter() }

--- Makes a timer in the state of the task that calls it. Its runs are counted in `c`.
local function make(options, c, seed_of_it, interval)
  local draw = seed_of_it
  local function random(n) -- each timer has its own: what several draw at once must not hang together
    draw = (draw * 1103515245 + 12345) % 2147483648
    return draw // 65536 % n + 1
  end
  local sort = random(6)
  local function run(tick)
    c.began:add(1)
    local End = { __close = function() c.inside:add(-1) c.ended:add(1) end }
    local _ <close> = setmetatable({}, End)
    if c.inside:add(1) > 1 and options.overlap ~= "concurrent" then c.wrong:add(1) end
    if c.joined:get() > 0 then c.wrong:add(1) end
    local what = random(8)
    if what == 1 then
      tm.sleep(random(4) / 1000)
    elseif what == 2 then
      -- a wait where Lua cannot yield: the worker serves its other tasks meanwhile
      -- (it refuses where they are nested too deep)
      pcall(table.sort, { 2, 1 }, function(a, b) tm.sleep(0.0003) return a < b end)
    elseif what == 3 then
      if not pcall(error, "as planned") then c.failed:add(1) end
    elseif what == 4 and random(20) == 1 then
      tick.timer:stop()
    elseif what == 5 then
      for _ = 1, random(20000) do end
    end
  end
  if sort == 1 then return tm.after(random(8) / 1000, function() run { timer = { stop = function() end } } end) end
  if sort == 2 then return tm.cron("* * * * * *", run, { overlap = options.overlap, daemon = true }) end
  return tm.every(interval, run, options)
end

local makers = tm.executor { max_workers = 64, name = "makers" }
local enders = tm.executor { max_workers = 64, name = "enders" }

--- Ends the timer in one of the ways there are, from wherever this task is. Returns how many runs were counted when stop
--- returned: none is added from then on (one that was queued is taken off).
local function finish(timer, c, how)
  local most
  if how == 1 then
    timer:stop()
    most = timer:stats().runs
  elseif how == 2 then
    timer:join(0.0005)
    timer:stop()
    most = timer:stats().runs
  elseif how == 3 then
    local _ <close> = timer
  elseif how == 4 then
    tm.sleep(0.001)
    timer:stop()
    timer:stop()
    most = timer:stats().runs
  else
    timer:join(0.0003) -- leaves it to the others
    return nil
  end
  assert(timer:join(60), "a timer that was stopped did not end")
  c.joined:add(1)
  if c.inside:get() ~= 0 then c.wrong:add(1) end
  return most
end

local function counters()
  local c = {}
  for _, name in ipairs { "began", "ended", "inside", "joined", "wrong" } do c[name] = tm.counter() end
  c.failed = totals.failed
  return c
end

local function round(count)
  local all = {}
  for i = 1, count do
    local c = counters()
    local options = { overlap = overlaps[math.random(3)], catch_up = catch_ups[math.random(3)], immediate = math.random(2) == 1,
      daemon = math.random(2) == 1, max_runs = math.random(4) == 1 and math.random(20) or nil }
    local interval = math.random(1, 40) / 10000
    if math.random(3) == 1 then options.jitter = interval / 2 end
    all[i] = { c = c, made = makers:submit(make, options, c, math.random(1 << 30), interval) }
  end
  local ends = {}
  for _, t in ipairs(all) do
    t.timer = t.made:result(60)
    for _ = 1, 3 do ends[#ends + 1] = { enders:submit(finish, t.timer, t.c, math.random(6)), t } end
  end
  for _, e in ipairs(ends) do
    if math.random(4) == 1 and e[1]:cancel() then totals.cancelled = totals.cancelled + 1 end
  end
  for _, e in ipairs(ends) do
    local ok, most = pcall(e[1].result, e[1], 90)
    assert(ok or type(most) == "table" and most.kind == "cancelled", tostring(most))
    if ok and most then e[2].most = math.min(most, e[2].most or most) end
  end
  for _, t in ipairs(all) do
    finish(t.timer, t.c, 1)
    local c, stats = t.c, t.timer:stats()
    local function check(good, what)
      if good then return end
      error(("%s: %s, began %d, ended %d, inside %d, runs %d, wrong %d"):format(what, t.timer, c.began:get(),
        c.ended:get(), c.inside:get(), stats.runs, c.wrong:get()))
    end
    check(c.wrong:get() == 0, "two runs at once, or one behind the join")
    check(stats.runs <= (t.most or math.huge), "a run began behind the stop")
    check(c.inside:get() == 0 and c.began:get() == c.ended:get(), "a run did not end")
    check(stats.runs == c.began:get(), "the counts differ")
    check(not t.timer:is_active() and stats.failures == 0, "it is not as it should be")
    totals.timers, totals.runs = totals.timers + 1, totals.runs + stats.runs
  end
end

local till = tm.monotonic() + seconds
while tm.monotonic() < till do round(200) end
makers:shutdown()
enders:shutdown()
print(("%d timers, %d runs, %d enders cancelled"):format(totals.timers, totals.runs, totals.cancelled))
assert(totals.runs > 0)
