--- Items pass through a chain of queues while those who put and get them time out, are cancelled, select, move batches, and the
--- queues are shut down at the end: what went in comes out once, and at each getter what one producer put comes in its order.
--- TIDE_STRESS_SECONDS: how long, 10 by default.
local tm = require "tidemill"

local seconds = tonumber(os.getenv("TIDE_STRESS_SECONDS")) or 10
local seed = tonumber(os.getenv("TIDE_SEED")) or os.time()
print(("seed: TIDE_SEED=%d"):format(seed))
math.randomseed(seed)

local PRODUCERS, CONSUMERS = 4, 4

--- A wait with a limit of its own, one under tm.timeout, or one that only looks.
local function limit() return ({ 0, math.random() * 0.0005, 0.001 })[math.random(3)] end

--- Puts 1, 2, 3 … tagged with the producer, each as often as it takes, until the time is over; then tells how many went in.
--- Nothing but a time-out may come between.
local function produce(q, k, ranked, until_when)
  local function item(i) return k * 1000000000 + i end
  local function put(i)
    if ranked then return q:put(item(i), 0, limit()) end
    return q:put(item(i), limit())
  end
  local function put_many(i)
    local items = {}
    for j = i, i + math.random(0, 12) do items[#items + 1] = item(j) end
    if ranked then return q:put_many(items, 0, limit()) end
    return q:put_many(items, limit())
  end
  local i = 1
  while tm.monotonic() < until_when do
    if math.random(2) == 1 then
      local ok, why = put(i)
      if ok then i = i + 1 else assert(why == "timeout", why) end
    else
      local n, why = put_many(i)
      assert(why == nil or why == "timeout", why)
      i = i + n
    end
  end
  return i - 1
end

--- Gets until the queue is shut down and empty; gives how many came of each producer, and their sum. `never` is never ready.
local function consume(q, never, ordered)
  local count, sum, last = 0, 0, {}
  local function take(item)
    count, sum = count + 1, sum + item
    local k = item // 1000000000
    if ordered and item <= (last[k] or 0) then error("out of order: " .. item .. " after " .. last[k]) end
    last[k] = item
    q:task_done()
  end
  while true do
    local sort = math.random(5)
    if sort == 1 then
      local items, why = q:get_many(math.random(9), limit())
      if not items and why == "shutdown" then break end
      for _, item in ipairs(items or {}) do take(item) end
    elseif sort == 2 then
      local i, item, why = tm.select { never, q, timeout = limit() }
      if i and item == nil and why == "shutdown" then break end
      if i then
        assert(i == 2)
        take(item)
      end
    elseif sort == 3 then
      local item, why = q:try_get()
      if item == nil and why == "shutdown" then break end
      if item ~= nil then take(item) end
    else
      local item, why = q:get(limit())
      if item == nil and why == "shutdown" then break end
      if item ~= nil then take(item) end
    end
  end
  return count, sum
end

--- A task that is cancelled at any instant: under a shield it gets an item and puts it back, so that nothing is missing;
--- outside of it it waits for what never comes.
local function victim(q, never, ranked)
  while true do
    tm.shield(function()
      local item, priority = q:get(limit())
      if item == nil then return end
      q:task_done()
      while not (ranked and q:put(item, priority, 0.001) or not ranked and q:put(item, 0.001)) do
        if q:is_shutdown() then error("shut down while an item was under way") end
      end
    end)
    local sort = math.random(3)
    if sort == 1 then never:get() elseif sort == 2 then tm.select { never, tm.event() } else never:get_many() end
  end
end

local function round(kind, maxsize, until_when)
  local q, never = tm[kind](maxsize), tm.queue()
  local ranked, disturbed = kind == "priority_queue", math.random(2) == 1
  local ordered = kind ~= "lifo_queue" and not disturbed
  local pool <close> = tm.executor { max_workers = 32, name = "queues" }
  local put, got, victims, cancelled = {}, {}, {}, 0
  for k = 1, PRODUCERS do put[k] = pool:submit(produce, q, k, ranked, until_when) end
  for k = 1, CONSUMERS do got[k] = pool:submit(consume, q, never, ordered) end
  while disturbed and tm.monotonic() < until_when do
    local k = math.random(4)
    if victims[k] then
      victims[k]:cancel()
      local ok, e = pcall(victims[k].result, victims[k], 30)
      assert(not ok and e.kind == "cancelled", tostring(e))
      cancelled = cancelled + 1
    end
    victims[k] = pool:submit(victim, q, never, ranked)
    tm.sleep(math.random() * 0.0005)
  end
  for _, v in pairs(victims) do
    v:cancel()
    pcall(v.result, v, 30)
  end
  local count, sum = 0, 0
  for k = 1, PRODUCERS do
    local n = put[k]:result(30)
    count, sum = count + n, sum + k * 1000000000 * n + n * (n + 1) // 2
  end
  if math.random(2) == 1 then assert(q:join(30), "join did not end") end
  q:shutdown()
  for k = 1, CONSUMERS do
    local n, s = got[k]:result(30)
    count, sum = count - n, sum - s
  end
  assert(count == 0 and sum == 0, ("%s %d: %d items missing, sum off by %d"):format(kind, maxsize, count, sum))
  assert(q:join(0) and #q == 0, "something is unfinished")
  return cancelled
end

--- Cancelled at every kind of wait: what a getter did not count is still inside, or was under way when it was cancelled; a put
--- that was cut off went in, or did not; never twice. At the end an immediate shutdown wakes everybody.
local function cancelled_round(until_when)
  local q = tm.queue(2)
  local put, got = tm.counter(), tm.counter()
  local pool <close> = tm.executor { max_workers = 32, name = "cut off" }
  local tasks, cuts = {}, 0
  local function putter()
    for _ = 1, math.huge do
      if not q:put(1) then return end
      put:add()
    end
  end
  local function getter()
    for item in q do got:add(item) end
  end
  for i = 1, 6 do tasks[i] = pool:submit(i % 2 == 0 and putter or getter) end
  while tm.monotonic() < until_when do
    local i = math.random(6)
    tasks[i]:cancel()
    tasks[i]:ignore()
    pcall(tasks[i].result, tasks[i], 30)
    cuts = cuts + 1
    tasks[i] = pool:submit(i % 2 == 0 and putter or getter)
  end
  q:shutdown()
  for i = 1, 6 do
    local ok, e = pcall(tasks[i].result, tasks[i], 30)
    assert(ok, tostring(e))
  end
  local off = math.abs(put:get() - got:get())
  assert(off <= cuts, ("%d items off after %d cuts"):format(off, cuts))
  assert(#q == 0)
  return cuts
end

local stop, rounds, cancelled = tm.monotonic() + seconds, 0, 0
while tm.monotonic() < stop do
  for _, kind in ipairs { "queue", "lifo_queue", "priority_queue" } do
    local maxsize = ({ 0, 1, 2, 10, 100 })[math.random(5)]
    cancelled = cancelled + round(kind, maxsize, math.min(tm.monotonic() + 0.3, stop))
    rounds = rounds + 1
  end
  cancelled = cancelled + cancelled_round(math.min(tm.monotonic() + 0.2, stop))
end
print(("%d rounds, %d cancellations"):format(rounds, cancelled))
