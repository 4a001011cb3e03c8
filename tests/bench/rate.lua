--- rate: tasks on all workers pass a rate limiter. How exactly the rate is kept, and the most that pass in any 100 ms.
---
---   rate.lua PER_SECOND TASKS SECONDS
local bench = dofile((arg[0]:match("^(.*)/") or ".") .. "/bench.lua")
local tm = require "tidemill"

local rate, tasks, seconds = bench.arg(1, 10000), bench.arg(2, 64), bench.arg(3, 5)
local BURST, WINDOW <const> = rate // 100, 0.1

local function pass(limiter, stop)
  local times, n = {}, 0
  while true do
    limiter:wait()
    local t = tm.monotonic()
    if t > stop then return times end
    n = n + 1
    times[n] = t
  end
end

local limiter = tm.rate_limiter { per_second = rate, burst = BURST }
local pool <close> = tm.executor { max_workers = tasks }
while limiter:try() do end -- what it has saved up is no rate
local began, futures, times = bench.now(), {}, {}
for i = 1, tasks do futures[i] = pool:submit(pass, limiter, began + seconds) end
for i = 1, tasks do
  local some = futures[i]:result()
  table.move(some, 1, #some, #times + 1, times)
end
table.sort(times)
local most, first = 0, 1
for i, t in ipairs(times) do
  while t - times[first] > WINDOW do first = first + 1 end
  most = math.max(most, i - first + 1)
end
local off = math.abs(#times / (rate * seconds) - 1) * 100
bench.report("rate", #times, seconds, { off_percent = off, most_in_window = most, burst = BURST,
  over = math.max(0, most - rate * WINDOW - BURST) })
