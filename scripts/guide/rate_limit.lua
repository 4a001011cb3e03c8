--- Ten workers share a limit of five calls a second.
local tm = require "tidemill"

local limiter = tm.rate_limiter { per_second = 5 }

local function call(i)
  limiter:wait()
  return i
end

local began = tm.monotonic()
local pool <close> = tm.executor { max_workers = 10 }
local n = 0
for _ in pool:map(call, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 }) do n = n + 1 end
print(("%d calls took %.0f s"):format(n, tm.monotonic() - began))

--[[ output
11 calls took 2 s
]]
