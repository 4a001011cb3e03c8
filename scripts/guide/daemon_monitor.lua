--- A daemon that watches while the work goes on. The program does not wait for it; it is cancelled at the end, and its
--- <close> variables run.
local tm = require "tidemill"

local function monitor()
  local last <close> = setmetatable({}, { __close = function() print("monitor: bye") end })
  while true do
    print("monitor: all is well")
    tm.sleep(1)
  end
end

tm.thread { target = monitor, name = "monitor", daemon = true }:start()
tm.sleep(2.5)
print("the work is done")

--[[ output
monitor: all is well
monitor: all is well
monitor: all is well
the work is done
monitor: bye
]]
