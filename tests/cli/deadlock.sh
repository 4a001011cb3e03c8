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

# everything that one can wait for in vain
tm='local tm = require "tidemill"'
vain() { # WHAT-IT-WAITS-FOR CODE
    run -e "$tm $2"
    code 70
    err "'main' waits for $1"
}
vain 'an item' 'tm.queue():get()'
vain 'an item' 'tm.priority_queue():get()'
vain 'an item' 'for _ in tm.lifo_queue():iter() do end'
vain 'room in' 'local q = tm.queue(1) q:put(1) q:put(2)'
vain '.*done' 'local q = tm.queue() q:put(1) q:join()'
vain '.*barrier' 'tm.barrier(2):wait()'
vain 'a permit of a semaphore' 'tm.semaphore(0):acquire()'
vain 'a permit of a semaphore' 'tm.bounded_semaphore(0):with(print)'
vain '.*condition' 'local c = tm.condition() c:with(function() c:wait() end)'
vain '.*condition' 'local c = tm.condition() c:with(c.wait_for, c, function() return false end)'
vain '.*' 'tm.select { tm.queue(), tm.event() }'
vain "the result of" 'tm.submit(function() tm.queue():get() end):result()'
vain "the end of thread" 'tm.spawn(function() tm.barrier(2):wait() end):join()'
vain 'the lock held by' 'local l, e = tm.lock(), tm.event()
  tm.submit(function() l:acquire() e:set() tm.event():wait() end) e:wait() l:acquire()'
vain '.*key' 'local d, e = tm.dict(), tm.event()
  tm.submit(function() d:update("k", function() e:set() tm.event():wait() end) end) e:wait() d:set("k", 1)'
vain '.*once' 'local o, e = tm.once(), tm.event()
  tm.submit(function() o:run(function() e:set() tm.event():wait() end) end) e:wait() o:run(print)'
# what a daemon timer, or a limit elsewhere, leaves behind is no hope either
vain 'an event' 'pcall(tm.timeout, 0.05, tm.sleep, 1) tm.event():wait()'
vain 'an event' 'tm.after(0.05, print, 1) tm.event():wait()'
vain 'an event' 'tm.every(60, print):stop() tm.event():wait()'

# none of these is one
woken() { # CODE, which sets `e`
    run -e "$tm local e = tm.event() $1 e:wait() print('woken')"
    code 0
    out '^woken$'
    err ''
}
woken 'tm.after(0.2, e.set, e)'
woken 'tm.after(0.2, e.set, e, { daemon = true })'
woken 'tm.every(0.1, function() e:set() end, { max_runs = 1 })'
woken 'tm.every(0.1, function() e:set() end, { daemon = true })'
woken 'tm.cron("* * * * * *", function() e:set() end, { daemon = true })'
woken 'tm.thread { daemon = true, target = function() tm.sleep(0.2) e:set() end }:start()'
woken 'local r = tm.rate_limiter { per_second = 10 } r:wait() tm.submit(function() r:wait() e:set() end)'
woken 'tm.submit(function() tm.queue():get(0.2) e:set() end)'
woken 'tm.submit(function() tm.semaphore(0):acquire(0.2) e:set() end)'
woken 'tm.submit(function() local c = tm.condition() c:with(c.wait, c, 0.2) e:set() end)'
woken 'tm.submit(function() tm.barrier(2, { timeout = 0.2 }):wait() e:set() end)'
woken 'tm.submit(function() pcall(tm.timeout, 0.2, tm.event().wait, tm.event()) e:set() end)'
woken 'local q = tm.queue() local f = tm.submit(function() q:get() end)
  tm.submit(function() pcall(f.result, f, 0.2) f:cancel() e:set() end)'
woken 'tm.submit(function() tm.hash.file("/bin/sh", "sha256") e:set() end)'
begin -e "$tm local e = tm.event() tm.on_signal('USR1', function() e:set() end)
  print('ready') io.stdout:flush() e:wait() print('woken')"
sleep 0.3
signal USR1
ended
code 0
out '^woken$'
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
