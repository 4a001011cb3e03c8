# What is run, and what it sees: script, run, -e, -l, -, #!, `arg` and `...`, as with plain `lua`.
. "$(dirname "$0")/lib.sh"

script args.lua <<'L'
print(arg[0]:match("[^/]*$"), #arg, arg[1], arg[2], arg[-1] ~= nil, select("#", ...), ...)
L

run "$dir/args.lua"
code 0
out '^args.lua\t0\tnil\tnil\ttrue\t0$'
err ''
run "$dir/args.lua" a 'b c'
out '^args.lua\t2\ta\tb c\ttrue\t2\ta\tb c$'
run run "$dir/args.lua" a --workers
out '^args.lua\t2\ta\t--workers\ttrue\t2\ta\t--workers$'
run --workers 1 -- "$dir/args.lua" -e
out '^args.lua\t1\t-e\tnil\ttrue\t1\t-e$'
run -e 'print("first", ...)' "$dir/args.lua" x
out '^first$'
out '^args.lua\t1\tx\tnil\ttrue\t1\tx$'
run -e 'x = 4' -e 'print(x, arg[0] ~= nil, ...)'
code 0
out '^4\ttrue$'
run '-eprint(5)'
out '^5$'
run -l string -e 'print(string.upper("l"))' -l s=string -e 'print(s == string)'
out '^L$'
out '^true$'
run -l no.such.module -e 'print("not reached")'
code 1
err "module 'no.such.module' not found"
no_out reached

# arg as lua has it: everything, with what stands before the script at negative places
run -e 'x = 1' "$dir/args.lua"
"$TIDEMILL" -e 'print(arg[0], arg[-1], arg[-2], #arg)' >"$out" 2>"$err" </dev/null
what='tidemill -e without a script' code=$?
code 0

what='tidemill -'
echo 'print("from stdin", ...)' | "$TIDEMILL" - a b >"$out" 2>"$err"
code=$?
code 0
out '^from stdin\ta\tb$'
printf 'x = = 1\n' | "$TIDEMILL" - >"$out" 2>"$err"
code=$?
code 1
err '^tidemill: stdin:1: '

script bang <<L
#!$TIDEMILL
print("bang", ...)
local tm = require "tidemill"
print(tm.submit(function() return "task" end):result())
L
chmod +x "$dir/bang"
what='#! line'
"$dir/bang" 1 2 >"$out" 2>"$err" </dev/null
code=$?
code 0
out '^bang\t1\t2$'
out '^task$'

script env_bang <<L
#!/usr/bin/env -S $TIDEMILL --workers 1
print("env")
L
chmod +x "$dir/env_bang"
what='#!/usr/bin/env -S'
"$dir/env_bang" >"$out" 2>"$err" </dev/null
code=$?
code 0
out '^env$'

: >"$dir/empty.lua"
run "$dir/empty.lua"
code 0
out ''
err ''

# what is plain in lua is plain here
run -e 'print(coroutine.running()) print(select(2, coroutine.running()), coroutine.isyieldable())'
out '^true\tfalse$'
run -e 'print(pcall(coroutine.yield))'
out '^false\tattempt to yield from outside a coroutine$'
run -e 'local a <const> = 1 goto done do return end ::done:: print(_VERSION, a)'
out '^Lua 5.4\t1$'
run -e 'warn("@on") warn("hello ", "there")
  setmetatable({}, {__gc = function() error("in gc") end}) collectgarbage() warn("@off") warn("x")'
code 0
err '^Lua warning: hello there$'
err '^Lua warning: .*in gc'
[ "$(count "$err" .)" = 2 ] || complain 'two warnings, no more'

# the program may stand anywhere, and is called from anywhere
cp "$TIDEMILL" "$dir/moved"
what='a copy elsewhere, with an empty environment'
(cd / && env -i "$dir/moved" -e 'local tm = require "tidemill"
    print(tm.submit(function() return require("tidemill").version == tm.version end):result())') >"$out" 2>"$err"
code=$?
code 0
out '^true$'
finish
