--- many: n tasks that each sleep, all at once, in one scope.
--- arguments: n 10000, seconds 1
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local bench = require "bench"
local tm = require "tidemill"

local n, sleep = bench.arg(1, 10000), bench.arg(2, 1)

local function nap() tm.sleep(sleep) end

local base = bench.rss_kib("VmRSS")
local start = bench.now()
tm.scope(function(scope)
  for _ = 1, n do scope:spawn(nap) end
end)
local seconds = bench.now() - start
bench.report("many", n, seconds, { bytes_per_task = (bench.rss_kib() - base) * 1024 // n, sleep = sleep })
