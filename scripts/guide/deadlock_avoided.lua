--- The same with time-outs: who does not get the second lock lets go of the first, and tries again a little later.
local tm = require "tidemill"

local a, b = tm.lock(), tm.lock()

local function cross(first, second, patience)
  local attempts = 0
  while true do
    attempts = attempts + 1
    local one <close> = first:guard()
    tm.sleep(0.1)
    if second:acquire(patience) then
      second:release()
      return attempts
    end
    one:release()
    tm.sleep(patience)
  end
end

local left, right = tm.spawn(cross, a, b, 0.1), tm.spawn(cross, b, a, 0.3)
print("both had both: " .. tostring(left:result() >= 1 and right:result() >= 1))

--[[ output
both had both: true
]]
