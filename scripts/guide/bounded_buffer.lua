--- A buffer of three places, made of a condition and a deque: producers wait for room, consumers for items.
local tm = require "tidemill"

local CAPACITY <const> = 3
local condition, items, most = tm.condition(), tm.deque(), tm.counter()

local function put(item)
  local guard <close> = condition:guard()
  condition:wait_for(function() return #items < CAPACITY end)
  items:append(item)
  most:set(math.max(most:get(), #items)) -- two steps, but under the lock
  condition:notify_all()
end

local function take()
  local guard <close> = condition:guard()
  condition:wait_for(function() return #items > 0 end)
  condition:notify_all()
  return items:popleft()
end

local producer = tm.spawn(function()
  for i = 1, 6 do put(i) end
  put("end")
end)
local consumer = tm.spawn(function()
  local sum = 0
  for item in take do
    if item == "end" then break end
    sum = sum + item
    tm.sleep(0.1)
  end
  return sum
end)
producer:join()
print("sum of what was consumed: " .. consumer:result())
print("in the buffer at most: " .. most:get())

--[[ output
sum of what was consumed: 21
in the buffer at most: 3
]]
