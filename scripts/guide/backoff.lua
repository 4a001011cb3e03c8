--- Twenty calls to an API that often fails, each tried again after pauses that grow.
local tm = require "tidemill"

local failures = tm.counter()

local function call(i)
  local attempts = 0
  return tm.retry(function()
    attempts = attempts + 1
    tm.sleep(0.05)
    if attempts <= i % 4 then -- stands for a server that is busy
      failures:add()
      error("503 from call " .. i, 0)
    end
    return "answer " .. i
  end, { attempts = 5, backoff = 0.1, factor = 2 })
end

local pool <close> = tm.executor { max_workers = 5 }
local items = {}
for i = 1, 20 do items[i] = i end
local answers = 0
for _ in pool:map(call, items) do answers = answers + 1 end
print(answers .. " answers, after " .. failures:get() .. " failures")

--[[ output
20 answers, after 30 failures
]]
