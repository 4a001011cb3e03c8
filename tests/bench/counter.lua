--- counter: tasks add 1 to one counter.
--- arguments: tasks 8, each 100000
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local bench = require "bench"
local tm = require "tidemill"

local tasks, each = bench.arg(1, 8), bench.arg(2, 100000)
local counter = tm.counter()

local start = bench.now()
do
  local pool <close> = tm.executor { max_workers = tasks }
  local futures = {}
  for i = 1, tasks do
    futures[i] = pool:submit(function()
      for _ = 1, each do counter:add(1) end
    end)
  end
  tm.gather(futures)
end
local seconds = bench.now() - start
assert(counter:get() == tasks * each)
bench.report("counter", tasks * each, seconds)
