--- Wake, time-out and cancel made to come together for locks and conditions: tasks take a few locks with limits of their
--- own and under tm.timeout, wait on conditions, and are cancelled meanwhile. Never are two inside; what was taken is
--- released; no notification gets lost; nobody sleeps on. TIDE_STRESS_SECONDS: how long, 6 by default.
local tm = require "tidemill"

local seconds = tonumber(os.getenv("TIDE_STRESS_SECONDS")) or 6
local seed = tonumber(os.getenv("TIDE_SEED")) or os.time()
print(("seed: TIDE_SEED=%d"):format(seed))
math.randomseed(seed)

local t = {
  taken = tm.counter(), released = tm.counter(), late = tm.counter(), wrong = tm.counter(), together = tm.counter(),
  made = tm.counter(), used = tm.counter(), lost = tm.counter(),
}

--- One of the things that are guarded: `inside` counts who is in there, which must be one.
local function guarded(lock)
  return { lock = lock, inside = tm.counter() }
end

local function worker(place, until_when)
  local lock, inside = place.lock, place.inside
  local Inside = { __close = function()
    inside:add(-1)
    t.released:add()
  end }
  local function enter()
    t.taken:add()
    if inside:add(1) ~= 1 then t.together:add() end
    return setmetatable({}, Inside)
  end
  local function stay()
    local _ <close> = enter()
    if math.random(8) == 1 then tm.sleep(math.random() * 0.0003) end
  end
  while tm.monotonic() < until_when do
    local limit, sort = math.random() * 0.0008, math.random(5)
    if sort == 1 then
      local g <close> = lock:guard()
      stay()
    elseif sort == 2 then
      local g <close> = lock:guard(limit)
      if g then stay() else t.late:add() end
    elseif sort == 3 then
      local ok, e = pcall(tm.timeout, limit, lock.with, lock, stay)
      if not ok then
        if type(e) == "table" and e.kind == "timeout" then t.late:add() else t.wrong:add() print(e) end
      end
    elseif sort == 4 then
      lock:with(stay)
    else
      local g <close> = lock:guard(0)
      if g then stay() end
    end
  end
end

--- A stock of at most `room` tokens under one condition; makers and users wait for each other.
local function trader(condition, stock, makes, until_when)
  while tm.monotonic() < until_when do
    local g <close> = condition:guard()
    local function ready()
      if makes then return stock:get() < 3 end
      return stock:get() > 0
    end
    local limit = math.random(3) == 1 and math.random() * 0.001 or nil
    local ok
    if math.random(2) == 1 then
      ok = condition:wait_for(ready, limit)
    else
      -- by hand: whoever was notified and leaves by a cancellation has to have passed it on
      while not ready() and (condition:wait(limit or 0.05) or not limit) do end
      ok = ready()
    end
    if ok then
      stock:add(makes and 1 or -1)
      t[makes and "made" or "used"]:add()
      if stock:get() < 0 or stock:get() > 3 then t.together:add() end
      condition:notify_all()
    end
  end
  condition:with(condition.notify_all, condition)
end

local until_when = tm.monotonic() + seconds
local places = { guarded(tm.lock { name = "a" }), guarded(tm.rlock { name = "b" }) }
local condition, stock = tm.condition(tm.lock { name = "stock" }), tm.counter()
local pool <close> = tm.executor { max_workers = 64, name = "locks" }

local jobs, cancelled = {}, 0
local function start(i)
  if i % 3 == 0 then
    jobs[i] = pool:submit(trader, condition, stock, i % 2 == 0, until_when)
  else
    jobs[i] = pool:submit(worker, places[i % 2 + 1], until_when)
  end
end

for i = 1, 24 do start(i) end
while tm.monotonic() < until_when do
  local i = math.random(#jobs)
  if jobs[i]:cancel() then
    cancelled = cancelled + 1
    jobs[i]:ignore()
  end
  local ok, e = pcall(jobs[i].result, jobs[i], 60)
  assert(ok or e.kind == "cancelled", tostring(e))
  start(i)
  tm.sleep(math.random() * 0.002)
end

--- At the end some wait for a stock that nobody changes any more: tokens come and go until all have left.
local give_up = tm.monotonic() + 60
for _, f in ipairs(jobs) do
  while not f:done() do
    condition:with(function()
      stock:set(stock:get() > 0 and 0 or 1)
      condition:notify_all()
    end)
    tm.sleep(0.001)
    assert(tm.monotonic() < give_up, "a task sleeps on")
  end
  local ok, e = pcall(f.result, f)
  assert(ok or e.kind == "cancelled", tostring(e))
end
print(("%d times taken, %d too late; %d made, %d used; %d cancellations"):format(t.taken:get(), t.late:get(), t.made:get(),
  t.used:get(), cancelled))
assert(t.wrong:get() == 0, "an error of another kind")
assert(t.together:get() == 0, "two were inside")
assert(t.taken:get() == t.released:get(), "what was taken was not released")
for _, place in ipairs(places) do
  assert(place.inside:get() == 0 and place.lock:acquire(10), "a lock is still held")
  place.lock:release()
end
assert(condition:acquire(10))
condition:release()
