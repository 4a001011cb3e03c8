# --virtual-time and --seed: the same seed prints the same, another seed something else; limits and signals are real.
. "$(dirname "$0")/lib.sh"

script race.lua <<'L'
local tm = require "tidemill"
local ready, total, order = tm.event(), tm.counter(), {}
local function race(i)
  local seen = {}
  ready:wait()
  for k = 1, 5 do
    local v = total:get()
    for _ = 1, 300 do end
    total:set(v + 1)
    seen[#seen + 1] = v
    if k % 2 == 0 then tm.sleep(math.random() / 100) end
  end
  return i .. ": " .. table.concat(seen, " ")
end
local futures = {}
for i = 1, 50 do
  futures[i] = tm.submit(race, i)
  futures[i]:on_done(function() order[#order + 1] = i end)
end
tm.sleep(0.001)
ready:set()
for _, future in ipairs(futures) do print(future:result()) end
print(table.concat(order, " "), total:get(), tm.monotonic())
L
run --virtual-time --seed 1 "$dir/race.lua"
code 0
err ''
cp "$out" "$dir/first"
i=0
while [ $i -lt 20 ]; do
    run --virtual-time --seed 1 "$dir/race.lua"
    cmp -s "$out" "$dir/first" || complain 'the same seed should print the same'
    i=$((i + 1))
done
for seed in 0 1 2 3 4 5 6 7 8 9; do
    run --virtual-time --seed $seed "$dir/race.lua"
    cksum <"$out"
done | sort -u >"$dir/sums"
[ "$(wc -l <"$dir/sums")" -ge 8 ] || complain 'ten seeds should give different runs'
run --virtual-time "$dir/race.lua"
cp "$out" "$dir/first"
run --virtual-time --seed 0 --workers 4 "$dir/race.lua"
cmp -s "$out" "$dir/first" || complain 'seed 0 and four workers are the default'

# what else draws lots: the jitter of timers, the order of a dict's keys
script lots.lua <<'L'
local tm = require "tidemill"
tm.every(1, function() print(tm.monotonic()) end, { jitter = 0.9, max_runs = 5 }):join()
local d = tm.dict()
for i = 1, 20 do d:set("key" .. i, i) end
print(table.concat(d:keys(), " "))
L
run --virtual-time --seed 3 "$dir/lots.lua"
cp "$out" "$dir/first"
run --virtual-time --seed 3 "$dir/lots.lua"
cmp -s "$out" "$dir/first" || complain 'the same seed should draw the same lots'
run --virtual-time --seed 4 "$dir/lots.lua"
cmp -s "$out" "$dir/first" && complain 'another seed should draw others'

# a week in a moment
script week.lua <<'L'
local tm = require "tidemill"
for _ = 1, 10080 do tm.sleep(60) end
print(tm.now(), os.time(), os.date "!%F %T", os.clock())
L
start=$(now)
run --virtual-time "$dir/week.lua"
code 0
out '^947289600.0\t947289600\t2000-01-08 00:00:00\t604800.0$'
within 20 "$start"

# who polls gets on, whatever he does between two looks, and time keeps about its real pace
script polls.lua <<'L'
local tm = require "tidemill"
local path = arg[0]
local function poll(between)
  local stop, looks = tm.monotonic() + 1, 0
  while tm.monotonic() < stop do
    between()
    looks = looks + 1
  end
  return looks
end
local pool = tm.executor { max_workers = 4 }
print(poll(function() tm.sleep(0) end) > 1000)
print(poll(function() tm.sleep(1e-9) end) > 1000)
print(poll(function() assert(tm.fs.read(path)) end) > 1000)
local four = {}
for i = 1, 4 do four[i] = pool:submit(poll, function() tm.sleep(0) end) end
for _, future in ipairs(four) do print(future:result() > 1000) end
L
run --timeout 100 --virtual-time "$dir/polls.lua"
code 0
cp "$out" "$dir/first"
[ "$(grep -c '^true$' "$dir/first")" = 7 ] || complain 'all seven should have polled and ended'

# a time limit that has to be held back for a moment, as one that strikes behind a tail call or in a closer; a script with a
# hook of its own that polls where Lua cannot yield
script held.lua <<'L'
local tm = require "tidemill"
local function spin() while true do end end
local function tail() return spin() end
print(pcall(tm.timeout, 0.1, function() local r = tail() return r end))
print(pcall(tm.timeout, 0.1, function()
  local stop = tm.monotonic() + 0.3
  local x <close> = setmetatable({}, { __close = function() while tm.monotonic() < stop do end end })
  tm.sleep(60)
end))
local c = tm.counter()
tm.submit(function()
  for _ = 1, 50 do tm.sleep(0) end
  c:add(1)
end)
debug.sethook(function() end, "", 1000)
print((("x"):gsub("x", function()
  while c:get() == 0 do end
  return "hooked"
end)))
L
run --timeout 100 --virtual-time "$dir/held.lua"
code 0
[ "$(cut -f 2 "$out")" = "$(printf 'timeout\ntimeout\nhooked')" ] || complain 'limits should strike, and polls end'

# a seed decides who is first, a cancellation or a file; and what is read beside one that computes
script files.lua <<'L'
local tm = require "tidemill"
local path, found = arg[0], {}
for i = 1, 20 do
  local done = tm.counter()
  local f = tm.submit(function() if tm.fs.read(path) then done:add(1) end end)
  tm.sleep(i % 2 == 0 and 0 or 0.001)
  for _ = 1, i * 2000 do end
  f:cancel()
  tm.wait { f }
  found[i] = done:get()
end
print(table.concat(found))
local read = tm.counter()
local reader = tm.submit(function()
  for _ = 1, 30 do if tm.fs.read(path) then read:add(1) end end
end)
local n = 0
print(pcall(tm.timeout, 0.2, function() while true do n = n + 1 end end))
print(n, read:get(), tm.monotonic())
reader:result()
local fs = {}
for i = 1, 12 do -- waits in waits, with files
  fs[i] = tm.submit(function() table.sort({ 1, 2 }, function(a, b)
    for _ = 1, 3 do tm.fs.read(path) end
    return a < b
  end) end)
end
for _, f in ipairs(fs) do f:result() end
L
start=$(now)
run --virtual-time --seed 3 "$dir/files.lua"
code 0
within 20 "$start"
cp "$out" "$dir/first"
for _ in 1 2 3; do
    run --virtual-time --seed 3 "$dir/files.lua"
    cmp -s "$out" "$dir/first" || complain 'files should not change what a seed decides'
done

run --virtual-time=2031-05-01T09:30:00Z -e 'print(os.date("!%F %T"))'
out '^2031-05-01 09:30:00$'
local_time() { env "$@" "$TIDEMILL" --virtual-time -e 'print(os.date("%H:%M %Z"))'; }
[ "$(local_time -u TZ)" = "00:00 UTC" ] || complain 'local time should be UTC'
[ "$(local_time TZ=EST5)" = "19:00 EST" ] || complain 'local time should be what TZ says'
run --virtual-time=2032-02-29 -e 'print(os.date("!%F %T"))'
out '^2032-02-29 00:00:00$'
run --virtual-time=86400.5 -e 'print(require("tidemill").now())'
out '^86400.5$'
run --virtual-time=2031-05-01T09:30:00.25 -e 'print(require("tidemill").now() % 1)'
out '^0.25$'
for bad in x '' 2031-02-29 2031-13-01 1969-12-31 2031-05-01T24:00:00Z 2031-05-01T09:30 2031-05-01T09:30:00+02:00 -1; do
    run "--virtual-time=$bad" -e 'print(1)'
    code 2
    err 'is not a time in UTC, such as'
done
run --seed 1 -e 'print(1)'
code 2
err 'give --virtual-time, too'
for bad in -1 x 1.5 '' 9223372036854775808; do
    run --virtual-time --seed "$bad" -e 'print(1)'
    code 2
    err 'is not an integer from 0 to'
done

# who waits for nothing that can come
run --virtual-time -e 'local tm = require "tidemill" tm.submit(function() tm.event():wait() end)
    tm.sleep(1e6) tm.event():wait()'
code 70
err 'deadlock: every task waits'
run --virtual-time -e 'local tm = require "tidemill" local hand = tm.testing.manual() tm.sleep(1)'
code 70
err 'the clock is moved by hand (tm.testing.manual), and nobody moves it'
run -e 'require("tidemill").testing.advance(1)'
code 1
err 'start it with tidemill --virtual-time'

# beyond what the clock can count a sleep is for ever
run --virtual-time -e 'local tm = require "tidemill" tm.sleep(7e9) tm.sleep(7e9)'
code 70

# limits and signals are real
start=$(now)
run --virtual-time --timeout 0.3 -e 'while true do end'
code 124
within 20 "$start"
run --virtual-time --timeout 0.3 -e 'local tm = require "tidemill" while true do tm.sleep(1) end'
code 124
run --virtual-time --timeout 0.3 -e 'local tm = require "tidemill" tm.on_signal("USR1", print) tm.event():wait()'
code 124
begin --virtual-time -e 'local tm = require "tidemill" local function spin() while true do tm.sleep(1) end end
    for _ = 1, 10 do tm.submit(spin) end
    io.stdout:setvbuf "no" print "ready" local _ <close> = setmetatable({}, {__close = function() print "closed" end}) spin()'
signal INT
ended
code 130
out '^closed$'
begin --virtual-time -e 'local tm = require "tidemill" local got = tm.event()
    tm.on_signal("USR1", function() print "got it" got:set() end)
    io.stdout:setvbuf "no" print "ready" while not got:is_set() do tm.sleep(1) end'
signal USR1
ended
code 0
out '^got it$'

# a wait for input that never comes has its time limit all the same, and takes real time then
mkfifo "$dir/fifo"
sleep 60 >"$dir/fifo" &
writer=$!
script wait.lua <<'L'
local tm = require "tidemill"
print(pcall(tm.timeout, 0.2, tm.fs.read, arg[1]))
print(tm.monotonic())
L
run --virtual-time --timeout 60 "$dir/wait.lua" "$dir/fifo"
code 0
out '^false\ttimeout$'
out '^1.2$'
kill $writer
finish
