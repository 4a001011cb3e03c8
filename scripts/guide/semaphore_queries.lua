--- Ten queries, at most three at a time.
local tm = require "tidemill"

local slots, running, most = tm.semaphore(3), tm.counter(), tm.dict()

local function query()
  local slot <close> = slots:guard()
  local now = running:add()
  most:update("most", function(n) return math.max(n or 0, now) end)
  tm.sleep(0.5)
  running:add(-1)
end

local began = tm.monotonic()
local threads = {}
for i = 1, 10 do threads[i] = tm.spawn(query) end
for _, t in ipairs(threads) do t:join() end
print("at once at most: " .. most:get("most"))
print(("10 queries of 0.5 s took %.0f s"):format(tm.monotonic() - began))

--[[ output
at once at most: 3
10 queries of 0.5 s took 2 s
]]
