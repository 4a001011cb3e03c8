--- event: n tasks wait for one event, which is set once; the time from then until the last of them has run.
--- arguments: n 100000
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local bench = require "bench"
local tm = require "tidemill"

local n = bench.arg(1, 100000)
local go, begun, ran, all = tm.event(), tm.counter(), tm.counter(), tm.event()

local function wait()
  begun:add()
  go:wait()
  if ran:add() == n then all:set() end
end

local start, cpu, woken, set
tm.scope(function(scope)
  for _ = 1, n do scope:spawn(wait) end
  while begun:get() < n do tm.sleep(0.01) end
  tm.sleep(0.1) -- the last of them has begun to wait
  start, cpu = bench.now(), os.clock()
  go:set()
  set = bench.now() - start
  all:wait()
  woken, cpu = bench.now() - start, os.clock() - cpu
end)
bench.report("event", n, woken, { woken_ms = woken * 1000, set_ms = set * 1000, cpu_ms = cpu * 1000 })
