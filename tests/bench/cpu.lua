--- cpu: n tasks, each the sum of i * i for i < limit.
--- arguments: n 20, limit 2000000, workers 2, mode pool
---   pool          each task submitted to a pool
---   main          one by one in the main chunk; plain lua5.4 runs this one, too
---   pool-globals  as pool, with a task that works on globals
---   main-globals  as main, with a task that works on globals

package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local bench = require "bench"

local function sum(limit)
  local total = 0
  for i = 0, limit - 1 do total = total + i * i end
  return total
end

-- What a script without a single `local` does: functions, values and the library, all by global name.
-- luacheck: push globals total factor add sum_of_globals
factor = 1

function add(i)
  total = total + math.abs(i) * factor
end

function sum_of_globals(limit)
  total = 0
  for i = 0, limit // 10 - 1 do add(i) end
  return total
end
local sum_globals = sum_of_globals
-- luacheck: pop

local n, limit = bench.arg(1, 20), bench.arg(2, 2000000)
local workers, mode = bench.arg(3, 2), bench.arg(4, "pool")
local task = mode:find("globals$") and sum_globals or sum
local results = {}

local start = bench.now()
if mode:find("^main") then
  for k = 1, n do results[k] = task(limit) end
elseif mode:find("^pool") then
  local pool <close> = require("tidemill").executor { max_workers = workers }
  local futures = {}
  for k = 1, n do futures[k] = pool:submit(task, limit) end
  for k = 1, n do results[k] = futures[k]:result() end
else
  error("argument 4: pool, main, pool-globals or main-globals expected, got '" .. mode .. "'", 0)
end
local seconds = bench.now() - start
for k = 1, n do assert(results[k] == results[1]) end
bench.report("cpu", n, seconds, { workers = workers, mode = mode })
