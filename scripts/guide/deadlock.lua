--- Two threads take two locks in opposite order. Who closes the circle gets an error, instead of waiting for ever.
local tm = require "tidemill"

local a, b = tm.lock { name = "a" }, tm.lock { name = "b" }

local function cross(first, second, pause)
  local one <close> = first:guard()
  tm.sleep(pause)
  local two <close> = second:guard()
  return "had both"
end -- an error leaves by here too, and the guards let go

local left = tm.thread { target = cross, args = { a, b, 0.2 }, name = "left" }
local right = tm.thread { target = cross, args = { b, a, 0.4 }, name = "right" }
left:start()
right:start()
local _, problem = pcall(right.result, right) -- who waits in result has the failure, so it is not reported
print("right: " .. problem)
print("left: " .. left:result())

--[[ output
right: ...: deadlock: 'right' waits for the lock 'a' held by 'left', ..., which waits for the lock 'b' held by ...
left: had both
]]
