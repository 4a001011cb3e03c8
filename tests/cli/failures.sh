# Failures: what is printed, once, and exit codes 0 and 1.
. "$(dirname "$0")/lib.sh"

run -e 'local function deep() error("boom") end' -e 'local function f() error("boom") end f()'
code 1
err '^tidemill: (command line):1: boom$'
err '^stack traceback:$'
err "in local 'f'$"
[ "$(count "$err" boom)" = 1 ] || complain 'the message should appear once'

run -e 'error({code = 1})'
code 1
err '(error object is a table value)'
run -e 'error(setmetatable({}, {__tostring = function() return "I am" end}))'
code 1
err '^tidemill: I am$'
run -e 'error(nil)'
code 1
err 'nil'
run -e 'error()'
code 1

# in a task: with its name, and both tracebacks
script task.lua <<'L'
local tm = require "tidemill"
local function fetch() local x = nil; return x.y end
local f = tm.submit(fetch)
f:result()
L
run "$dir/task.lua"
code 1
err 'task.lua:2: attempt to index a nil value'
err "in task 'fetch (.*task.lua:2)': stack traceback:"
err 'task.lua:4: in main chunk'
[ "$(count "$err" 'attempt to index')" = 1 ] || complain 'the message should appear once'

script unread.lua <<'L'
local tm = require "tidemill"
local function fetch() error("nobody reads this") end
tm.submit(fetch)
L
run "$dir/unread.lua"
code 1
err "^tidemill: task 'fetch (.*unread.lua:2)' failed and nobody asked for its result: .*unread.lua:2: nobody reads this$"
err '^stack traceback:$'
[ "$(count "$err" 'nobody reads')" = 1 ] || complain 'the message should appear once'

run -e 'local tm = require "tidemill" tm.submit(function() error("x") end) collectgarbage() tm.sleep(0.1) collectgarbage()'
code 1
[ "$(count "$err" 'nobody asked')" = 1 ] || complain 'the report should appear once'

run -e 'local tm = require "tidemill" tm.submit(function() error("x") end):ignore()'
code 0
err ''
run -e 'local tm = require "tidemill" print(tm.submit(function() error("x", 0) end):error())'
code 0
out '^x$'
err ''
run -e 'local tm = require "tidemill" local f = tm.submit(function() error("x") end) tm.wait({f})'
code 1
err 'nobody asked'
run -e 'local tm = require "tidemill" local f = tm.submit(tm.sleep, 60) tm.sleep(0.01) f:cancel()'
code 0
err ''

# a map that has ended was asked, whatever else failed in it
run -e 'local tm = require "tidemill" print(pcall(function()
  for _ in tm.map(function() error("item", 0) end, {1, 2, 3, 4}, {chunksize = 1}) do end end))'
code 0
out '^false\titem$'
err ''

# a scope raises the cause, with the tracebacks of all that failed
script scope.lua <<'L'
local tm = require "tidemill"
local function first() error("the cause") end
tm.scope(function(s) s:spawn(first) tm.sleep(60) end)
L
run "$dir/scope.lua"
code 1
err 'the cause'
err "in task 'first (.*scope.lua:2)'"
no_err cancelled

# callbacks
run -e 'local tm = require "tidemill" local f = tm.submit(print, "x")
  f:on_done(function() error("first") end) f:on_done(function() print("second") end)'
code 1
err '^tidemill: callback of a future failed: .*first$'
out '^second$'

# the program waits for what was submitted
run -e 'local tm = require "tidemill" local p = tm.executor() p:submit(function() tm.sleep(0.1) print("late") end)
  p:shutdown{wait = false}'
code 0
out '^late$'
run -e 'local tm = require "tidemill" tm.submit(function() tm.sleep(0.05) tm.submit(function() print("later") end) end)'
code 0
out '^later$'
run -e 'local tm = require "tidemill" tm.submit(tm.sleep, 0.1) error("main first")'
code 1
err 'main first'

# errors in odd places
run -e 'local x <close> = setmetatable({}, {__close = function() error("in close") end})'
code 1
err 'in close'
run -e 'setmetatable({}, {__gc = function() error("in gc") end}) collectgarbage() print("on")'
code 0
out '^on$'
run -e 'local tm = require "tidemill" print(tm.submit(function()
  setmetatable({}, {__gc = function() error("in gc") end}) collectgarbage() return "on" end):result())'
code 0
out '^on$'
run -e 'local tm = require "tidemill" print(tm.submit(function()
  return select(2, xpcall(error, function() error("in handler") end, "x")) end):result())'
code 0
run -e 'local tm = require "tidemill" local e = tm.event()
  local f = tm.submit(function() local x <close> = setmetatable({}, {__close = function() error("in close") end})
    e:set() tm.sleep(60) end)
  e:wait() f:cancel() print(select(2, pcall(f.result, f)))'
code 1
out '^cancelled$'
err 'failed while the task was cancelled: .*in close'
run -e 'local tm = require "tidemill" local f = tm.submit(function()
  local x <close> = setmetatable({}, {__close = function() error("in close") end}) end) print(f:error())'
code 0
out 'in close'

# changed captures: told once for each function, not told with --quiet, an error with --strict
script captures.lua <<'L'
local tm = require "tidemill"
local results, n = {}, 0
local function task(i) results[i] = i end
for i = 1, 3 do tm.submit(task, i):result() end
for _ = 1, 3 do tm.submit(function() n = n + 1 end):result() end
L
run "$dir/captures.lua"
code 0
err "captures.lua:3: task changed captured table 'results'; the caller will not see it (return the values, or use tm.dict)"
err "captures.lua:5: task changed captured local 'n'; the caller will not see it"
[ "$(count "$err" .)" = 2 ] || complain 'two warnings, no more'
run --quiet "$dir/captures.lua"
code 0
err ''
run --strict "$dir/captures.lua"
code 1
err "task changed captured table 'results'"
finish
