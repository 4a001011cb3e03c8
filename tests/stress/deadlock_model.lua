--- Random steps of a few tasks through a few locks and each other's results, one at a time, beside a model that is a
--- dozen lines long: it says which step is done at once, which waits and for whom, which would close a cycle and has to
--- raise, who gets a lock that becomes free, and who is told that a lock was abandoned. Every answer must be the model's,
--- no more and no less. To be run with --virtual-time: there a moment's sleep ends when all others are at rest.
--- TIDE_STRESS_SECONDS: how long, 6 by default.
local tm = require "tidemill"

local seconds = tonumber(os.getenv("TIDE_STRESS_SECONDS")) or 6
local seed = tonumber(os.getenv("TIDE_SEED")) or os.time()
print(("seed: TIDE_SEED=%d"):format(seed))
math.randomseed(seed)

local ACTORS, LOCKS, STEPS, LIMIT = 6, 4, 120, 60

--- Does what it is told, and answers with what came of it: "ok", "timeout", or the sort of error.
local function actor(number, inbox, replies)
  local function sort_of(e)
    e = tostring(e)
    for sort, words in pairs { deadlock = "deadlock:", abandoned = "is abandoned", ["not held"] = "cannot release" } do
      if e:find(words, 1, true) then return sort end
    end
    return e
  end
  local deeds = {
    acquire = function(lock) return lock:acquire() end,
    acquire_timed = function(lock) return lock:acquire(0.003) end,
    release = function(lock) lock:release() return true end,
    join = function(future) future:result() return true end,
  }
  while true do
    local order = inbox:get()
    if order.what == "finish" then return number end
    local ok, answer = pcall(deeds[order.what], order.object)
    replies:put { number, ok and (answer and "ok" or "timeout") or sort_of(answer) }
  end
end

--- One world: real tasks and locks, and the model of them.
local function round()
  local pool = tm.executor { max_workers = ACTORS, name = "actors" }
  local ended_well = false
  local _ <close> = setmetatable({}, {
    __close = function() pool:shutdown { cancel = not ended_well and "all" or "none" } end,
  })
  local replies = tm.queue()
  local locks, inbox, futures = {}, {}, {}
  for j = 1, LOCKS do locks[j] = tm.lock() end
  for i = 1, ACTORS do
    inbox[i] = tm.queue()
    futures[i] = pool:submit(actor, i, inbox[i], replies)
  end

  -- the model: owner[j] an actor; queue[j] who waits for the lock; on[i] = { lock = j } or { join = k }; ended[i]
  local owner, queue, on, ended, held = {}, {}, {}, {}, {}
  for j = 1, LOCKS do queue[j] = {} end
  for i = 1, ACTORS do held[i] = {} end
  local log = {}

  --- True if somebody who waits for `k` waits for `goal` in the end.
  local function leads_to(k, goal)
    while k do
      if k == goal then return true end
      local w = on[k]
      k = w and (w.join or owner[w.lock])
    end
    return false
  end

  local function give(expected, j)
    local i = table.remove(queue[j], 1)
    owner[j] = i
    if i then
      held[i][j], on[i], expected[i] = true, nil, "ok"
    end
  end

  --- Sends an order and returns the answers that it must lead to.
  local function step(i, what, target)
    local expected = {}
    log[#log + 1] = ("%d %s %s"):format(i, what, target or "")
    if what == "acquire" then
      local o = owner[target]
      if not o then
        owner[target], held[i][target], expected[i] = i, true, "ok"
      elseif leads_to(o, i) then
        expected[i] = "deadlock"
      else
        on[i] = { lock = target }
        table.insert(queue[target], i)
      end
    elseif what == "acquire_timed" then
      if owner[target] then
        expected[i] = "timeout"
      else
        owner[target], held[i][target], expected[i] = i, true, "ok"
      end
    elseif what == "release" then
      if held[i][target] then
        held[i][target], expected[i] = nil, "ok"
        give(expected, target)
      else
        expected[i] = "not held"
      end
    elseif what == "join" then
      if ended[target] then
        expected[i] = "ok"
      elseif leads_to(target, i) then
        expected[i] = "deadlock"
      else
        on[i] = { join = target }
      end
    elseif what == "finish" then
      ended[i] = true
      for k, w in pairs(on) do
        if w.join == i then on[k], expected[k] = nil, "ok" end
      end
      for j in pairs(held[i]) do
        for _, k in ipairs(queue[j]) do on[k], expected[k] = nil, "abandoned" end
        queue[j], owner[j] = {}, nil
      end
    end
    local object = (what == "join" and futures or locks)[target]
    inbox[i]:put { what = what, object = object }
    if on[i] then tm.sleep(0.001) end -- in virtual time: until everybody is at rest, so it stands in its queue now
    return expected
  end

  local function settle(expected, i, what)
    while next(expected) do
      local reply, why = replies:get(LIMIT)
      if not reply then
        local left = {}
        for k, answer in pairs(expected) do left[#left + 1] = k .. " " .. answer end
        error(("no answer (%s); expected: %s\n%s"):format(why, table.concat(left, ", "), table.concat(log, "\n")))
      end
      local k, answer = reply[1], reply[2]
      if expected[k] ~= answer then
        error(("task %d answered '%s', the model says '%s', after:\n%s"):format(k, answer, expected[k] or "it waits",
          table.concat(log, "\n")))
      end
      expected[k] = nil
    end
    if what == "finish" then
      futures[i]:result(LIMIT)
      for j in pairs(held[i]) do locks[j]:reset() end
      held[i] = {}
    end
    local extra = replies:try_get()
    if extra then
      error(("task %d answered '%s' unasked, after:\n%s"):format(extra[1], extra[2], table.concat(log, "\n")))
    end
  end

  local function idle()
    local list = {}
    for i = 1, ACTORS do if not on[i] and not ended[i] then list[#list + 1] = i end end
    return list
  end

  local deadlocks = 0
  local kinds = { "acquire", "acquire", "acquire", "acquire", "acquire_timed", "release", "release", "join" }
  for _ = 1, STEPS do
    local free = idle()
    if #free == 0 then break end -- all have ended; that all wait would be a cycle, which the model refuses
    local i = free[math.random(#free)]
    local what = math.random(60) == 1 and "finish" or kinds[math.random(#kinds)]
    local target = math.random(LOCKS)
    if what == "join" then target = (i + math.random(ACTORS - 1) - 1) % ACTORS + 1 end
    if what == "release" and next(held[i]) and math.random(4) > 1 then target = next(held[i]) end
    local expected = step(i, what, target)
    for _, answer in pairs(expected) do if answer == "deadlock" then deadlocks = deadlocks + 1 end end
    settle(expected, i, what)
  end
  while true do -- everybody lets go and ends; who waited goes on
    local i = idle()[1]
    if not i then break end
    for j in pairs(held[i]) do settle(step(i, "release", j), i, "release") end
    settle(step(i, "finish"), i, "finish")
  end
  for i = 1, ACTORS do assert(ended[i], "a task is left that waits") end
  ended_well = true
  return #log, deadlocks
end

local steps, deadlocks, rounds, stop = 0, 0, 0, tm.monotonic() + seconds
repeat
  local n, d = round()
  steps, deadlocks, rounds = steps + n, deadlocks + d, rounds + 1
until tm.monotonic() > stop
print(("%d rounds, %d steps, %d deadlocks foretold and told"):format(rounds, steps, deadlocks))
assert(deadlocks > 0, "no deadlock was tried")
