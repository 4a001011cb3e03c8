# Exit codes: os.exit from main and from tasks, --timeout, --grace. Deadlocks and signals have files of their own.
. "$(dirname "$0")/lib.sh"
closer='local x <close> = setmetatable({}, {__close = function() print("closed") end})'

run -e 'os.exit(7)'
code 7
err ''
run -e 'os.exit(true)'
code 0
run -e 'os.exit(false)'
code 1
run -e 'os.exit()'
code 0
run -e "$closer os.exit(3)"
code 3
out '^closed$'
run -e 'pcall(os.exit, 4) print("not reached")'
code 4
out ''
run -e 'local co = coroutine.wrap(function() os.exit(5) end) co() print("not reached")'
code 5
out ''
run -e "local tm = require 'tidemill' tm.submit(function() os.exit(9) end) $closer tm.sleep(60)"
code 9
out '^closed$'
err ''
run -e "local tm = require 'tidemill' tm.submit(function() $closer tm.sleep(60) end) tm.sleep(0.1) os.exit(6)"
code 6
out '^closed$'
run -e 'local tm = require "tidemill" tm.submit(function() while true do end end) tm.sleep(0.1) os.exit(8)'
code 8
run -e 'local tm = require "tidemill" tm.submit(function() error("unread") end) tm.sleep(0.1) os.exit(2)'
code 2
run -e 'local tm = require "tidemill" pcall(function() tm.submit(os.exit, 11):result() end) tm.sleep(60)'
code 11

# --timeout: waits, loops, closers
began=$(now)
run --timeout 200ms -e "$closer local tm = require 'tidemill' tm.sleep(60)"
code 124
out '^closed$'
err '^tidemill: the time limit of 0.2 s is over (--timeout)$'
within 20 "$began"
run --timeout 0.2 -e "$closer while true do end"
code 124
out '^closed$'
run --timeout 200ms -e "$closer pcall(function() while true do end end) print('not reached')"
code 124
out '^closed$'
no_out reached
run --timeout 1s -e "local tm = require 'tidemill' tm.submit(function() $closer while true do end end):result()"
code 124
out '^closed$'
run --timeout 1h -e 'print("quick")'
code 0
out '^quick$'

# what does not end within the grace is left behind; what was printed gets out
began=$(now)
run --timeout 200ms --grace 300ms -e 'os.execute("sleep 30")'
code 124
err '^tidemill: the grace of 0.3 s is over and something still runs; ending without it'
run --timeout 1s --grace 300ms -e 'local tm = require "tidemill" tm.submit(os.execute, "sleep 30"):result()'
code 124
err 'the grace of 0.3 s is over'
run --timeout 200ms --grace 2s -e 'local x <close> = setmetatable({}, {__close = function()
  print("closing") while true do end end}) while true do end'
code 124
out '^closing$'
within 25 "$began"

# a closer that waits too long is interrupted at the end of the grace, in order
run --timeout 100ms --grace 1s -e 'local tm = require "tidemill" local x <close> = setmetatable({}, {__close = function()
  print("closing") tm.sleep(0.1) print("waited") end}) tm.sleep(60)'
code 124
out '^waited$'
no_err grace
finish
