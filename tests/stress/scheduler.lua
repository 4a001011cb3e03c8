--- Everything at once for some seconds over four workers: trees of submits, maps whose items wait, submit-and-wait with
--- one slot,
--- scopes that fail, cancellations, time-outs, spinners, waits where Lua cannot yield. Whatever a task was doing when it was
--- cut, cancelled or timed out: what was begun is ended, every result is what it has to be, and all is over at the end.
--- TIDE_STRESS_SECONDS: how long, 15 by default.
local tm = require "tidemill"

local seconds = tonumber(os.getenv("TIDE_STRESS_SECONDS")) or 15
local seed = tonumber(os.getenv("TIDE_SEED")) or os.time()
print(("seed: TIDE_SEED=%d"):format(seed))
math.randomseed(seed)

--- Shared with all tasks: `live` counts what guards hold, `done` the deeds that came to their end.
local live, done, spins = tm.counter(), tm.counter(), tm.counter()
local Guard = { __close = function() live:add(-1) end }
local function guard() live:add() return setmetatable({}, Guard) end

--- Executors with one slot, in which a task submits to the next and waits for it.
local narrow = {}
for i = 1, 3 do narrow[i] = tm.executor { max_workers = 1, name = "narrow " .. i } end
local wide = tm.executor { max_workers = 200, name = "wide" }

local function expect(ok, message)
  if not ok then error("invariant broken: " .. message, 2) end
end

--- A tree of tasks: returns how many it has.
local function tree(depth, width)
  local g <close> = guard()
  if depth == 0 then return 1 end
  local children = {}
  for i = 1, width do children[i] = wide:submit(tree, depth - 1, width) end
  local sum = 1
  for _, child in ipairs(children) do sum = sum + child:result() end
  return sum
end

local function nested(depth)
  local g <close> = guard()
  if depth == 0 then return 0 end
  return 1 + narrow[depth % #narrow + 1]:submit(nested, depth - 1):result()
end

local function sleepy(x)
  local g <close> = guard()
  tm.sleep(math.random() * 0.002)
  return x * x
end

local function spin(ms)
  local g <close> = guard()
  local until_when = tm.monotonic() + ms / 1000
  local n = 0
  repeat n = n + 1 until tm.monotonic() >= until_when
  spins:add(n)
  return n
end

local function less(a, b)
  local g <close> = guard()
  return a < b
end

local deeds = {}

function deeds.trees()
  expect(tree(3, 3) == 1 + 3 + 9 + 27, "a tree of 40")
end

function deeds.maps()
  local sum = 0
  for i, square in wide:map(sleepy, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }) do
    expect(square == i * i, "items in order")
    sum = sum + square
  end
  expect(sum == 385, "all items")
end

function deeds.maps_left_early()
  for i in wide:map(sleepy, function(_, i) return (i or 0) + 1 end) do
    if i == 5 then break end
  end
end

function deeds.one_slot()
  expect(nested(7) == 7, "seven levels in three slots")
end

function deeds.scopes_fail()
  local ok, e = pcall(tm.scope, function(s)
    local g <close> = guard()
    for _ = 1, 3 do s:spawn(function() local h <close> = guard() tm.sleep(60) end) end
    s:spawn(function() local h <close> = guard() tm.sleep(0.001) error("the cause", 0) end)
    tm.sleep(60)
  end)
  expect(not ok and e == "the cause", "the cause, not " .. tostring(e))
end

function deeds.scopes_end()
  local n = tm.counter()
  tm.scope(function(s)
    for _ = 1, 5 do
      s:spawn(function(c) local g <close> = guard() tm.sleep(0) c:add() end, n)
    end
  end)
  expect(n:get() == 5, "the scope ended after its tasks")
end

function deeds.cancels()
  local futures = {}
  for i = 1, 8 do
    futures[i] = wide:submit(i % 2 == 0 and sleepy or spin, i)
    futures[i]:ignore()
  end
  tm.sleep(math.random() * 0.003)
  for _, f in ipairs(futures) do f:cancel() end
  for i, f in ipairs(futures) do
    local ok, e = pcall(f.result, f)
    expect(ok or e.kind == "cancelled", "cancelled or done, not " .. tostring(e) .. " " .. i)
  end
end

function deeds.timeouts()
  local ok, e = pcall(tm.timeout, math.random() * 0.003, function()
    local g <close> = guard()
    local f <const> = wide:submit(sleepy, 2)
    pcall(f.result, f)
    if math.random(2) == 1 then
      local n = 0
      while true do n = n + 1 end
    end
    tm.sleep(60)
  end)
  expect(not ok and e.kind == "timeout", "a time-out, not " .. tostring(e))
end

function deeds.spinners()
  expect(spin(math.random(1, 6)) > 0, "it spins")
end

function deeds.comparators()
  local list = {}
  for i = 1, 6 do list[i] = (i * 5) % 7 end
  local depth = 0
  local ok, e = pcall(table.sort, list, function(a, b)
    if math.random(4) > 1 then return a < b end
    depth = depth + 1
    tm.sleep(0)
    return wide:submit(less, a, b):result()
  end)
  -- too deeply nested is an answer too, for what many tasks do at the same time
  expect(ok or e.kind == "cancelled" or tostring(e):find("too many waits", 1, true), tostring(e))
  if ok then
    for i = 2, #list do expect(list[i - 1] <= list[i], "sorted") end
  end
end

function deeds.coroutines()
  local each = coroutine.wrap(function()
    local g <close> = guard()
    for i = 1, 5 do
      tm.sleep(0)
      coroutine.yield(i)
    end
  end)
  local n = 0
  for i in each do n = n + i end
  expect(n == 15, "what a coroutine yields")
end

function deeds.events()
  local event, began, fs = tm.event(), tm.monotonic(), {}
  local sets <close> = setmetatable({}, { __close = function() event:set() end }) -- nobody waits for one who was cancelled
  for i = 1, 5 do fs[i] = wide:submit(function(e) local g <close> = guard() return e:wait(10) end, event) end
  tm.sleep(math.random() * 0.001)
  event:set()
  local took = tm.monotonic() - began
  for _, f in ipairs(fs) do expect(f:result() == true, ("woken by an event that was set after %.3f s"):format(took)) end
end

--- One deed after another until the time is over; some of them cancelled or timed out half-way.
local function actor(names, until_when, number)
  math.randomseed(seed, number)
  local n = 0
  while tm.monotonic() < until_when do
    local name = names[math.random(#names)]
    local deed = deeds[name]
    local fate = math.random(10)
    if fate == 1 then
      local f = wide:submit(deed)
      tm.sleep(math.random() * 0.004)
      f:cancel()
      local ok, e = pcall(f.result, f)
      if not ok and not (type(e) == "table" and e.kind == "cancelled") then error(e, 0) end
    elseif fate == 2 then
      local ok, e = pcall(tm.timeout, math.random() * 0.004, deed)
      if not ok and not (type(e) == "table" and e.kind == "timeout") then error(e, 0) end
    elseif fate == 3 then
      tm.shield(deed)
    else
      deed()
    end
    n = n + 1
    done:add()
  end
  return n
end

local names = {}
for name in pairs(deeds) do names[#names + 1] = name end
table.sort(names)
if arg[1] then names = { table.unpack(arg) } end

local began, cpu = tm.monotonic(), os.clock()
local actors = tm.executor { max_workers = 64, name = "actors" }
local futures = {}
for i = 1, 12 do futures[i] = actors:submit(actor, names, began + seconds, i) end

-- Now and then one of them is cancelled outright and another takes its place.
local cancelled = 0
while tm.monotonic() < began + seconds do
  tm.sleep(0.05)
  local i = math.random(#futures)
  futures[i]:ignore()
  if futures[i]:cancel() then cancelled = cancelled + 1 end
  local ok, e = pcall(futures[i].result, futures[i], 60)
  if not ok and e.kind ~= "cancelled" then error(e, 0) end
  futures[i] = actors:submit(actor, names, began + seconds, i + cancelled * 100)
end
for _, f in ipairs(futures) do f:result(60) end
assert(actors:shutdown { timeout = 60 }, "an actor does not end")
local patience = tm.monotonic() + 60
while live:get() > 0 and tm.monotonic() < patience do tm.sleep(0.01) end -- trees whose root was cancelled
assert(wide:shutdown { timeout = 60 }, "a task does not end")
for _, pool in ipairs(narrow) do assert(pool:shutdown { timeout = 60 }, "a task with one slot does not end") end
print(("%d deeds, %d actors cancelled, %.1f s, %.1f s CPU"):format(done:get(), cancelled, tm.monotonic() - began,
  os.clock() - cpu))
if live:get() ~= 0 then error(("%d guards are left"):format(live:get())) end
