--- gcpause: a 1 ms ticker that makes garbage in a state where n tasks wait. How long does the collector hold it up?
--- arguments: n 10000, seconds 5, garbage 500 (tables a tick)
--- Run with --workers 1: then all tasks are in one state.
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local bench = require "bench"
local tm = require "tidemill"

local n, seconds, garbage = bench.arg(1, 10000), bench.arg(2, 5), bench.arg(3, 500)
local finish, waiting = tm.event(), tm.counter()

local function wait()
  waiting:add(1)
  finish:wait()
end

local function tick()
  local cycles = 0
  -- an object that is collected and made anew counts the collector's cycles
  local function sentinel()
    setmetatable({}, { __gc = function()
      cycles = cycles + 1
      sentinel()
    end })
  end
  sentinel()
  local function litter()
    for i = 1, garbage do local _ = { i } end
  end
  local late = bench.ticks(seconds, 0.001, litter)
  return late, cycles, collectgarbage("count")
end

local late, cycles, kib
tm.scope(function(scope)
  for _ = 1, n do scope:spawn(wait) end
  while waiting:get() < n do tm.sleep(0.01) end
  late, cycles, kib = scope:spawn(tick):result()
  finish:set()
end)
bench.report("gcpause", #late, seconds, bench.lateness(late, {
  waiting = n, cycles = cycles, state_mib = kib / 1024,
}))
