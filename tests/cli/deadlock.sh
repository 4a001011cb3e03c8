# Deadlocks: who waits for what is told, exit code 70; and no false alarm.
. "$(dirname "$0")/lib.sh"

script main.lua <<'L'
local tm = require "tidemill"
local nobody = tm.event()
local x <close> = setmetatable({}, { __close = function() print("closed") end })
nobody:wait()
L
run "$dir/main.lua"
code 70
err '^tidemill: deadlock: every task waits, and nothing is left that could wake one$'
err "'main' waits for an event that nobody set"
err 'main.lua:4: in main chunk'
out '^closed$'

script two.lua <<'L'
local tm = require "tidemill"
local a, b = tm.event(), tm.event()
local function left() b:wait() a:set() end
local function right() a:wait() b:set() end
local l, r = tm.submit(left), tm.submit(right)
l:result()
r:result()
L
run "$dir/two.lua"
code 70
err "'left (.*two.lua:3)' (task [0-9]*) waits for an event"
err "'right (.*two.lua:4)' (task [0-9]*) waits for an event"
err "'main' waits for the result of 'left (.*two.lua:3)'"
err 'two.lua:6: in main chunk'

script many.lua <<'L'
local tm = require "tidemill"
local e = tm.event()
local function waits() e:wait() end
for _ = 1, 20 do tm.submit(waits) end
L
run "$dir/many.lua"
code 70
err "'waits (.*many.lua:3)' (task [0-9]* and 19 more like it) waits for an event"
[ "$(count "$err" waits.for)" = 1 ] || complain 'equal waits should be told once'

# a cycle: the task that closes it is told, and can go on
script cycle.lua <<'L'
local tm = require "tidemill"
local began = tm.event()
local function below() -- waits where Lua cannot yield, so that its worker runs `above` on top of it
  local seen
  table.sort({ 2, 1 }, function(a, b)
    if not seen then
      seen = tm.submit(function() tm.sleep(0.2) return "slept" end)
      began:set()
      seen = seen:result()
    end
    return a < b
  end)
  return seen
end
local f = tm.submit(below)
local function above()
  local told
  table.sort({ 2, 1 }, function(a, b)
    told = told or select(2, pcall(f.result, f))
    return a < b
  end)
  return told
end
began:wait()
print(tm.submit(above):result())
print(f:result())
L
run --workers 1 "$dir/cycle.lua"
code 0
out "deadlock: .*'below (.*cycle.lua:3)'"
out '^slept$'

# none of these is one
run -e 'local tm = require "tidemill" print(tm.event():wait(0.2))'
code 0
out '^false$'
run -e 'local tm = require "tidemill" print(pcall(tm.timeout, 0.2, function() tm.event():wait() end))'
code 0
out '^false\ttimeout$'
run -e 'local tm = require "tidemill" local e = tm.event()
  tm.submit(function() tm.sleep(0.2) e:set() end) e:wait() print("woken")'
code 0
out '^woken$'
run -e 'local tm = require "tidemill" local e = tm.event()
  tm.submit(function() os.execute("sleep 0.2") e:set() end) e:wait() print("woken")'
code 0
out '^woken$'
run -e 'local tm = require "tidemill" local e = tm.event()
  tm.submit(function() return 1 end):on_done(function() tm.sleep(0.1) e:set() end) e:wait() print("woken")'
code 0
out '^woken$'
i=0
while [ $i -lt 20 ]; do
    run -e 'local tm = require "tidemill" local a, b = tm.event(), tm.event()
      local f = tm.submit(function() for _ = 1, 50 do a:wait() a:clear() b:set() end end)
      for _ = 1, 50 do a:set() b:wait() b:clear() end f:result()'
    code 0
    err ''
    i=$((i + 1))
done
finish
