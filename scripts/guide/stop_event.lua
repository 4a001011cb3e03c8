--- Two producers and three consumers, until an event says stop; consumers look at it whenever get has waited long enough.
local tm = require "tidemill"

local q, stop = tm.queue { maxsize = 10 }, tm.event()
local made, used = tm.counter(), tm.counter()

local function producer()
  while not stop:is_set() do
    if q:put("item", 0.5) then made:add() end
    tm.sleep(0.1)
  end
end

local function consumer()
  while true do
    local item = q:get(0.5)
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
tm.sleep(2.05)
stop:set()
for _, t in ipairs(threads) do t:join() end
print("all that was made was used: " .. tostring(made:get() == used:get()))
print("some forty items: " .. tostring(math.abs(made:get() - 42) <= 4))

--[[ output
all that was made was used: true
some forty items: true
]]
