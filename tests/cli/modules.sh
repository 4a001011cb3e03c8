# Modules written in C, from the system's packages, in main and in tasks; those that are not installed are passed over.
. "$(dirname "$0")/lib.sh"

run -e 'print(pcall(require, "lfs"))'
if grep -q '^true' "$out"; then
    run -e 'local tm = require "tidemill" local lfs = require "lfs"
      print(lfs.currentdir() == tm.submit(function() return lfs.currentdir() end):result())
      print(tm.submit(function() local n = 0 for _ in require("lfs").dir("/") do n = n + 1 end return n > 2 end):result())'
    code 0
    [ "$(count "$out" '^true$')" = 2 ] || complain 'lfs should work in main and in tasks'
fi
run -e 'print(pcall(require, "cjson"))'
if grep -q '^true' "$out"; then
    run -e 'local tm = require "tidemill" local json = require "cjson"
      print(tm.submit(function() return json.encode({1, 2}), json.decode("[null]")[1] == json.null end):result())
      for i, x in tm.map(json.encode, {{1}, {2}}) do print(i, x) end'
    code 0
    out '^\[1,2\]\ttrue$'
    out '^2\t\[2\]$'
fi
# Lua modules beside the script, with its package.path
mkdir "$dir/lib"
script lib/greet.lua <<'L'
local M = {}
function M.hello(name) return "hello " .. name end
return M
L
script uses.lua <<L
package.path = "$dir/lib/?.lua;" .. package.path
local tm, greet = require "tidemill", require "greet"
print(tm.submit(greet.hello, "there"):result())
print(tm.submit(function() return greet.hello("here") end):result())
L
run "$dir/uses.lua"
code 0
out '^hello there$'
out '^hello here$'

# tasks that load one at the same time load it once in each state
script lib/slow.lua <<'L'
require("tidemill").sleep(0.05)
return { os.clock() }
L
script slow.lua <<L
package.path = "$dir/lib/?.lua;" .. package.path
local tm = require "tidemill"
local function both() return require "slow" == require "slow" end
local list = {}
for i = 1, 10 do list[i] = tm.submit(both) end
print(select("#", table.unpack(tm.gather(list))))
L
run "$dir/slow.lua"
code 0
out '^10$'
for _ in 1 2 3; do
    run --timeout 60 --debug-yield-every-instruction "$dir/slow.lua"
    code 0
    out '^10$'
done

# a load that is cancelled leaves no trace: the next one loads it
script lib/slower.lua <<'L'
require("tidemill").sleep(1)
return {}
L
script cancelled.lua <<L
package.path = "$dir/lib/?.lua;" .. package.path
local tm = require "tidemill"
local began = tm.event()
local f = tm.submit(function() began:set() return require "slower" end)
began:wait()
tm.sleep(0.02)
f:cancel()
print(select(2, pcall(f.result, f)))
print(type(tm.submit(function() return require "slower" end):result(60)))
L
run --workers 1 "$dir/cancelled.lua"
code 0
out '^cancelled$'
out '^table$'

script missing.lua <<'L'
local function uses() require "no.such.module" end
uses()
L
run "$dir/missing.lua"
code 1
err "missing.lua:1: module 'no.such.module' not found:"
script lib/loop_a.lua <<'L'
return require "loop_b"
L
script lib/loop_b.lua <<'L'
return require "loop_a"
L
run -e "package.path = '$dir/lib/?.lua'" -e 'require "loop_a"'
code 1
err 'loop'
finish
