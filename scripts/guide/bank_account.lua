--- Ten threads pay into one account and draw from it. The lock makes look and change one step.
local tm = require "tidemill"

local Account = {}
Account.__index = Account

--- An account travels to each thread as a copy; the counter and the lock inside are the same ones everywhere.
function Account.new(balance)
  return setmetatable({ balance = tm.counter(balance), lock = tm.lock() }, Account)
end

function Account:deposit(amount)
  local guard <close> = self.lock:guard()
  self.balance:add(amount)
end

function Account:withdraw(amount)
  local guard <close> = self.lock:guard()
  if self.balance:get() < amount then return false end
  tm.sleep(0.001) -- without the lock others would draw the same money here
  self.balance:add(-amount)
  return true
end

local account, refused = Account.new(1000), tm.counter()
local threads = {}
for i = 1, 10 do
  threads[i] = tm.spawn(function()
    for _ = 1, 10 do account:deposit(10) end
    for _ = 1, 2 do
      if not account:withdraw(150) then refused:add() end
    end
  end)
end
for _, t in ipairs(threads) do t:join() end
print("ever below zero: " .. tostring(account.balance:get() < 0))
print("the sums agree: " .. tostring(account.balance:get() == 1000 + 10 * 10 * 10 - (20 - refused:get()) * 150))

--[[ output
ever below zero: false
the sums agree: true
]]
