--- Three runners start together: nobody passes the barrier before all have reached it.
local tm = require "tidemill"

local barrier = tm.barrier(3, { action = function() print("all are ready") end })

local function runner(i)
  tm.sleep(i * 0.3)
  print("runner " .. i .. " is ready")
  barrier:wait()
  return "runner " .. i .. " runs"
end

local threads = {}
for i = 1, 3 do threads[i] = tm.spawn(runner, i) end
for _, t in ipairs(threads) do print(t:result()) end

--[[ output
runner 1 is ready
runner 2 is ready
runner 3 is ready
all are ready
runner 1 runs
runner 2 runs
runner 3 runs
]]
