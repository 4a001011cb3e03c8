--- Two consumers wait until the producer says that the data is there.
local tm = require "tidemill"

local ready, data = tm.event(), tm.dict()

local function producer()
  print("producer: preparing")
  tm.sleep(1)
  data:set("value", 42)
  ready:set() -- wakes both, and stays set for who comes later
end

local function consumer(name)
  ready:wait()
  return name .. " got " .. data:get("value")
end

local consumers = { tm.spawn(consumer, "consumer 1"), tm.spawn(consumer, "consumer 2") }
tm.spawn(producer)
for _, t in ipairs(consumers) do print(t:result()) end

--[[ output
producer: preparing
consumer 1 got 42
consumer 2 got 42
]]
