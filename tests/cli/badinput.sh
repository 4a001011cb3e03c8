# Scripts and options that are wrong: a clear message, and which exit code.
. "$(dirname "$0")/lib.sh"

run "$dir/missing.lua"
code 1
err "^tidemill: cannot open .*missing.lua: No such file or directory$"
no_err traceback
run "$dir"
code 1
err '^tidemill: cannot read .*: Is a directory$'
no_err traceback
if [ "$(id -u)" != 0 ]; then
    : >"$dir/secret.lua"
    chmod 000 "$dir/secret.lua"
    run "$dir/secret.lua"
    code 1
    err 'cannot open .*secret.lua: Permission denied'
fi
printf 'local x = 1\nx = = 2\n' | script syntax.lua
run "$dir/syntax.lua"
code 1
err "^tidemill: .*syntax.lua:2: unexpected symbol near '='$"
no_err traceback
run -e 'x ='
code 1
err '^tidemill: (command line):1: unexpected symbol near <eof>$'
no_err traceback
printf 'return "unfinished\n' | script string.lua
run "$dir/string.lua"
code 1
err 'string.lua:1: unfinished string'

# a binary chunk runs, as in lua; a broken one is refused
run -e 'io.open(arg[0], "wb"):write(string.dump(load("print(\"binary\", ...)")))' "$dir/unused" 2>/dev/null
run -e "local f = io.open('$dir/chunk.luac', 'wb') f:write(string.dump(load('print(5, ...)'))) f:close()"
code 0
run "$dir/chunk.luac" a
code 0
out '^5\ta$'
head -c 30 "$dir/chunk.luac" >"$dir/broken.luac"
run "$dir/broken.luac"
code 1
err 'truncated'

for words in '--workers 0' '--workers 1.5' '--workers -1' '--workers 99999999999999999999' '--workers x' '--timeout 0' \
    '--timeout -3' '--timeout 5x' '--timeout 1e3' '--timeout nan' '--grace x' '--max-memory 5' '--max-memory 1Q'; do
    # shellcheck disable=SC2086
    run $words "$dir/chunk.luac"
    code 2
    err "^tidemill: ${words%% *}: '.*' is not a"
    out ''
done
run --bogus
code 2
err "unknown option '--bogus'"
run -e
code 2
err '^tidemill: -e needs a value'
run
code 2
err 'no script given'

# values that cannot travel, in a script's eyes
script refuse.lua <<'L'
local tm = require "tidemill"
local conn = io.tmpfile()
local function fetch() return conn:read() end
print(pcall(tm.submit, fetch))
print(pcall(tm.submit, print, { a = { b = conn } }))
print(pcall(tm.submit, print, coroutine.create(print)))
L
run "$dir/refuse.lua"
code 0
out "cannot send 'conn' (upvalue of 'fetch', .*refuse.lua:3): "
out "cannot send .*a.b"
out 'cannot send .*coroutine'
finish
