--- A thread knows its name.
local tm = require "tidemill"

local t = tm.thread {
  name = "Worker-A",
  target = function() print("in " .. tm.thread.current().name) end,
}
t:start()
t:join()
print("in " .. tm.thread.current().name)

--[[ output
in Worker-A
in main
]]
