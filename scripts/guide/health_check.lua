--- A check every two seconds, stopped after seven.
local tm = require "tidemill"

local began = tm.monotonic()
local timer = tm.every(2, function(tick)
  print(("check %d after %.0f s: healthy"):format(tick.number, tm.monotonic() - began))
end, { immediate = true })
tm.sleep(7)
timer:stop():join()
print("stopped after " .. timer:stats().runs .. " checks")

--[[ output
check 1 after 0 s: healthy
check 2 after 2 s: healthy
check 3 after 4 s: healthy
check 4 after 6 s: healthy
stopped after 4 checks
]]
