# Timers: callbacks that fail, what keeps the program alive, how it ends.
. "$(dirname "$0")/lib.sh"

# a failure is reported and ends nothing; so many in a row do
script fails.lua <<'L'
local tm = require "tidemill"
local t = tm.every(0.005, function(tick)
  print("run " .. tick.number)
  if tick.number ~= 2 then error("no luck") end
end, { max_failures = 2 })
L
run "$dir/fails.lua"
code 1
[ "$(cat "$out")" = "$(printf 'run 1\nrun 2\nrun 3\nrun 4')" ] || complain 'two failures in a row should end it'
err '^tidemill: callback of a timer (.*fails.lua:2) failed: .*fails.lua:4: no luck$'
err 'in function <.*fails.lua:2>'
[ "$(count "$err" 'no luck$')" = 3 ] || complain 'each failure should be reported once'

# a timer keeps the program alive, a daemon does not
script alive.lua <<'L'
local tm = require "tidemill"
tm.after(0.05, function() print("after main") end)
tm.every(0.01, function() end, { daemon = true })
tm.submit(function() tm.every(0.01, function() end, { daemon = true }) end):result()
print("main ends")
L
run "$dir/alive.lua"
code 0
[ "$(cat "$out")" = "$(printf 'main ends\nafter main')" ] || complain 'the program should wait for its timer'

# not even one whose callback waits, goes on beside itself, or is queued; it is cancelled, here and on a worker
script daemons.lua <<'L'
local tm = require "tidemill"
local function wait(ms) tm.sleep(ms / 1000) end
local q = tm.queue()
local function forever()
  local x <close> = setmetatable({}, { __close = function() io.stdout:write("cancelled\n") end })
  q:get()
end
tm.every(0.01, forever, { daemon = true })
tm.every(0.01, function() wait(50) end, { daemon = true, overlap = "concurrent" })
tm.every(0.01, function() wait(50) end, { daemon = true, overlap = "queue" })
tm.submit(function()
  local none = tm.event()
  tm.every(0.01, function() none:wait() end, { daemon = true })
end):result()
wait(100)
print("main ends")
L
for mode in "" --virtual-time; do
    start=$(now)
    run --timeout 30 $mode "$dir/daemons.lua"
    code 0
    [ "$(cat "$out")" = "$(printf 'main ends\ncancelled')" ] || complain 'the callback should be cancelled behind main'
    within 5 "$start"
done

# a wait for a timer that is alive is no deadlock; one for a stopped one is over
script wait.lua <<'L'
local tm = require "tidemill"
local e = tm.event()
tm.after(0.05, function() e:set() end)
e:wait()
print("woken")
local never = tm.event()
tm.after(0.01, function() end)
never:wait()
L
run "$dir/wait.lua"
code 70
out '^woken$'
err "'main' waits for an event that nobody set"

# the end of the run stops timers, and cancels what their callbacks wait for
script ends.lua <<'L'
local tm = require "tidemill"
tm.every(0.01, function(tick)
  local x <close> = setmetatable({}, { __close = function() print("closed") end })
  if tick.number == 1 then
    tm.after(0.02, function() os.exit(3) end)
    tm.sleep(60)
  end
end)
L
run "$dir/ends.lua"
code 3
out '^closed$'

# one that is due in three hundred years is no deadlock: it is waited for, and virtual time comes there
script far.lua <<'L'
local tm = require "tidemill"
tm.after(1e10, print, "at last")
L
run --virtual-time "$dir/far.lua"
code 0
out '^at last$'
run --timeout 0.3 "$dir/far.lua"
code 124

# instants that passed while the worker sat in C have a run each, if that is wanted
script all.lua <<'L'
local tm = require "tidemill"
local n = 0
local t = tm.every(0.02, function() n = n + 1 end, { catch_up = "all", max_runs = 10 })
os.execute("sleep 0.3")
t:join()
print(n, t:stats().missed)
L
run "$dir/all.lua"
code 0
out '^10\t0$'

# the state that a timer lives in is rebuilt: it ends, and says so, and what it captured is not called any more
script rebuilt.lua <<'L'
local tm = require "tidemill"
local hits = tm.counter()
local every, cron, on_done = tm.submit(function()
  local f = tm.submit(function() tm.sleep(0.5) end)
  f:on_done(function() print("called") end)
  return tm.every(0.01, function() hits:add(1) end), tm.cron("* * * * * *", function() hits:add(1) end), f
end):result()
local e = tm.submit(function()
  local keep = debug.getregistry()
  while true do keep[#keep + 1] = ("x"):rep(1000) .. #keep end
end):error()
print(tostring(e))
print(("%s %s %s %s"):format(every:join(10), cron:join(10), every:is_active(), cron:is_active()))
local before = hits:get()
pcall(on_done.result, on_done) -- it fails with its state, unless that took longer
tm.sleep(0.1)
print("none since: " .. tostring(hits:get() == before))
L
run --workers 1 --max-memory 40M "$dir/rebuilt.lua"
code 1
out '^not enough memory'
out '^true true false false$'
out '^none since: true$'
err '^tidemill: callback of a timer (.*rebuilt.lua:6) has ended: the Lua state that it lived in ran out of memory$'
finish
