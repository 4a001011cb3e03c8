--- A task is cancelled at its k-th VM instruction, for every k until it ends by itself, and then at random instants from
--- outside. Whatever it was doing: what was acquired is released, each closer ran once and to its end, and the cancellation
--- arrived. Argument: name of one scenario. TIDE_STRESS_SECONDS: of the random part.
---
--- A count hook of one instruction counts, and cancels the scope that the task belongs to from within the k-th. Coroutines
--- that the task makes are counted too.
local tm = require "tidemill"

local seconds = tonumber(os.getenv("TIDE_STRESS_SECONDS")) or 4
local only = arg[1]
local seed = tonumber(os.getenv("TIDE_SEED")) or os.time()
print(("seed: TIDE_SEED=%d"):format(seed))
math.randomseed(seed)

--- Everything that a run counts, shared with the task.
local function tally()
  return {
    acquired = tm.counter(), released = tm.counter(), twice = tm.counter(), unfinished = tm.counter(),
    instructions = tm.counter(), fired = tm.counter(), line = tm.counter(), swallowed = tm.counter(),
    gate = tm.event(), open = tm.event(), dict = tm.dict { n = 0 }, permits = tm.bounded_semaphore(4), once = tm.once(),
    lock = tm.lock(), rlock = tm.rlock(), condition = tm.condition(),
  }
end

--- What scenarios are written with. `count` is the hook, nil in the random part. Runs in the task's state.
local function toolbox(t, count)
  local kit = { tm = tm, t = t }

  local Guard = {}
  Guard.__index = Guard
  function Guard.__close(g)
    g.closed = g.closed + 1
    if g.closed > 1 then
      t.twice:add()
    end
    local before = g.closed
    t.released:add()
    g.finished = before
  end
  --- A closer that waits before it releases, where nothing may interrupt it.
  local Slow = {}
  function Slow.__close(g)
    tm.shield(function()
      tm.sleep(0)
      Guard.__close(g)
    end)
  end
  --- A closer that waits when it has released.
  local Late = {}
  function Late.__close(g)
    Guard.__close(g)
    tm.sleep(0)
  end

  function kit.guard() t.acquired:add() return setmetatable({ closed = 0 }, Guard) end
  function kit.slow() t.acquired:add() return setmetatable({ closed = 0 }, Slow) end
  function kit.late() t.acquired:add() return setmetatable({ closed = 0 }, Late) end

  --- Guards that a C function hands out: table.remove takes them from the stock, whose closer counts what is missing.
  function kit.stock()
    local stock = { n = 8 }
    for i = 1, stock.n do
      stock[i] = setmetatable({ closed = 0 }, { __close = function(g) table.insert(stock, g) end })
    end
    return setmetatable(stock, { __close = function(s)
      if #s ~= s.n then
        t.unfinished:add()
      end
    end })
  end

  function kit.create(f)
    local co = coroutine.create(f)
    if count then debug.sethook(co, count, "", 1) end
    return co
  end
  function kit.wrap(f)
    return coroutine.wrap(function(...)
      if count then debug.sethook(count, "", 1) end
      return f(...)
    end)
  end
  return kit
end

local scenarios = {}

function scenarios.blocks(kit)
  local guard <const> = kit.guard
  do
    local a <close> = guard()
    local b <close> = guard(
      "an argument",
      a
    )
    do
      local c <close>, d = guard(), 1
      d = d + 1
    end
  end
  for i = 1, 3 do
    local g <close> = guard()
    if i == 2 then goto continue end
    local h <close> = assert(guard(
      i))
    if i == 3 then break end
    ::continue::
  end
  local function passes()
    local g <close> = guard()
    return g, guard
  end
  passes()
  local function forwards(...)
    local g <close> = select(1, ...)
    return #{ ... }
  end
  forwards(guard())
  repeat local g <close> = guard() until g
  while true do local g <close> = guard() or error("none") if g then break end end
end

function scenarios.stock(kit)
  local stock <close> = kit.stock()
  for _ = 1, 3 do
    local a <close> = table.remove(stock)
    local b <close> = table.remove(
      stock
    )
    local c <close> = assert(table.remove(stock))
    local d <close> = select(
      2,
      pcall(
        table.remove,
        stock))
  end
end

--- Guards of a semaphore, made by C and closed by C; and what is run once.
function scenarios.permits(kit)
  local s <const>, guard <const> = kit.t.permits, kit.guard
  do
    local a <close> = s:guard()
    local b <close> = assert(s:guard(
      0))
    b:release()
    local c <close> = select(
      1,
      s:guard(1)
    )
  end
  local v = s:with(function(x)
    local a <close> = s:guard()
    kit.tm.sleep(0)
    return s:with(function() return x + s:value() end)
  end, 1)
  assert(v == 2)
  pcall(function()
    local a <close> = s:guard()
    s:with(error, "closers stand")
  end)
  local co = kit.wrap(function()
    s:with(function()
      local b <close> = guard()
      kit.tm.sleep(0)
    end)
  end)
  co()
  pcall(kit.t.once.run, kit.t.once, function()
    local b <close> = guard()
    kit.tm.sleep(0)
    error("not yet")
  end)
end

function scenarios.protected(kit)
  local guard <const> = kit.guard
  local function fails()
    local a <close> = guard()
    local b <close> = guard()
    error({ "a table" })
  end
  local ok, e = pcall(fails)
  assert(not ok and e[1] == "a table")
  ok = pcall(pcall, fails)
  assert(ok)
  local handled
  ok = xpcall(fails, function(message)
    handled = message
    local x = 1
    return x
  end)
  assert(not ok and handled)
  for _ = 1, 2 do
    pcall(function()
      local a <close> = guard()
      pcall(function()
        local b <close> = guard()
        local c = nil + 1
      end)
      error("again", 0)
    end)
  end
  local inner <close> = setmetatable({}, { __close = function()
    local ok2, e2 = pcall(fails)
    assert(not ok2 and e2)
  end })
  ok, e = pcall(error)
  assert(not ok and e == nil)
end

function scenarios.coroutines(kit)
  local guard <const> = kit.guard
  local co = kit.create(function(a)
    local g <close> = guard()
    local b = coroutine.yield(a + 1)
    local h <close> = guard()
    return b + 1
  end)
  local closes <close> = setmetatable({}, { __close = function() coroutine.close(co) end })
  local ok, v = coroutine.resume(co, 1)
  assert(ok and v == 2)
  ok, v = coroutine.resume(co, 2)
  assert(ok and v == 3)

  local each = kit.create(function()
    for i = 1, 3 do
      local g <close> = guard()
      coroutine.yield(i)
    end
  end)
  local close_each <close> = setmetatable({}, { __close = function() coroutine.close(each) end })
  while select(2, coroutine.resume(each)) do
    local x <close> = guard()
  end

  local outer = kit.wrap(function()
    local a <close> = guard()
    local inner = kit.wrap(function()
      local b <close> = guard()
      kit.tm.sleep(0)
      local ok2 = pcall(function()
        local c <close> = guard()
        error("inside")
      end)
      assert(not ok2)
      return 5
    end)
    return inner()
  end)
  assert(outer() == 5)

  local failing = kit.create(function()
    local a <close> = guard()
    error("fails")
  end)
  ok = coroutine.resume(failing)
  assert(not ok)
  coroutine.close(failing)

  local dropped = kit.create(function()
    local a <close> = guard()
    local b <close> = kit.late()
    coroutine.yield()
  end)
  local close_it <close> = setmetatable({}, { __close = function() coroutine.close(dropped) end })
  coroutine.resume(dropped)
  assert(coroutine.close(dropped))
  local handed <close> = kit.wrap(guard)(
    1)
end

function scenarios.callbacks(kit)
  local guard <const> = kit.guard
  local list = { 3, 1, 2 }
  table.sort(list, function(a, b)
    local g <close> = guard()
    if a == 1 then kit.tm.sleep(0) end
    return a < b
  end)
  local text = ("abc"):gsub(".", function(c)
    local g <close> = guard()
    local ok = pcall(function()
      local h <close> = guard()
      error(c)
    end)
    return not ok and c:upper()
  end)
  assert(text == "ABC")
  local adds = setmetatable({}, {
    __add = function() return guard() end,
    __index = function() return guard() end,
    __lt = function() local g <close> = guard() return true end,
  })
  local a <close> = adds + 1
  local b <close> = adds.x
  local c <close> = adds
    + 1
  assert(adds < adds)
end

function scenarios.loops(kit)
  local guard <const> = kit.guard
  local function items(n)
    local function next_item(state, i)
      if i < state.n then return i + 1 end
    end
    return next_item, { n = n }, 0, guard()
  end
  for i in items(3) do
    do local g <close> = guard() end
    if i == 2 then break end -- not out of a block with a guard: Lua 5.4.4 forgets the loop's closing value then
  end
  for _ in items(
    2
  ) do
    pcall(error)
  end
  local function first()
    for i in items(3) do
      return i
    end
  end
  first()
  pcall(function()
    for _ in items(2) do error("out of the loop") end
  end)
end

function scenarios.scopes(kit)
  local guard <const>, t <const> = kit.guard, kit.t
  local v = kit.tm.timeout(60, function()
    local g <close> = guard()
    return 7
  end)
  assert(v == 7)
  local ok, e = pcall(kit.tm.timeout, 0, function()
    local g <close> = guard()
    t.gate:wait()
  end)
  assert(not ok and e.kind == "timeout")
  local kept <close> = kit.tm.shield(guard)
  local r = kit.tm.shield(function(x)
    local g <close> = guard()
    kit.tm.sleep(0)
    return x + 1
  end, 1)
  assert(r == 2)
  ok = pcall(kit.tm.scope, function(s)
    local g <close> = guard()
    s:spawn(function() end)
    kit.tm.sleep(0)
    error("out of the scope")
  end)
  assert(not ok)
  kit.tm.scope(function(s)
    local g <close> = guard()
    s:spawn(function(a, b)
      local h <close> = setmetatable({}, { __close = function() b:add() end })
      a:add()
    end, t.acquired, t.released)
  end)
end

function scenarios.waits(kit)
  local guard <const>, t <const> = kit.guard, kit.t
  do
    local g <close> = guard()
    kit.tm.sleep(0)
    local a <close> = kit.late()
    local b <close> = kit.slow()
    assert(not t.gate:wait(0))
  end
  assert(t.open:wait())
  local f = kit.tm.submit(function() return 3 end)
  assert(f:result() == 3)
  local g <close> = kit.slow(
  )
  pcall(function()
    local h <close> = kit.slow()
    local i <close> = kit.late()
    error("while waiting closers stand")
  end)
  kit.tm.timeout(60, function()
    local h <close> = kit.slow()
    t.open:wait()
  end)
end

--- No key is locked when it has ended, and no value is half of an update.
function scenarios.dicts(kit)
  local guard <const>, d <const> = kit.guard, kit.t.dict
  local sleep <const> = kit.tm.sleep
  local function step(n, by)
    local g <close> = guard()
    sleep(0)
    return n + by
  end
  d:pop("once") -- of the round before
  d:update("n", step, 2)
  d:update("n", function(n) return d:update("m", function(m) return (m or 0) + 2 end) and n end)
  assert(not pcall(d.update, d, "n", function()
    local g <close> = guard()
    d:set("n", 1)
  end))
  assert(d:get_or_set("once", function()
    local g <close> = guard()
    sleep(0)
    return 5
  end) == 5)
  d:pop("once")
  local co = kit.create(function() d:update("n", coroutine.yield) end)
  coroutine.resume(co)
  local close_it <close> = setmetatable({}, { __close = function() coroutine.close(co) end })
  local other = kit.tm.submit(function()
    for _ = 1, 3 do
      d:update("m", function(m) sleep(0) return m end)
      d:set("once", d:get("once"))
    end
  end)
  for _ = 1, 3 do
    d:update("m", function(m)
      local g <close> = guard()
      sleep(0)
      return m + 2
    end)
    d:setdefault("once", 1)
  end
  coroutine.close(co)
  d:add("n", 2)
  other:result()
end

--- What it holds of these when it ends would be abandoned.
function scenarios.locks(kit)
  local guard <const>, t <const> = kit.guard, kit.t
  local lock <const>, rlock <const>, condition <const> = t.lock, t.rlock, t.condition
  for _ = 1, 2 do
    local g <close> = lock:guard()
    assert(not lock:try_acquire())
  end
  do
    local g <close> = assert(lock:guard(
      60))
    g:release()
    local h <close> = guard()
    local i <close> = rlock:guard()
    local j <close> = rlock:guard(
    )
  end
  assert(lock:with(function(x)
    local g <close> = guard()
    kit.tm.sleep(0)
    return x
  end, 1) == 1)
  assert(not pcall(rlock.with, rlock, function()
    local g <close> = rlock:guard()
    error("out of it")
  end))
  do
    local g <close> = condition:guard()
    local h <close> = guard()
    condition:wait(0.0001)
    condition:with(function() condition:wait(0) end)
    condition:wait_for(function() return kit.tm.sleep(0) or true end)
    condition:notify_all()
  end
  local sleep <const> = kit.tm.sleep
  local other = kit.tm.submit(function()
    for _ = 1, 3 do
      lock:with(sleep, 0)
      condition:with(condition.notify_all, condition)
    end
    condition:with(condition.wait, condition, 0.0001)
  end)
  for _ = 1, 3 do
    local g <close> = lock:guard()
    local h <close> = condition:guard()
    condition:wait(0.0002)
  end
  other:result()
end

--- A load that was cut off must not keep those out that come after it: the next run in this state is the one to see it.
function scenarios.modules(kit)
  local guard <const> = kit.guard
  package.preload["stress.module"] = function()
    local g <close> = guard()
    kit.tm.sleep(0)
    return { value = 1 }
  end
  for _ = 1, 2 do
    package.loaded["stress.module"] = nil
    local module = require "stress.module"
    assert(module.value == 1)
  end
  package.loaded["stress.module"] = nil
  local ok, v = pcall(require, "stress.module")
  assert(ok and v.value == 1)
  assert(not pcall(require, "stress.missing"))
end

--- Lines that a cancellation asked for at the last instruction still finds.
local function landing()
  local n = 0
  for _ = 1, 3 do
    n = n + 1
    n = n + 1
  end
  return n
end

local function child(s, name, k, t)
  local n, hook = 0, nil
  if k then
    function hook()
      n = n + 1
      if n == k then
        t.line:set(debug.getinfo(2, "l").currentline)
        t.fired:set(1)
        s:cancel()
      end
    end
  end
  local kit = toolbox(t, hook)
  local scenario = scenarios[name]
  if not k then
    while true do scenario(kit) end
  end
  debug.sethook(hook, "", 1)
  scenario(kit)
  debug.sethook()
  landing()
  t.instructions:set(n)
end

local violations = 0

local function check(name, k, t, future)
  local problems = {}
  local function expect(ok, format, ...)
    if not ok then problems[#problems + 1] = format:format(...) end
  end
  local fired = not k or t.fired:get() == 1
  local acquired, released = t.acquired:get(), t.released:get()
  expect(acquired == released, "acquired %d, released %d", acquired, released)
  expect(t.twice:get() == 0, "a closer ran twice")
  expect(t.unfinished:get() == 0, "a guard was lost")
  for _, key in ipairs { "n", "m", "once" } do
    expect(pcall(tm.timeout, 60, t.dict.update, t.dict, key, function(v) return v end), "key %s is still locked", key)
  end
  expect(t.dict:get("n") % 2 == 0 and t.dict:get("m", 0) % 2 == 0, "half of an update was stored")
  expect(t.permits:value() == 4, "%d permits of 4", t.permits:value())
  expect(tostring(t.once) == "once (not run)", "%s", t.once)
  for _, lock in ipairs { t.lock, t.rlock, t.condition } do
    local ok, taken = pcall(lock.acquire, lock, 60)
    expect(ok and taken, "%s", ok and "a lock is still held" or tostring(taken))
    if ok and taken then lock:release() end
  end
  if fired then
    expect(future:cancelled(), "cancelled but %s", tostring(future))
  else
    expect(future:done() and not future:cancelled() and not future:error(), "not cancelled but %s: %s", tostring(future),
      tostring(not future:cancelled() and future:error()))
  end
  if #problems > 0 then
    violations = violations + 1
    print(("%s: k = %s, line %d: %s"):format(name, k or "random", t.line:get(), table.concat(problems, "; ")))
  end
  return fired
end

local function run_at(name, k)
  local t = tally()
  t.open:set()
  local future
  tm.scope(function(s)
    future = s:spawn(child, s, name, k, t)
    future:ignore()
    tm.wait({ future })
  end)
  return check(name, k, t, future)
end

local names = {}
for name in pairs(scenarios) do
  if not only or name == only then names[#names + 1] = name end
end
table.sort(names)

for _, name in ipairs(names) do
  local k, before, began = 0, violations, tm.monotonic()
  repeat k = k + 1 until not run_at(name, k) or violations - before > 20
  print(("%-12s %5d instructions, %d violations, %.1f s"):format(name, k - 1, violations - before, tm.monotonic() - began))
end

local function run_random(name)
  local t = tally()
  t.open:set()
  local future
  tm.scope(function(s)
    future = s:spawn(child, s, name, nil, t)
    future:ignore()
    if math.random(4) > 1 then tm.sleep(math.random() * 0.003) end
    for _ = 1, math.random(0, 2000) do end
    future:cancel()
    tm.wait({ future })
  end)
  check(name, nil, t, future)
end

local runs, until_when = 0, tm.monotonic() + seconds
while tm.monotonic() < until_when and violations < 50 do
  run_random(names[math.random(#names)])
  runs = runs + 1
end
print(("random       %5d runs"):format(runs))
if violations > 0 then
  print(("%d violations"):format(violations))
  os.exit(1)
end
