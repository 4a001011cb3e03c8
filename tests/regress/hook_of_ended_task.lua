-- A coroutine that was one task's base and becomes another's: the hook that was left behind is gone, and while the new
-- task waits for its turn nobody can resume or close it.
local tm = require "tidemill"
local done = tm.submit(function() end)
done:result()

-- Two callbacks at a time, so that two coroutines are at hand for the next two.
local function two(first, second)
  local events = { tm.event(), tm.event() }
  for i, fn in ipairs { first, second } do
    done:on_done(function()
      fn()
      events[i]:set()
    end)
  end
  for i = 1, 2 do events[i]:wait() end
end

local bases, hooked = {}, 0
local function keep()
  bases[#bases + 1] = coroutine.running()
  tm.sleep(0.001) -- both are there at the same time
  debug.sethook(function() hooked = hooked + 1 end, "l")
end
two(keep, keep)
tm.sleep(0.001)
assert(bases[1] ~= bases[2] and coroutine.status(bases[1]) == "dead" and debug.gethook(bases[1]) == nil)

local before, ran, refused = hooked, 0, 0
local function meddle()
  ran = ran + 1
  for _, co in ipairs(bases) do
    if coroutine.status(co) == "normal" then
      refused = refused + 1
      assert(not coroutine.resume(co))
      assert(not pcall(coroutine.close, co))
    end
  end
end
two(meddle, meddle)
assert(ran == 2 and refused >= 1, ran .. " ran, refused: " .. refused)
assert(hooked == before, "the hook of an ended task was called in another")
