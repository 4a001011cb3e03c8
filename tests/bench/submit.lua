--- submit: n trivial tasks, one submit each, every future's result summed.
--- arguments: n 200000, workers 2
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local bench = require "bench"
local tm = require "tidemill"

local function double(i) return i * 2 end

local n, workers = bench.arg(1, 200000), bench.arg(2, 2)
local start = bench.now()
local total = 0
do
  local pool <close> = tm.executor { max_workers = workers }
  local futures = {}
  for i = 0, n - 1 do futures[i + 1] = pool:submit(double, i) end
  for _, future in ipairs(futures) do total = total + future:result() end
end
local seconds = bench.now() - start
assert(total == n * (n - 1))
bench.report("submit", n, seconds, { workers = workers })
