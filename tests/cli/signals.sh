# Signals: the first ends the run in order, the second at once; tm.on_signal.
. "$(dirname "$0")/lib.sh"

script wait.lua <<'L'
local tm = require "tidemill"
local function closing(what)
  return setmetatable({}, { __close = function() print(what .. " closed") end })
end
local main <close> = closing "main"
local began = tm.event()
tm.submit(function()
  local task <close> = closing "task"
  began:set()
  tm.sleep(600)
end)
began:wait()
io.stdout:write("ready\n")
io.stdout:flush()
tm.sleep(600)
L
for pair in INT:130 TERM:143; do
    begin "$dir/wait.lua"
    signal "${pair%:*}"
    ended
    code "${pair#*:}"
    out '^main closed$'
    out '^task closed$'
    err ''
done

script spin.lua <<'L'
local tm = require "tidemill"
local x <close> = setmetatable({}, { __close = function() print("closed") end })
io.stdout:write("ready\n")
io.stdout:flush()
while true do pcall(function() while true do end end) end
L
begin "$dir/spin.lua"
signal TERM
ended
code 143
out '^closed$'

script slow_close.lua <<'L'
local tm = require "tidemill"
local x <close> = setmetatable({}, { __close = function()
  io.stdout:write("closing\n")
  io.stdout:flush()
  tm.sleep(600)
end })
io.stdout:write("ready\n")
io.stdout:flush()
tm.sleep(600)
L
began=$(now)
begin --grace 10m "$dir/slow_close.lua"
signal INT
await closing
signal INT
ended
code 130
within 30 "$began"

# a worker that sits in C does not hold the second one up
begin --grace 10m -e 'local tm = require "tidemill" io.stdout:write("ready\n") io.stdout:flush()
  tm.submit(os.execute, "sleep 30")  os.execute("sleep 30")'
signal TERM
sleep 0.3
signal TERM
ended
code 143

# a closer that waits is interrupted when the grace is over; one that sits in C is not
script stuck_close.lua <<'L'
local x <close> = setmetatable({}, { __close = function() os.execute("sleep 20") end })
io.stdout:write("ready\n")
io.stdout:flush()
require("tidemill").sleep(600)
L
begin --grace 200ms "$dir/slow_close.lua"
signal TERM
ended
code 143
begin --grace 200ms "$dir/stuck_close.lua"
signal TERM
ended
code 143
err 'the grace of 0.2 s is over'

script handlers.lua <<'L'
local tm = require "tidemill"
local seen = 0
tm.on_signal("USR1", function(name)
  seen = seen + 1
  tm.sleep(0.001) -- a handler may wait, and sees the script's locals
  io.stdout:write(name, " ", seen, "\n")
  io.stdout:flush()
end)
tm.on_signal("sigint", function(name)
  io.stdout:write("not today, ", name, "\n")
  io.stdout:flush()
end)
tm.on_signal("TERM", function() os.exit(17) end)
io.stdout:write("ready\n")
io.stdout:flush()
tm.sleep(600)
L
begin "$dir/handlers.lua"
signal USR1
await 'SIGUSR1 1'
signal INT
await 'not today, SIGINT'
signal USR1
await 'SIGUSR1 2'
signal TERM
ended
code 17
err ''

script removed.lua <<'L'
local tm = require "tidemill"
tm.on_signal("TERM", function() print("handled") end)
tm.on_signal("TERM", nil)
io.stdout:write("ready\n")
io.stdout:flush()
tm.sleep(600)
L
begin "$dir/removed.lua"
signal TERM
ended
code 143
no_out handled

# no deadlock while a signal may come; the end of main is the end all the same
begin -e 'local tm = require "tidemill" local e = tm.event() tm.on_signal("USR1", function() e:set() end)
  io.stdout:write("ready\n") io.stdout:flush() e:wait() print("woken")'
signal USR1
ended
code 0
out '^woken$'
run -e 'require("tidemill").on_signal("USR1", print)'
code 0

begin -e 'local tm = require "tidemill" local e = tm.event() tm.on_signal("USR1", function() e:set() error("in a handler") end)
  io.stdout:write("ready\n") io.stdout:flush() e:wait()'
signal USR1
ended
code 1
err '^tidemill: signal handler failed: .*in a handler$'

run -e 'require("tidemill").on_signal("KILL", print)'
code 1
err "unknown signal 'KILL' (known: SIGHUP SIGINT"
run -e 'require("tidemill").on_signal("USR1", 5)'
code 1
err 'function expected, got number'

# a handler that was set on a worker, and is running or due when main ends, is waited for
script late.lua <<'L'
local tm = require "tidemill"
local begun = tm.event()
tm.submit(function()
  tm.on_signal("USR1", function()
    begun:set()
    tm.sleep(0.2)
    print("handled")
  end)
  os.execute("kill -USR1 $PPID")
end):result()
begun:wait()
L
run "$dir/late.lua"
code 0
out '^handled$'
# but not at the end of the run: one that is due then does not begin
script twice.lua <<'L'
local tm = require "tidemill"
tm.on_signal("USR1", function()
  print("handler")
  tm.sleep(60)
end)
for _ = 1, 2 do
  os.execute("kill -USR1 $PPID")
  tm.sleep(0.1)
end
os.exit(4)
L
start=$(now)
run "$dir/twice.lua"
code 4
within 5 "$start"
[ "$(count "$out" handler)" = 1 ] || complain 'the second firing should not run'
script last.lua <<'L'
local tm = require "tidemill"
tm.submit(function()
  tm.on_signal("USR1", function() end)
  os.execute("kill -USR1 $PPID")
end):result()
L
for _ in 1 2 3 4 5 6 7 8 9 10; do
    run "$dir/last.lua"
    code 0
done
finish
