--- A thousand tasks on four workers hammer every primitive at once, with random time-outs, cancellations, owners that
--- end without releasing, and queues that are shut down. What must hold, whatever was interrupted: one holder of a lock,
--- never more permits out than there are, items in are items out and each once, everybody who was told to wake wakes,
--- sums are exact, and no task is left.
--- Argument: names of deeds, to run only these. TIDE_STRESS_SECONDS: how long, 8 by default. TIDE_STRESS_TASKS: 1,000.
local tm = require "tidemill"

local seconds = tonumber(os.getenv("TIDE_STRESS_SECONDS")) or 8
local tasks = math.tointeger(tonumber(os.getenv("TIDE_STRESS_TASKS")) or 1000)
local seed = tonumber(os.getenv("TIDE_SEED")) or os.time()
print(("seed: TIDE_SEED=%d"):format(seed))
math.randomseed(seed)

--- How long anything may take that is not meant to wait.
local LIMIT = 120

--- What all tasks share: handles only.
local w = {
  lock = tm.lock(), inside = tm.counter(), locked = tm.counter(),
  rlock = tm.rlock(), depth = tm.counter(),
  left = tm.lock(),
  semaphore = tm.semaphore(3), permits = tm.counter(),
  bounded = tm.bounded_semaphore(2), bounded_out = tm.counter(),
  condition = tm.condition(), stored = tm.counter(), produced = tm.counter(), consumed = tm.counter(),
  queue = tm.queue { maxsize = 10 }, queued = tm.counter(), taken = tm.counter(), seen = tm.dict(),
  stack = tm.lifo_queue { maxsize = 5 }, stacked = tm.counter(), unstacked = tm.counter(),
  heap = tm.priority_queue { maxsize = 5 }, heaped = tm.counter(), unheaped = tm.counter(),
  dict = tm.dict(), updates = tm.counter(),
  event = tm.event(), ids = tm.counter(), done = tm.counter(),
}

local function expect(ok, message, ...)
  if not ok then error("invariant broken: " .. message:format(...), 2) end
end

local function kind_of(e) return type(e) == "table" and e.kind or tostring(e) end

--- A short time, often none.
local function moment() return math.random(3) == 1 and 0 or math.random() * 0.004 end

local function linger() if math.random(4) == 1 then tm.sleep(moment()) end end

local deeds = {}

function deeds.lock()
  local limit = math.random(2) == 1 and moment() or nil
  -- what is counted must not be torn from what it counts: so it is shielded
  if not w.lock:acquire(limit) then return end
  local release <close> = setmetatable({}, { __close = function() w.lock:release() end })
  tm.shield(function()
    expect(w.inside:add(1) == 1, "two holders of a lock")
    linger()
    w.inside:add(-1)
    w.locked:add(1)
  end)
end

function deeds.guard()
  local g <close> = w.lock:guard()
  tm.shield(function()
    expect(w.inside:add(1) == 1, "two holders of a lock")
    linger()
    w.inside:add(-1)
  end)
end

function deeds.with()
  local n = w.rlock:with(function()
    return w.rlock:with(function()
      return tm.shield(function()
        local depth = w.depth:add(1)
        linger()
        w.depth:add(-1)
        return depth
      end)
    end)
  end)
  expect(n == 1, "%d holders of an rlock", n)
end

--- Its owner ends with it: everybody else is told, until somebody resets it.
function deeds.abandoned()
  if math.random(3) == 1 then
    tm.scope(function(s) s:spawn(function(lock) pcall(lock.acquire, lock, 0.01) end, w.left) end)
    return
  end
  local ok, e = pcall(w.left.acquire, w.left, moment())
  if ok and e then
    w.left:release()
  elseif not ok then
    if kind_of(e) == "cancelled" then error(e, 0) end
    expect(tostring(e):find("abandoned", 1, true), "%s", tostring(e))
    pcall(w.left.reset, w.left)
  end
end

function deeds.semaphore()
  local g <close> = w.semaphore:guard()
  tm.shield(function()
    local out = w.permits:add(1)
    expect(out <= 3, "%d of 3 permits are out", out)
    linger()
    w.permits:add(-1)
  end)
end

function deeds.bounded()
  if not w.bounded:acquire(moment()) then return end
  local release <close> = setmetatable({}, { __close = function() w.bounded:release() end })
  tm.shield(function()
    local out = w.bounded_out:add(1)
    expect(out <= 2, "%d of 2 permits are out", out)
    linger()
    w.bounded_out:add(-1)
  end)
end

--- A store of at most five, behind a condition.
function deeds.produce()
  local c = w.condition
  c:with(function()
    if c:wait_for(function() return w.stored:get() < 5 end, 0.02) then
      w.stored:add(1)
      w.produced:add(1)
      c:notify(math.random(2))
    end
  end)
end

function deeds.consume()
  local c = w.condition
  c:with(function()
    if c:wait_for(function() return w.stored:get() > 0 end, math.random() * 0.02) then
      expect(w.stored:add(-1) >= 0, "a store below nothing")
      w.consumed:add(1)
      c:notify_all()
    end
  end)
end

function deeds.put()
  local many = math.random(3) == 1
  tm.shield(function()
    if many then
      local list = {}
      for i = 1, 4 do list[i] = w.ids:add(1) end
      w.queued:add((w.queue:put_many(list, moment())))
    elseif w.queue:put(w.ids:add(1), moment()) then
      w.queued:add(1)
    end
  end)
end

function deeds.get()
  tm.shield(function()
    local list = w.queue:get_many(math.random(4), moment()) or {}
    for _, id in ipairs(list) do
      expect(w.seen:add(id, 1) == 1, "item %d came twice", id)
      w.taken:add(1)
    end
  end)
end

function deeds.select()
  local a, b, e = tm.queue(), tm.queue(), tm.event()
  tm.scope(function(s)
    s:spawn(function(x) x:put("here") end, math.random(2) == 1 and a or b)
    local i, item = tm.select { a, b, e, w.event, timeout = LIMIT }
    expect(i == 4 or item == "here" and (i == 1 or i == 2), "select says %s %s", i, item)
  end)
end

function deeds.stack()
  tm.shield(function()
    if math.random(2) == 1 then
      if w.stack:put(1, moment()) then w.stacked:add(1) end
    elseif w.stack:get(moment()) then
      w.unstacked:add(1)
    end
  end)
end

function deeds.heap()
  tm.shield(function()
    if math.random(2) == 1 then
      if w.heap:put(1, math.random(9), moment()) then w.heaped:add(1) end
    elseif w.heap:get(moment()) then
      w.unheaped:add(1)
    end
  end)
end

--- Everybody who waits on a queue is told that it is shut down.
function deeds.shutdown()
  local q, told = tm.queue(), tm.counter()
  tm.scope(function(s)
    for _ = 1, 4 do
      s:spawn(function(x, c)
        local item, why = x:get(LIMIT)
        if item == nil and why == "shutdown" then c:add(1) end
      end, q, told)
    end
    tm.sleep(moment())
    q:shutdown()
  end)
  expect(told:get() == 4, "%d of 4 were told", told:get())
end

function deeds.update()
  local key = math.random(5)
  tm.shield(function()
    w.dict:update(key, function(n) linger() return (n or 0) + 1 end)
    w.updates:add(1)
  end)
end

function deeds.cancelled_update()
  w.dict:update("torn", function() tm.sleep(moment()) return nil end)
end

function deeds.barrier()
  local b, sum = tm.barrier(4), 0
  tm.scope(function(s)
    local fs = {}
    for i = 1, 4 do fs[i] = s:spawn(function(x) return (x:wait()) end, b) end
    for _, f in ipairs(fs) do sum = sum + f:result() end
  end)
  expect(sum == 10, "indices of a barrier add up to %d", sum)
end

function deeds.broken_barrier()
  local b = tm.barrier(3)
  tm.scope(function(s)
    local fs = {}
    for i = 1, 2 do
      fs[i] = s:spawn(function(x)
        local ok, e = pcall(x.wait, x)
        return not ok and kind_of(e)
      end, b)
    end
    tm.sleep(moment())
    b:abort()
    for _, f in ipairs(fs) do expect(f:result() == "broken_barrier", "an aborted barrier says %s", f:result()) end
  end)
end

function deeds.once()
  local once, runs = tm.once(), tm.counter()
  tm.scope(function(s)
    local fs = {}
    for i = 1, 3 do
      fs[i] = s:spawn(function(o, r) return o:run(function() tm.sleep(0) return r:add(1) end) end, once, runs)
    end
    for _, f in ipairs(fs) do expect(f:result() == 1, "once ran %d times", runs:get()) end
  end)
end

function deeds.threads()
  local t = tm.spawn(function(s) tm.sleep(s) return s end, moment())
  if math.random(3) == 1 then t:cancel() end
  if t:join(math.random(2) == 1 and moment() or LIMIT) then expect(not t:is_alive(), "joined, and alive") end
end

--- A cycle of two: at least one of them is told, and nobody hangs.
function deeds.cycle()
  local a, b = tm.lock(), tm.lock()
  local function cross(x, y)
    local g <close> = x:guard()
    tm.sleep(0.001)
    local ok, e = pcall(y.acquire, y)
    if ok then y:release() end
    return ok or tostring(e)
  end
  tm.scope(function(s)
    local f, g = s:spawn(cross, a, b), s:spawn(cross, b, a)
    for _, answer in ipairs { (f:result()), (g:result()) } do
      expect(answer == true or answer:find("deadlock", 1, true), "%s", answer)
    end
  end)
end

local names = {}
for name in pairs(deeds) do names[#names + 1] = name end
table.sort(names)
if arg[1] then names = { table.unpack(arg) } end

--- One deed after another until the time is over, some of them under a time-out that strikes half-way.
local function actor(number, stop)
  math.randomseed(seed, number)
  while tm.monotonic() < stop do
    local deed = deeds[names[math.random(#names)]]
    if math.random(6) == 1 then
      local ok, e = pcall(tm.timeout, math.random() * 0.01, deed)
      if not ok and kind_of(e) ~= "timeout" then error(e, 0) end
    else
      deed()
    end
    w.done:add(1)
  end
end

local stop = tm.monotonic() + seconds
local actors <close> = tm.executor { max_workers = tasks, name = "actors" }
local futures, number, cancelled = {}, 0, 0
local function start(i)
  number = number + 1
  futures[i] = actors:submit(actor, number, stop)
end
local function finish(i)
  local ok, e = pcall(futures[i].result, futures[i], LIMIT)
  if not ok and kind_of(e) ~= "cancelled" then
    w.event:set()
    error(e, 0)
  end
end
for i = 1, tasks do start(i) end
while tm.monotonic() < stop do
  tm.sleep(0.005)
  local i = math.random(tasks)
  futures[i]:cancel()
  finish(i)
  cancelled = cancelled + 1
  start(i)
  if math.random(20) == 1 then w.event:set() else w.event:clear() end
end
for i = 1, tasks do finish(i) end

local function drain(q)
  local n = 0
  while q:try_get() ~= nil do n = n + 1 end
  return n
end
local sum = 0
for key, n in w.dict:items() do if key ~= "torn" then sum = sum + n end end
expect(sum == w.updates:get(), "%d updates, the sum says %d", w.updates:get(), sum)
local left = drain(w.queue)
expect(w.queued:get() == w.taken:get() + left, "%d in, %d out, %d inside", w.queued:get(), w.taken:get(), left)
left = drain(w.stack)
expect(w.stacked:get() == w.unstacked:get() + left, "%d in, %d out, %d inside", w.stacked:get(), w.unstacked:get(), left)
left = drain(w.heap)
expect(w.heaped:get() == w.unheaped:get() + left, "%d in, %d out, %d inside", w.heaped:get(), w.unheaped:get(), left)
expect(w.semaphore:value() == 3, "%d of 3 permits came back", w.semaphore:value())
expect(w.bounded:value() == 2, "%d of 2 permits came back", w.bounded:value())
expect(not w.lock:locked() and not w.rlock:locked(), "a lock is still held")
expect(w.inside:get() == 0 and w.permits:get() == 0, "somebody is still inside")
local patience = tm.monotonic() + LIMIT
while tm.thread.active_count() > 1 and tm.monotonic() < patience do tm.sleep(0.01) end
expect(tm.thread.active_count() == 1, "%d threads are left", tm.thread.active_count() - 1)
print(("%d deeds, %d tasks cancelled, %d through the lock, %d through the queue"):format(w.done:get(), cancelled,
  w.locked:get(), w.taken:get()))
