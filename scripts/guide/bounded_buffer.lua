--- A buffer of three places: producers wait for room, consumers for items, both on a condition.
local tm = require "tidemill"

local condition, items = tm.condition(), tm.deque()
local CAPACITY <const> = 3

local function put(item)
  condition:with(function()
    condition:wait_for(function() return #items < CAPACITY end)
    items:append(item)
    condition:notify_all()
  end)
end

local function take()
  return condition:with(function()
    condition:wait_for(function() return #items > 0 end)
    local item = items:popleft()
    condition:notify_all()
    return item
  end)
end

local producer = tm.spawn(function()
  for i = 1, 6 do put(i) end
  put("end")
end)
local consumer = tm.spawn(function()
  local sum = 0
  for item in take do
    if item == "end" then return sum end
    sum = sum + item
    tm.sleep(0.1)
  end
end)
producer:join()
print("sum of what was consumed: " .. consumer:result())

--[[ output
sum of what was consumed: 21
]]
