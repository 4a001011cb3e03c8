--- Ten threads pay in and draw out; the lock keeps look and change together.
local tm = require "tidemill"

local balance, lock = tm.counter(1000), tm.lock()

local function withdraw(amount)
  local held <close> = lock:guard()
  if balance:get() < amount then return false end
  tm.sleep(0.001) -- without the lock others would change it here
  balance:add(-amount)
  return true
end

local function deposit(amount)
  local held <close> = lock:guard()
  balance:add(amount)
end

local threads = {}
for i = 1, 10 do
  threads[i] = tm.spawn(function()
    for _ = 1, 10 do
      if not withdraw(30) then deposit(50) end
    end
  end)
end
for _, t in ipairs(threads) do t:join() end
print("never below zero: " .. tostring(balance:get() >= 0))
print("steps of ten: " .. tostring(balance:get() % 10 == 0))

--[[ output
never below zero: true
steps of ten: true
]]
