--- Start, end, failure, cancellation and time-outs of threads made to come together: many tasks on all workers start threads
--- and join, ask, and cancel them at the same instants; a hook counts the failures that nobody asked for. At the end every
--- thread has ended, each failure was told exactly once or had by somebody, and none is left in enumerate().
--- TIDE_STRESS_SECONDS: how long, 5 by default.
local tm = require "tidemill"

local seconds = tonumber(os.getenv("TIDE_STRESS_SECONDS")) or 5
local seed = tonumber(os.getenv("TIDE_SEED")) or os.time()
print(("seed: TIDE_SEED=%d"):format(seed))
math.randomseed(seed)

local t = {
  started = tm.counter(), ended = tm.counter(), failed = tm.counter(), told = tm.counter(), asked = tm.counter(),
  cancelled = tm.counter(), late = tm.counter(), wrong = tm.counter(),
}

tm.thread.set_excepthook(function(e)
  if e.error ~= "on purpose" then t.wrong:add() end
  t.told:add()
end)

--- What a thread does: at its end it has counted itself.
local function work(kind, pause)
  local me = tm.thread.current()
  local closer <close> = setmetatable({}, { __close = function() t.ended:add() end })
  t.started:add()
  if not me:is_alive() or closer == nil then t.wrong:add() end
  if pause > 0 then tm.sleep(pause) end
  if kind == 1 then
    tm.shield(t.failed.add, t.failed)
    error("on purpose", 0)
  end
  return "done"
end

--- Does something to a thread that others may do something to as well.
local function meddle(thread, random)
  local what = random % 7
  local limit = (random // 7 % 10) * 0.00005
  if what == 0 then
    thread:cancel()
  elseif what <= 2 then
    if not thread:join(limit) then t.late:add() end
  elseif what == 3 then
    local ok, e = pcall(thread.result, thread, limit)
    if not ok and type(e) == "table" and e.kind ~= "timeout" and e.kind ~= "cancelled" then t.wrong:add() end
  elseif what == 4 then
    local ok = pcall(tm.timeout, limit, thread.error, thread)
    if not ok then t.late:add() end
  elseif what == 5 then
    pcall(thread.start, thread)
  else
    for _, other in ipairs(tm.thread.enumerate()) do
      if other.name == "" then t.wrong:add() end
    end
  end
end

local until_when = tm.monotonic() + seconds
local pool <close> = tm.executor { max_workers = 64, name = "meddlers" }

--- Makes threads until the time is over, and has others meddle with them while it does so itself.
local function maker(number)
  math.randomseed(seed, number)
  local last
  local made = 0
  while tm.monotonic() < until_when do
    local thread = tm.thread {
      target = work, args = { math.random(3), math.random(3) == 1 and math.random() * 0.0003 or 0 },
      daemon = math.random(2) == 1,
    }
    local helpers = {}
    if math.random(4) == 1 then helpers[1] = pool:submit(function() pcall(thread.start, thread) end) end
    if math.random(20) > 1 then pcall(thread.start, thread) else thread:cancel() end
    for i = #helpers + 1, #helpers + math.random(0, 3) do
      helpers[i] = pool:submit(function(r) pcall(meddle, thread, r) end, math.random(1 << 20))
    end
    pcall(thread.start, thread)
    pcall(meddle, math.random(2) == 1 and last or thread, math.random(1 << 20))
    for _, f in ipairs(helpers) do f:result(60) end
    if not thread:join(60) then t.wrong:add() end
    if thread:is_alive() then t.wrong:add() end
    last, made = thread, made + 1
  end
  return made
end

local makers = {}
for i = 1, 8 do makers[i] = pool:submit(function(n) return select(2, pcall(maker, n)) end, i) end
local made = 0
for _, f in ipairs(makers) do
  local n = f:result(seconds + 120)
  assert(math.type(n) == "integer", n)
  made = made + n
end
assert(tm.thread.active_count() == 1, "threads are left: " .. tm.thread.active_count())
assert(#tm.thread.enumerate() == 1)
tm.sleep(0.1) -- what was told runs as tasks here
print(("%d threads: %d ran, %d failed, of which %d were told of"):format(made, t.started:get(), t.failed:get(),
  t.told:get()))
assert(t.wrong:get() == 0, "something went wrong " .. t.wrong:get() .. " times")
assert(t.started:get() == t.ended:get(), "a thread began and did not end")
assert(t.told:get() <= t.failed:get(), "a failure was told twice")
