--- The last three of many: a deque that drops at the other end.
local tm = require "tidemill"

local recent = tm.deque { maxlen = 3 }
for i = 1, 5 do recent:append("request " .. i) end
print(table.concat(recent:items(), ", "))
recent:appendleft("request 0")
print(table.concat(recent:items(), ", "))

--[[ output
request 3, request 4, request 5
request 0, request 3, request 4
]]
