# Threads and the end of the program: what is waited for, what is told, exit codes.
. "$(dirname "$0")/lib.sh"
tm='local tm = require "tidemill"'
closer='local x <close> = setmetatable({}, {__close = function() tm.sleep(0.05) print("closed") end})'

# a thread that is no daemon is waited for; a daemon is cancelled, and closes what it has
run -e "$tm tm.spawn(function() tm.sleep(0.1) print('late') end)"
code 0
out '^late$'
err ''
run -e "$tm tm.thread{daemon = true, target = function() $closer tm.sleep(60) print('no') end}:start() tm.sleep(0.05)"
code 0
out '^closed$'
no_out no
err ''
began=$(now)
run -e "$tm tm.thread{daemon = true, target = function() $closer tm.event():wait() end}:start() tm.sleep(0.05)"
code 0
out '^closed$'
err ''
run -e "$tm tm.thread{daemon = true, target = function() while true do end end}:start() tm.sleep(0.05)"
code 0
err ''
run -e "$tm tm.thread{daemon = true, target = tm.sleep, args = {60}}:start()
  tm.spawn(function() tm.sleep(0.1) print('waited') end)"
code 0
out '^waited$'
err ''
run -e "$tm tm.thread{daemon = true, target = function() tm.spawn(tm.sleep, 60) tm.sleep(60) end}:start() tm.sleep(0.05)"
code 0
within 40 "$began"
run --grace 300ms -e "$tm tm.thread{daemon = true, target = os.execute, args = {'sleep 5'}}:start() tm.sleep(0.1)"
code 0
err 'the grace of 0.3 s is over'

# a daemon starts nothing once the program is ending
run -e "$tm tm.thread{daemon = true, target = function()
  local x <close> = setmetatable({}, {__close = function() print(pcall(tm.spawn, print)) end}) tm.sleep(60)
  end}:start() tm.sleep(0.05)"
code 0
out 'cannot start thread .*: the program is ending'

# daemons neither cause nor prevent a report of a deadlock
run -e "$tm tm.thread{daemon = true, name = 'd', target = function() tm.event():wait() end}:start() tm.event():wait()"
code 70
err "'main' waits for an event"
err "'d' (task [0-9]*) waits for an event"
run -e "$tm local t = tm.spawn(function() tm.event():wait() end) t:join()"
code 70
err "'main' waits for the end of thread 'Thread-1 (function at .*)', which task [0-9]* has to complete"
run -e "$tm local function wait() tm.event():wait() end for _ = 1, 20 do tm.spawn(wait) end"
code 70
err "'Thread-[0-9]* (wait)' (task [0-9]* and 19 more like it)"
run -e "$tm local e = tm.event()
  tm.thread{daemon = true, target = function() tm.sleep(0.1) e:set() end}:start() e:wait() print('woken')"
code 0
out '^woken$'

# failures: told at once and once, exit code 1
run -e "$tm local function work() error('boom') end tm.spawn(work)"
code 1
err "^tidemill: thread 'Thread-1 (work)' failed: .*boom$"
err '^stack traceback:$'
[ "$(count "$err" boom)" = 1 ] || complain 'the message should appear once'
run -e "$tm tm.spawn(function() tm.sleep(0.05) error('boom') end)"
code 1
err 'boom'
run -e "$tm tm.spawn(function() error({}) end):join() io.stderr:write('behind\n')"
code 1
head -1 "$err" | grep -q "^tidemill: thread '.*' failed: (error object is a table value)$" ||
    complain 'the report should come before join returns'
run -e "$tm local t = tm.spawn(function() tm.sleep(0.05) error('boom', 0) end) print(pcall(t.result, t))"
code 0
out '^false\tboom$'
err ''
run -e "$tm local t = tm.spawn(function() tm.sleep(0.1) error('boom', 0) end) print(pcall(t.result, t, 0.01))"
code 1
err 'boom'
run -e "$tm tm.thread{target = error, args = {'boom'}}:ignore():start()"
code 0
err ''
run -e "$tm local t = tm.spawn(tm.sleep, 60) t:cancel() t:join()"
code 0
err ''
run -e "$tm tm.spawn(function() tm.spawn(function() error('inner') end) end)"
code 1
err 'inner'

# a hook of one's own: the exit code is its affair; if it fails both are told
run -e "$tm tm.thread.set_excepthook(function(e) tm.sleep(0.05) print('seen', e.name) end) tm.spawn(error, 'boom')"
code 0
out '^seen\tThread-1 (error)$'
err ''
run -e "$tm tm.thread.set_excepthook(function() os.exit(4) end) tm.spawn(error, 'boom') tm.sleep(60)"
code 4
run -e "$tm tm.thread.set_excepthook(function() error('bad hook') end) tm.spawn(error, 'boom')"
code 1
err 'the excepthook failed: .*bad hook'
err "thread 'Thread-1 (error)' failed: boom"
run -e "$tm tm.thread.set_excepthook(print) tm.thread.set_excepthook(nil) tm.spawn(error, 'boom')"
code 1
err 'boom'
out ''

# os.exit from a thread, Ctrl-C with threads
run -e "$tm tm.spawn(function() os.exit(9) end) $closer tm.sleep(60)"
code 9
out '^closed$'
err ''
run -e "$tm tm.spawn(function() tm.sleep(0.1) os.exit(3) end)"
code 3
begin -e "$tm for i = 1, 50 do tm.thread{target = function() $closer tm.sleep(60) end, daemon = i % 2 == 0}:start() end
  tm.sleep(0.1) print('ready') io.stdout:flush() tm.sleep(60)"
signal INT
ended
code 130
[ "$(count "$out" '^closed$')" = 50 ] || complain 'each thread should close what it has'
err ''
begin -e "$tm for i = 1, 50 do tm.spawn(function() $closer tm.sleep(60) end) end
  tm.spawn(function() tm.sleep(0.2) print('ready') io.stdout:flush() tm.sleep(60) end)"
signal TERM
ended
code 143
[ "$(count "$out" '^closed$')" = 50 ] || complain 'each thread should close what it has'

# failures that the excepthook has not got to when the run ends are told as without one
run --grace 5 -e 'local tm = require "tidemill"
  tm.thread.set_excepthook(function() tm.sleep(60) end)
  for i = 1, 5 do tm.spawn(function() error("early " .. i, 0) end) end
  tm.sleep(0.3)
  os.exit(3)'
code 3
[ "$(count "$err" 'failed: early')" = 5 ] || complain 'all five failures should be told'
no_err 'the grace'
finish
