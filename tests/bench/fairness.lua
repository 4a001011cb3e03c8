--- fairness: a ticker while other tasks spin on the CPU. Of how many ticks does it get, and how late?
--- arguments: seconds 5, spinners 8, period 10 (ms), where task (the ticker is one among the tasks) or main
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local bench = require "bench"
local tm = require "tidemill"

local seconds, spinners, period = bench.arg(1, 5), bench.arg(2, 8), bench.arg(3, 10) / 1000
local where = bench.arg(4, "task")
local stop = tm.event()

local function spin()
  local count = 0
  while not stop:is_set() do
    for _ = 1, 10000 do count = count + 1 end
  end
  return count
end

local pool <close> = tm.executor { max_workers = spinners + 1 }
local all = {}
for k = 1, spinners do all[k] = pool:submit(spin) end
local late
if where == "main" then
  late = bench.ticks(seconds, period)
else
  late = pool:submit(bench.ticks, seconds, period):result()
end
stop:set()
local spins = 0
for _, spinner in ipairs(all) do spins = spins + spinner:result() end
bench.report("fairness", #late, seconds, bench.lateness(late, {
  expected = math.floor(seconds / period + 0.5), mspins = spins / 1e6, where = where,
}))
