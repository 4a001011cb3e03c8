--- A method that holds the lock calls another that takes it, too: an rlock lets its owner in again.
local tm = require "tidemill"

local values, lock = tm.dict(), tm.rlock()

local function get(key)
  return lock:with(function() return values:get(key) end)
end

local function set(key, value)
  lock:with(function() values:set(key, value) end)
end

local function get_or_set(key, make)
  return lock:with(function()
    local value = get(key)
    if value == nil then
      value = make()
      set(key, value)
    end
    return value
  end)
end

local made = tm.counter()
local threads = {}
for i = 1, 5 do
  threads[i] = tm.spawn(function()
    return get_or_set("answer", function()
      made:add()
      tm.sleep(0.1)
      return 42
    end)
  end)
end
for _, t in ipairs(threads) do print(t:result()) end
print("made " .. made:get() .. " time")

--[[ output
42
42
42
42
42
made 1 time
]]
