--- A join that does not wait for ever. It says itself whether the thread has ended.
local tm = require "tidemill"

local t = tm.thread { target = function() tm.sleep(2) end, name = "slow" }
t:start()
print("joined within 1 s: " .. tostring(t:join(1)))
print("still alive: " .. tostring(t:is_alive()))
print("joined: " .. tostring(t:join()))
print("still alive: " .. tostring(t:is_alive()))

--[[ output
joined within 1 s: false
still alive: true
joined: true
still alive: false
]]
