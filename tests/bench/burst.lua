--- burst: n tasks submitted at once; each sleeps, then computes: who places them well keeps all workers busy.
--- arguments: n 400, sleep 50 (ms), turns 800000 (of the loop; about 10 ms)
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local bench = require "bench"
local tm = require "tidemill"

local function compute(turns)
  local sum = 0
  for i = 0, turns - 1 do sum = sum + i * i end
  return sum
end

local function task(sleep, turns)
  tm.sleep(sleep)
  return compute(turns)
end

local n, sleep, turns = bench.arg(1, 400), bench.arg(2, 50) / 1000, bench.arg(3, 800000)
local start = bench.now()
local expected = compute(turns)
local alone = bench.now() - start -- what one task computes, with the machine to itself

start = bench.now()
do
  local pool <close> = tm.executor { max_workers = n }
  local futures = {}
  for i = 1, n do futures[i] = pool:submit(task, sleep, turns) end
  for _, future in ipairs(futures) do assert(future:result() == expected) end
end
bench.report("burst", n, bench.now() - start, { task_ms = alone * 1000 })
