--- Lost updates: between get and set others have changed the value. A lock, a counter or an atomic update lose none.
local tm = require "tidemill"

local THREADS <const>, EACH <const> = 4, 250

local function run(step)
  local threads = {}
  for i = 1, THREADS do
    threads[i] = tm.spawn(function()
      for _ = 1, EACH do step() end
    end)
  end
  for _, t in ipairs(threads) do t:join() end
end

local d, lock, counter = tm.dict { racy = 0, locked = 0, updated = 0 }, tm.lock(), tm.counter()

run(function()
  local n = d:get("racy")
  tm.sleep(0) -- others have their turn here
  d:set("racy", n + 1)
end)
print("without a lock some are lost: " .. tostring(d:get("racy") < THREADS * EACH))

run(function()
  lock:with(function() d:set("locked", d:get("locked") + 1) end)
end)
print("with a lock: " .. d:get("locked"))

run(function() counter:add() end)
print("with a counter: " .. counter:get())

run(function() d:update("updated", function(n) return n + 1 end) end)
print("with an atomic update: " .. d:get("updated"))

--[[ output
without a lock some are lost: true
with a lock: 1000
with a counter: 1000
with an atomic update: 1000
]]
