--- Wake, time-out and cancel made to come together through scripts: tasks wait for events and futures with limits of their own
--- and under tm.timeout, while others set the events and cancel the tasks. Each wait ends in exactly one way, which the task
--- counts; nobody sleeps on, and no task is left. TIDE_STRESS_SECONDS: how long, 10 by default.
local tm = require "tidemill"

local seconds = tonumber(os.getenv("TIDE_STRESS_SECONDS")) or 10
local seed = tonumber(os.getenv("TIDE_SEED")) or os.time()
print(("seed: TIDE_SEED=%d"):format(seed))
math.randomseed(seed)

--- One task: waits until the time is over. It is cancelled from outside at any instant, so it counts before and after
--- each wait, and a closer counts the wait that a cancellation ended.
local function waiter(t, event, until_when)
  local Wait = { __close = function() t.ended:add() end }
  local function begin() t.begun:add() return setmetatable({}, Wait) end
  local function limited(limit)
    local wait <close> = begin()
    local sort = math.random(5)
    if sort == 1 then
      if event:wait(limit) then t.woken:add() else t.late:add() end
    elseif sort == 2 then
      local ok, e = pcall(tm.timeout, limit, event.wait, event)
      if ok then
        t.woken:add()
      elseif type(e) == "table" and e.kind == "timeout" then
        t.late:add()
      else
        t.wrong:add()
      end
    elseif sort == 3 then
      -- two limits at the same instant: the inner one raises inside, or the outer one here
      local ok, e = pcall(tm.timeout, limit, function()
        local inner_ok, inner_e = pcall(tm.timeout, limit, event.wait, event)
        if not inner_ok and inner_e.kind ~= "timeout" then t.wrong:add() end
        return inner_ok
      end)
      if ok or e.kind == "timeout" then t.woken:add() else t.wrong:add() end
    elseif sort == 4 then
      local f = tm.submit(function(e, s) return e:wait(s) end, event, limit)
      local ok, value = pcall(f.result, f, limit)
      if not ok and value.kind ~= "timeout" then t.wrong:add() end
      f:cancel()
      t.woken:add()
    else
      tm.shield(function()
        if event:wait(limit) then t.woken:add() else t.late:add() end
      end)
    end
  end
  while tm.monotonic() < until_when do
    limited(math.random() * 0.0005)
    if math.random(3) == 1 then event:clear() end
  end
end

--- Sets events at random until the time is over.
local function setter(events, until_when)
  while tm.monotonic() < until_when do
    events[math.random(#events)]:set()
    if math.random(4) == 1 then tm.sleep(math.random() * 0.0002) end
  end
end

local t = {
  begun = tm.counter(), ended = tm.counter(), woken = tm.counter(), late = tm.counter(), wrong = tm.counter(),
}
local until_when = tm.monotonic() + seconds
local events, waiters, cancelled = {}, {}, 0
for i = 1, 4 do events[i] = tm.event() end

local pool <close> = tm.executor { max_workers = 64, name = "races" }
local setters = { pool:submit(setter, events, until_when), pool:submit(setter, events, until_when) }

local function start()
  return pool:submit(waiter, t, events[math.random(#events)], until_when)
end

for i = 1, 24 do waiters[i] = start() end
while tm.monotonic() < until_when do
  for _ = 1, 4 do
    local i = math.random(#waiters)
    if waiters[i]:cancel() then
      cancelled = cancelled + 1
      waiters[i]:ignore()
    end
    if math.random(2) == 1 then
      -- result raises for the task that was cancelled, and for no other reason
      local ok, e = pcall(waiters[i].result, waiters[i], 20)
      assert(ok or e.kind == "cancelled", tostring(e))
    end
    waiters[i] = start()
  end
  tm.sleep(math.random() * 0.002)
end

for _, f in ipairs(setters) do f:result(60) end
for _, f in ipairs(waiters) do
  local ok, e = pcall(f.result, f, 60)
  assert(ok or e.kind == "cancelled", tostring(e))
end
pool:shutdown()
print(("%d waits: %d woken, %d too late, %d cut off; %d cancellations"):format(t.begun:get(), t.woken:get(), t.late:get(),
  t.begun:get() - t.woken:get() - t.late:get(), cancelled))
assert(t.wrong:get() == 0, "a wait ended by an error of another kind")
assert(t.begun:get() == t.ended:get(), "a wait began and did not end")
