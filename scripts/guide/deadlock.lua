--- Two threads take two locks in opposite order. The one that closes the circle is told, instead of waiting for ever.
local tm = require "tidemill"

local a, b = tm.lock { name = "a" }, tm.lock { name = "b" }

local function cross(first, second)
  local one <close> = first:guard()
  tm.sleep(0.5)
  local ok, problem = pcall(function()
    local two <close> = second:guard()
  end)
  return ok and "had both" or "was told: " .. (problem:match("deadlock") or problem)
end

local left, right = tm.spawn(cross, a, b), tm.spawn(cross, b, a)
local answers = { left:result(), right:result() }
table.sort(answers)
print(answers[1])
print(answers[2])

--[[ output
had both
was told: deadlock
]]
