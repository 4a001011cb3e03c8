# Standard output: lines stay whole, and what did not get out is a failure.
. "$(dirname "$0")/lib.sh"

script lines.lua <<'L'
local tm = require "tidemill"
local pool <close> = tm.executor { max_workers = 8 }
for i = 1, 8 do
  pool:submit(function()
    for k = 1, 500 do print(("task %d"):format(i), ("line %d"):format(k), ("x"):rep(50 + k % 100), "end") end
  end)
end
L
run "$dir/lines.lua"
code 0
[ "$(wc -l <"$out")" = 4000 ] || complain 'there should be 4000 lines'
bad=$(grep -c -v -e "$(pattern '^task [1-8]\tline [0-9]*\tx*\tend$')" "$out")
[ "$bad" = 0 ] || complain "$bad lines are mixed"

what='stdout closed'
"$TIDEMILL" -e 'print(1)' >&- 2>"$err"
code=$?
code 1
err '^tidemill: cannot write to standard output: '
what='stdout full'
"$TIDEMILL" -e 'io.write("x")' >/dev/full 2>"$err"
code=$?
code 1
err '^tidemill: cannot write to standard output: No space left on device$'
what='stdout full, the script failed too'
"$TIDEMILL" -e 'print(1) os.exit(5)' >/dev/full 2>"$err"
code=$?
code 5
what='stdout closed, nothing printed'
"$TIDEMILL" -e 'x = 1' >&- 2>"$err"
code=$?
code 0
what='stderr closed'
"$TIDEMILL" -e 'error("x")' 2>&- >"$out"
code=$?
code 1
what='stdin closed'
"$TIDEMILL" - <&- >"$out" 2>"$err"
code=$?
code 1
err 'stdin'

what='a pipe whose reader has gone'
{
    "$TIDEMILL" -e 'for i = 1, 200000 do print(i) end' 2>"$err"
    echo $? >"$dir/code"
} | head -n 1 >"$out"
code=$(cat "$dir/code")
code 1
out '^1$'

run -e 'print() print(nil, false, 1.5, "a\0b") io.write("no newline")'
code 0
[ "$(wc -c <"$out")" = 29 ] || complain "there should be 29 bytes, not $(wc -c <"$out")"
finish
