--- The smallest priority comes first; equal ones come in the order in which they went in.
local tm = require "tidemill"

local q = tm.priority_queue()
q:put("write the report", 2)
q:put("put out the fire", 1)
q:put("water the plants", 3)
q:put("answer the phone", 2)
q:shutdown()
while true do
  local task, priority = q:get()
  if task == nil then break end
  print(priority, task)
end

--[[ output
1	put out the fire
2	write the report
2	answer the phone
3	water the plants
]]
