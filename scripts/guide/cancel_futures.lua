--- Ten tasks for two workers; the last six are cancelled before they start.
local tm = require "tidemill"

local pool <close> = tm.executor { max_workers = 2 }
local futures = {}
for i = 1, 10 do
  futures[i] = pool:submit(function(n)
    tm.sleep(1)
    return n
  end, i)
end
tm.sleep(0.5) -- the first two run now, eight are pending
for i = 5, 10 do print("cancel " .. i .. ": " .. tostring(futures[i]:cancel())) end
for i = 1, 4 do print("result " .. futures[i]:result()) end
print("10 is cancelled: " .. tostring(futures[10]:cancelled()))
print("cancel 1, which is done: " .. tostring(futures[1]:cancel()))

--[[ output
cancel 5: true
cancel 6: true
cancel 7: true
cancel 8: true
cancel 9: true
cancel 10: true
result 1
result 2
result 3
result 4
10 is cancelled: true
cancel 1, which is done: false
]]
