-- A script's own hook gets every event, once, however often the scheduler cuts the slices of the code it watches.
local tm = require "tidemill"

-- Another task of this worker that wakes up all the time, so that slices are cut.
local over = false
local _ <close> = setmetatable({}, { __close = function() over = true end })
tm.submit(function() end):on_done(function() while not over do tm.sleep(0.0003) end end)

local function seconds(n) return tm.monotonic() + n end

-- calls: one event for each, also where the cut falls on a function's first instruction
local calls, counted = 0, 0
local function f() calls = calls + 1 end
local function on_call() counted = counted + 1 end
local limit = seconds(0.3)
repeat
  calls, counted = 0, 0
  debug.sethook(on_call, "c")
  for _ = 1, 20000 do f() end
  debug.sethook()
  assert(counted - 1 == calls, counted .. " call events for " .. calls .. " calls") -- one for debug.sethook
until tm.monotonic() > limit

-- lines: the first ones after the hook was set, in a function that was cut before
local lines = 0
local function on_line() lines = lines + 1 end
limit = seconds(0.3)
local x = 0
repeat
  local soon = seconds(0.002)
  repeat until tm.monotonic() > soon
  lines = 0
  debug.sethook(on_line, "l")
  x = x + 1
  x = x + 1
  debug.sethook()
  assert(lines == 3, lines .. " line events for 3 lines")
until tm.monotonic() > limit

-- counts: a long count is not begun anew by each cut
local ticks = 0
debug.sethook(function() ticks = ticks + 1 end, "", 3000000)
for _ = 1, 30000000 do end
debug.sethook()
assert(ticks >= 9, ticks .. " count events instead of 10")

-- a hook that does not ask for lines or counts does not keep the scheduler from cutting
local woken = 0
local function watch() woken = woken + 1 end
local done = tm.submit(function() end)
done:result()
debug.sethook(function() end, "r")
done:on_done(watch)
limit = seconds(10)
while woken == 0 and tm.monotonic() < limit do for _ = 1, 1000 do end end
debug.sethook()
assert(woken == 1)
