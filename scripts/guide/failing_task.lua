--- A task that fails for one input: the error comes out where the result is asked for.
local tm = require "tidemill"

local function invert(x)
  if x == 0 then error("cannot invert zero", 0) end
  return 1 / x
end

local pool <close> = tm.executor { max_workers = 2 }
local futures = {}
for i, x in ipairs { 1, 0, 4 } do futures[i] = pool:submit(invert, x) end
for i, future in ipairs(futures) do
  local ok, value = pcall(future.result, future)
  print(i, ok and value or "failed: " .. value)
end

--[[ output
1    1.0
2    failed: cannot invert zero
3    0.25
]]
