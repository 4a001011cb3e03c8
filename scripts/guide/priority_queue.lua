--- The smallest priority comes first; equal ones come in the order in which they went in.
local tm = require "tidemill"

local jobs = tm.priority_queue()
jobs:put("write the report", 2)
jobs:put("put out the fire", 1)
jobs:put({ "water", "the", "plants" }, 3) -- items are never compared: anything may be one
jobs:put("answer the phone", 2)
jobs:shutdown()
for job, priority in jobs do
  print(priority, type(job) == "table" and table.concat(job, " ") or job)
end

--[[ output
1    put out the fire
2    write the report
2    answer the phone
3    water the plants
]]
