--- Tasks that change the keys of one dictionary by every method, with time limits and cancelled from outside at any instant, so
--- that a hand-over, a time-out and a cancellation come together. For each key the sum must be what was added to it: a
--- change either happened and was counted, or did not happen. At the end every key is free.
--- TIDE_STRESS_SECONDS: how long, 5 by default.
local tm = require "tidemill"

local seconds = tonumber(os.getenv("TIDE_STRESS_SECONDS")) or 5
local seed = tonumber(os.getenv("TIDE_SEED")) or os.time()
print(("seed: TIDE_SEED=%d"):format(seed))
math.randomseed(seed)

local KEYS = 6

--- Adds to keys until the time is over. What it added it counts in the dictionary's own words: in the update's function,
--- whose last step cannot be cut off from the store, or by the result of add.
local function changer(t, d, until_when)
  --- The update counts itself once its value is certain to be stored: a closer that runs when the function has returned
  --- would be too early. So the value carries the count, and the reader compares.
  local function step(v, wait)
    v = v or { sum = 0, steps = 0 }
    assert(v.sum == v.steps * 3, "a value was torn")
    if wait > 0 then tm.sleep(wait) end
    return { sum = v.sum + 3, steps = v.steps + 1 }
  end
  while tm.monotonic() < until_when do
    local key, sort, limit = math.random(KEYS), math.random(7), math.random() * 0.0008
    local wait = math.random(3) == 1 and math.random() * 0.0003 or 0
    local ok, e = true, nil
    if sort == 1 then
      ok, e = pcall(tm.timeout, limit, d.update, d, key, step, wait)
    elseif sort == 2 then
      d:update(key, step, wait)
    elseif sort == 3 then
      ok, e = pcall(d.update, d, key, function() error("on purpose", 0) end)
      if e == "on purpose" then ok = true end
    elseif sort == 4 then
      -- shielded, so that it is counted if and only if it is stored
      tm.shield(function()
        d:update("exact", function(v) if wait > 0 then tm.sleep(wait) end return (v or 0) + 1 end)
        t.exact:add()
      end)
    elseif sort == 5 then
      tm.shield(function()
        d:add("exact", 1)
        t.exact:add()
      end)
    elseif sort == 6 then
      ok, e = pcall(tm.timeout, limit, d.get_or_set, d, "flight" .. key, function()
        if wait > 0 then tm.sleep(wait) end
        return key
      end)
      if ok and e ~= key then t.wrong:add() end
    else
      ok, e = pcall(tm.timeout, limit, d.pop, d, "flight" .. key)
      if ok and e ~= nil and e ~= key then t.wrong:add() end
    end
    if not ok and not (type(e) == "table" and e.kind == "timeout") then t.wrong:add() error(e, 0) end
    t.deeds:add()
  end
end

local t = { exact = tm.counter(), wrong = tm.counter(), deeds = tm.counter() }
local d = tm.dict()
local until_when = tm.monotonic() + seconds
local pool <close> = tm.executor { max_workers = 64, name = "dict" }
local tasks, cancelled = {}, 0
local function start() return pool:submit(changer, t, d, until_when) end
for i = 1, 24 do tasks[i] = start() end

while tm.monotonic() < until_when do
  local i = math.random(#tasks)
  if tasks[i]:cancel() then
    cancelled = cancelled + 1
    tasks[i]:ignore()
  end
  if math.random(2) == 1 then
    local ok, e = pcall(tasks[i].result, tasks[i], 20)
    assert(ok or e.kind == "cancelled", tostring(e))
  end
  tasks[i] = start()
  tm.sleep(math.random() * 0.002)
end
for _, f in ipairs(tasks) do
  local ok, e = pcall(f.result, f, 60)
  assert(ok or e.kind == "cancelled", tostring(e))
end
pool:shutdown()

local steps = 0
for key = 1, KEYS do
  local v = tm.timeout(10, d.update, d, key, function(v) return v end) -- free
  if v then
    assert(v.sum == v.steps * 3)
    steps = steps + v.steps
  end
  tm.timeout(10, d.pop, d, "flight" .. key)
end
print(("%d deeds, %d steps, %d exact; %d cancellations"):format(t.deeds:get(), steps, t.exact:get(), cancelled))
assert(t.wrong:get() == 0, "a wait ended by an error of another kind, or gave a wrong value")
assert(d:get("exact") == t.exact:get(), ("%d counted, %s stored"):format(t.exact:get(), d:get("exact")))
