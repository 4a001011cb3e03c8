--- map: the tasks of submit.lua through one map, whose chunks the pool chooses.
--- arguments: n 200000, workers 2
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local bench = require "bench"
local tm = require "tidemill"

local function double(i) return i * 2 end

local n, workers = bench.arg(1, 200000), bench.arg(2, 2)
local start = bench.now()
local total = 0
do
  local numbers = {}
  for i = 1, n do numbers[i] = i - 1 end
  local pool <close> = tm.executor { max_workers = workers }
  for _, value in pool:map(double, numbers) do total = total + value end
end
local seconds = bench.now() - start
assert(total == n * (n - 1))
bench.report("map", n, seconds, { workers = workers })
