--- The same with time-outs: who does not get the second lock lets go of the first, and tries again a little later.
local tm = require "tidemill"

local a, b = tm.lock(), tm.lock()

local function cross(first, second, patience)
  for attempt = 1, 100 do
    do
      local one <close> = first:guard()
      tm.sleep(0.1)
      local two <close> = second:guard(patience) -- nil where the time was over; a nil in <close> is fine
      if two then return attempt end
    end -- here both are free again
    tm.sleep(patience) -- not the same for both, else they could meet again and again
  end
end

local left, right = tm.spawn(cross, a, b, 0.1), tm.spawn(cross, b, a, 0.5)
print("right had both in attempt " .. right:result())
print("left had both in attempt " .. left:result())

--[[ output
right had both in attempt 1
left had both in attempt 2
]]
