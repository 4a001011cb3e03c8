# Little memory, few processes, few descriptors: tasks fail and the program goes on, or says which limit it was.
. "$(dirname "$0")/lib.sh"
hello='print(require("tidemill").submit(function() return "hello" end):result())'

script eat.lua <<'L'
local tm = require "tidemill"
local function eat() local t = {} for i = 1, math.huge do t[i] = { i } end end
local function text(e) return type(e) == "table" and e.kind .. ": " .. tostring(e) or tostring(e) end
for _ = 1, 3 do
  local f = tm.submit(eat)
  print(text(select(2, pcall(f.result, f))))
  print(tm.submit(function() return "goes on" end):result())
end
L
run --max-memory 64M "$dir/eat.lua"
code 0
out 'not enough memory'
out '^goes on$'
[ "$(count "$out" '^goes on$')" = 3 ] || complain 'every time'
run --max-memory 64M --workers 1 "$dir/eat.lua"
code 0
[ "$(count "$out" '^goes on$')" = 3 ] || complain 'every time'

run --max-memory 64M -e 'local tm = require "tidemill" local f = tm.submit(function() return #string.rep("x", 1 << 30) end)
  print(select(2, pcall(f.result, f)))' -e "$hello"
code 0
out 'not enough memory'
out '^hello$'
run --max-memory 64M -e 'local t = {} for i = 1, math.huge do t[i] = { i } end'
code 1
err '^tidemill: not enough memory'
run --max-memory 64M -e 'print(pcall(function() local t = {} for i = 1, math.huge do t[i] = { i } end end))'
code 0
out '^false\tnot enough memory$'

# others in the same state live on where a collection helps
run --max-memory 64M --workers 1 -e 'local tm = require "tidemill" local go = tm.event()
  local other = tm.submit(function() go:wait() return "other lives" end)
  local f = tm.submit(function() local s = "x" while true do s = s .. s end end)
  print(select(2, pcall(f.result, f))) go:set() print(other:result())'
code 0
out 'not enough memory'
out '^other lives$'

# what a JSON document takes while it is read counts, too, and is given back
cat >"$dir/json.lua" <<'L'
local tm = require "tidemill"
local item = '{"id": 1, "list": [1, 2, 3], "name": "a name"},'
local function read(n)
  local value, err = tm.json.decode("[" .. item:rep(n) .. "0]")
  return value and #value or tostring(err)
end
local function write(n)
  local list = {}
  for i = 1, n do list[i] = "x" end
  return #tm.json.encode(list)
end
for _ = 1, 3 do
  print("large", tm.submit(read, 200000):error(), tm.submit(write, 1500000):error())
  print("small", tm.submit(read, 1000):result(), tm.submit(write, 1000):result())
end
print("main", pcall(read, 200000))
print("main", pcall(read, 1000))
L
for workers in 1 2; do
    run --max-memory 64M --workers $workers "$dir/json.lua"
    code 0
    [ "$(count "$out" '^large.not enough memory.not enough memory$')" = 3 ] || complain 'too large a document fails'
    [ "$(count "$out" '^small.1001.4001$')" = 3 ] || complain 'a small one is read'
    out '^main.false.not enough memory$'
    out '^main.true.1001$'
done

run -e 'local function f(n) return 1 + f(n) end' -e 'local function f(n) return 1 + f(n) end f(1)'
code 1
err 'stack overflow'

# under a sanitizer an address space cannot be small
if (ulimit -v 400000 && "$TIDEMILL" --version) >/dev/null 2>&1; then
    what='ulimit -v 300000'
    (ulimit -v 300000 && "$TIDEMILL" "$dir/eat.lua") >"$out" 2>"$err" </dev/null
    code=$?
    code 0
    out '^goes on$'
    for kb in 100000 30000 12000 9000 7000 6000; do
        what="ulimit -v $kb"
        (ulimit -v $kb && "$TIDEMILL" -e "$hello") >"$out" 2>"$err" </dev/null
        code=$?
        if [ $code = 0 ]; then out '^hello$'; else err 'ulimit -\|--max-memory\|not enough memory\|shared object'; fi
        [ $code -lt 126 ] || complain 'it should not crash'
    done
fi

for n in 4 5 6 8 12; do
    what="ulimit -n $n"
    (ulimit -n $n && "$TIDEMILL" -e "$hello") >"$out" 2>"$err" </dev/null
    code=$?
    if [ $code = 0 ]; then out '^hello$'; else err 'ulimit -n\|Too many open files\|shared object'; fi
done

# processes: a limit counts for users that are not root, and needs a shell that knows -u
if [ "$(id -u)" != 0 ] && bash -c 'ulimit -u 100' 2>/dev/null; then
    what='ulimit -u 1'
    TIDEMILL=$TIDEMILL bash -c 'ulimit -u 1; exec "$TIDEMILL" -e "$0"' "$hello" >"$out" 2>"$err" </dev/null
    code=$?
    code 1
    err 'ulimit -u'
fi
finish
