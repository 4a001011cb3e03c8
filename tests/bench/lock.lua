--- lock: tasks increment one counter under a lock. arguments: tasks 8, each 100000
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local bench = require "bench"
local tm = require "tidemill"

local tasks, each = bench.arg(1, 8), bench.arg(2, 100000)
local lock, counter = tm.lock(), tm.counter()

local function work()
  for _ = 1, each do
    lock:acquire()
    counter:set(counter:get() + 1)
    lock:release()
  end
end

local pool <close> = tm.executor { max_workers = tasks }
local start = bench.now()
local futures = {}
for i = 1, tasks do futures[i] = pool:submit(work) end
tm.gather(futures)
local seconds = bench.now() - start
assert(counter:get() == tasks * each, "lost updates")
bench.report("lock", tasks * each, seconds)
