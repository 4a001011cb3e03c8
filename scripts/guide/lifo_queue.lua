--- The newest comes first.
local tm = require "tidemill"

local q = tm.lifo_queue()
for _, page in ipairs { "first", "second", "third" } do q:put(page) end
while #q > 0 do print((q:get())) end

--[[ output
third
second
first
]]
