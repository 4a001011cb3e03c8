--- Wake, time-out and cancel made to come together for semaphores, barriers and once: tasks take permits in every way, meet,
--- and run what is to be run once, while others cancel them at any instant. In the end each permit is back, no barrier let
--- anybody go on alone, and each once was completed by one. TIDE_STRESS_SECONDS: how long, 9 by default, a third for each.
local tm = require "tidemill"

local seconds = (tonumber(os.getenv("TIDE_STRESS_SECONDS")) or 9) / 3
local seed = tonumber(os.getenv("TIDE_SEED")) or os.time()
print(("seed: TIDE_SEED=%d"):format(seed))
math.randomseed(seed)

--- Runs `work(...)` in `count` tasks until the time is over. They are cancelled at random and replaced by new ones; any
--- error but a cancellation fails the test.
local function stress(count, work, ...)
  local until_when, cancelled, tasks = tm.monotonic() + seconds, 0, {}
  local pool <close> = tm.executor { max_workers = count + 16, name = "stress" }
  local arguments = table.pack(...)
  local function start(i)
    tasks[i] = pool:submit(function(stop, ...)
      while tm.monotonic() < stop do work(...) end
    end, until_when, table.unpack(arguments, 1, arguments.n))
  end
  local function finish(i)
    local ok, e = pcall(tasks[i].result, tasks[i], 60)
    assert(ok or type(e) == "table" and e.kind == "cancelled", tostring(e))
  end
  for i = 1, count do start(i) end
  while tm.monotonic() < until_when do
    local i = math.random(count)
    if tasks[i]:cancel() then cancelled = cancelled + 1 end
    finish(i)
    start(i)
    tm.sleep(math.random() * 0.001)
  end
  for i = 1, count do finish(i) end
  return cancelled
end

local function kind_of(e) return type(e) == "table" and e.kind or tostring(e) end

--- ---- semaphores ----

--- Takes a permit in one of the ways there are, and gives it back. `t.inside` must never be more than the permits.
local function take(s, t)
  local limit, sort = math.random() * 0.0005, math.random(6)
  local function inside()
    t.taken:add()
    local Inside = { __close = function() t.inside:add(-1) end }
    local _ <close> = setmetatable({}, Inside)
    if t.inside:add() > t.permits then t.wrong:add() end
    if math.random(2) == 1 then tm.sleep(math.random() * 0.0002) end
  end
  if sort == 1 then
    local permit <close> = s:guard(limit)
    if permit then inside() end
  elseif sort == 2 then
    local permit <close> = s:guard()
    inside()
    if math.random(2) == 1 then permit:release() end
  elseif sort == 3 then
    s:with(inside)
  elseif sort == 4 then
    local ok, e = pcall(tm.timeout, limit, s.with, s, inside)
    if not ok and kind_of(e) ~= "timeout" then t.wrong:add() end
  elseif sort == 5 then
    -- taken and given back by hand: a shield, as a cancellation may come in between
    tm.shield(function()
      if s:acquire(limit) then
        inside()
        s:release()
      end
    end)
  else
    local co = coroutine.wrap(function() s:with(function() coroutine.yield() end) end)
    co()
    co()
  end
end

do
  local t = { inside = tm.counter(), taken = tm.counter(), wrong = tm.counter(), permits = 3 }
  local s = tm.bounded_semaphore(t.permits)
  local cancelled = stress(24, take, s, t)
  -- a guard whose task was cancelled before it had its variable, or a coroutine that nobody ended, gives back when collected
  local stop = tm.monotonic() + 60
  while s:value() < t.permits and tm.monotonic() < stop do
    local pool <close> = tm.executor { max_workers = 16 }
    for _ = 1, 16 do pool:submit(function() collectgarbage() tm.sleep(0.01) end) end
    collectgarbage()
  end
  print(("semaphore: %d permits taken, %d cancellations, %s"):format(t.taken:get(), cancelled, s))
  assert(t.wrong:get() == 0, "more inside than permits, or an error of another kind")
  assert(t.inside:get() == 0 and s:value() == t.permits, "a permit was lost")
end

--- ---- barriers ----

local function meet(b, t)
  tm.sleep(math.random() * 0.002) -- ThreadSanitizer's own stack ends after 65,000 waits of one thread
  local ok, place = pcall(b.wait, b, math.random(8) == 1 and math.random() * 0.001 or 0.05)
  if ok and place then
    t.places[place]:add()
  elseif not ok and kind_of(place) ~= "broken_barrier" then
    t.wrong:add()
  elseif b:broken() then
    b:reset()
  end
end

for _, action in ipairs { false, true } do
  local t = { places = {}, wrong = tm.counter(), acted = tm.counter() }
  for i = 1, 3 do t.places[i] = tm.counter() end
  local b = tm.barrier(3, action and {
    action = function()
      tm.sleep(math.random() * 0.0002)
      t.acted:add()
    end,
  } or nil)
  local cancelled = stress(9, meet, b, t)
  print(("barrier: passed %d, %d and %d times, %d actions, %d cancellations"):format(t.places[1]:get(), t.places[2]:get(),
    t.places[3]:get(), t.acted:get(), cancelled))
  assert(t.wrong:get() == 0, "an error of another kind")
  for i = 1, 3 do
    -- whoever passed may be cancelled before it counts itself
    assert(math.abs(t.places[i]:get() - t.places[1]:get()) <= cancelled, "not all passed")
  end
  if action then assert(t.acted:get() >= t.places[1]:get(), "passed without the action") end
  seconds = seconds / (action and 1 or 2)
end

--- ---- once ----

local function run(list, t)
  local i = t.current:get()
  local o = list[i]
  if not o then return end
  local function make()
    if t.inside[i % 8 + 1]:add() > 1 then t.wrong:add() end
    local _ <close> = setmetatable({}, { __close = function() t.inside[i % 8 + 1]:add(-1) end })
    if math.random(2) == 1 then tm.sleep(math.random() * 0.0003) end
    if math.random(3) == 1 then error("again", 0) end
    return i, { i }
  end
  local ok, a, b
  if math.random(2) == 1 then
    ok, a, b = pcall(o.run, o, make)
  else
    ok, a, b = pcall(tm.timeout, math.random() * 0.0005, o.run, o, make)
  end
  if ok then
    if a ~= i or b[1] ~= i or not o:done() then t.wrong:add() end
    t.current:compare_exchange(i, i + 1)
  elseif a ~= "again" and kind_of(a) ~= "timeout" then
    t.wrong:add()
  end
end

do
  local t, list = { current = tm.counter(1), wrong = tm.counter(), inside = {} }, {}
  for i = 1, 8 do t.inside[i] = tm.counter() end
  for i = 1, 2000 do list[i] = tm.once() end
  local cancelled = stress(16, run, list, t)
  print(("once: %d were done, %d cancellations"):format(t.current:get() - 1, cancelled))
  assert(t.wrong:get() == 0, "two ran at once, or wrong values, or an error of another kind")
  for i = 1, t.current:get() - 1 do assert(list[i]:done(), "not done") end
end
