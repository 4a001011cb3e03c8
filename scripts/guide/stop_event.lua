--- Two producers and three consumers, until an event says stop. Consumers look at it whenever `get` has waited long,
--- and go on until the queue is empty.
local tm = require "tidemill"

local q, stop = tm.queue { maxsize = 10 }, tm.event()
local made, used = tm.counter(), tm.counter()

local function producer()
  while not stop:wait(0.1) do -- a pause that the event ends at once
    if q:put("item", 0.5) then made:add() end
  end
end

local function consumer()
  while true do
    local item = q:get(0.5) -- nil where the time was over
    if item then
      used:add()
    elseif stop:is_set() then
      return
    end
  end
end

local threads = {}
for _ = 1, 2 do threads[#threads + 1] = tm.spawn(producer) end
for _ = 1, 3 do threads[#threads + 1] = tm.spawn(consumer) end
tm.sleep(1)
stop:set()
for _, t in ipairs(threads) do t:join() end
print("more than ten items: " .. tostring(made:get() > 10))
print("all that was made was used: " .. tostring(made:get() == used:get()))

--[[ output
more than ten items: true
all that was made was used: true
]]
