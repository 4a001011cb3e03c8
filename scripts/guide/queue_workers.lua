--- Four workers take from a queue until a sentinel comes, one for each. `jobs:shutdown()` would end all of them,
--- however many they are: see worker_pool.lua.
local tm = require "tidemill"

local SENTINEL <const> = "stop"
local jobs, done = tm.queue(), tm.counter()

local function worker()
  while true do
    local job = jobs:get()
    if job ~= SENTINEL then
      tm.sleep(0.1)
      done:add()
    end
    jobs:task_done()
    if job == SENTINEL then return end
  end
end

local workers = {}
for i = 1, 4 do workers[i] = tm.spawn(worker) end
for i = 1, 20 do jobs:put(i) end
for _ = 1, 4 do jobs:put(SENTINEL) end
jobs:join() -- until task_done was called for each item
for _, t in ipairs(workers) do t:join() end
print(done:get() .. " jobs done")

--[[ output
20 jobs done
]]
