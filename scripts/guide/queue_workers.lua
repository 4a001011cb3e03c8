--- Four workers take from a queue. A sentinel ends each of them, as in the guide; `shutdown` would end them all at once.
local tm = require "tidemill"

local jobs, done = tm.queue(), tm.counter()
local SENTINEL <const> = "stop"

local function worker()
  while true do
    local job = jobs:get()
    if job == SENTINEL then
      jobs:task_done()
      return
    end
    tm.sleep(0.1)
    done:add()
    jobs:task_done()
  end
end

local workers = {}
for i = 1, 4 do workers[i] = tm.spawn(worker) end
for i = 1, 20 do jobs:put(i) end
for _ = 1, 4 do jobs:put(SENTINEL) end
jobs:join()
for _, t in ipairs(workers) do t:join() end
print(done:get() .. " jobs done")

--[[ output
20 jobs done
]]
