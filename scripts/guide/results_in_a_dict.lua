--- Results that threads leave in a shared dictionary. A lock makes several steps one; for single ones it is not needed.
local tm = require "tidemill"

local results, lock = tm.dict(), tm.lock()

local function square(i)
  tm.sleep(0.1)
  lock:with(function()
    results:set("square " .. i, i * i)
    results:set("last", i)
  end)
end

local threads = {}
for i = 1, 5 do threads[i] = tm.spawn(square, i) end
for _, t in ipairs(threads) do t:join() end
for i = 1, 5 do print(("square %d = %d"):format(i, results:get("square " .. i))) end

--[[ output
square 1 = 1
square 2 = 4
square 3 = 9
square 4 = 16
square 5 = 25
]]
