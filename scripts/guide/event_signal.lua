--- Two consumers wait until the producer says that the data is there.
local tm = require "tidemill"

local ready, data, said = tm.event(), tm.dict(), tm.queue()

local function producer()
  said:put("producer: preparing")
  tm.sleep(2)
  data:set("value", 42)
  ready:set()
end

local function consumer(name)
  ready:wait()
  said:put(name .. ": got " .. data:get("value"))
end

local consumers = { tm.spawn(consumer, "consumer 1"), tm.spawn(consumer, "consumer 2") }
tm.spawn(producer)
print((said:get()))
for _, t in ipairs(consumers) do t:join() end
local lines = said:get_many(2)
table.sort(lines)
print(table.concat(lines, "\n"))

--[[ output
producer: preparing
consumer 1: got 42
consumer 2: got 42
]]
