--- The newest comes first.
local tm = require "tidemill"

local pages = tm.lifo_queue()
for _, page in ipairs { "first", "second", "third" } do pages:put(page) end
pages:shutdown() -- no more will come, so the loop ends where the queue is empty
for page in pages do print(page) end

--[[ output
third
second
first
]]
