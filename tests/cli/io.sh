# Jobs and the end of the program: nothing that waits in a thread holds it up. tm.fs and tm.hash under limits.
. "$(dirname "$0")/lib.sh"
tm='local tm = require "tidemill"'
closer='local x <close> = setmetatable({}, {__close = function() print("closed") end})'
mkfifo "$dir/fifo"

# more readers than there are threads, none of which gets anything to read
began=$(now)
run -e "$tm for i = 1, 9 do tm.submit(tm.fs.read, '$dir/fifo') end tm.sleep(0.1) $closer os.exit(3)"
code 3
out '^closed$'
err ''
within 5 "$began"
began=$(now)
run --timeout 200ms -e "$tm $closer tm.hash.file('$dir/fifo')"
code 124
out '^closed$'
within 5 "$began"
begin -e "$tm $closer print('ready') io.stdout:flush() tm.fs.read('$dir/fifo')"
began=$(now)
signal TERM
ended
code 143
out '^closed$'
within 5 "$began"

# given up, but its thread has not noticed yet when the program ends by itself
run -e "$tm print(pcall(tm.timeout, 0.05, tm.fs.read, '$dir/fifo'))"
code 0
out '^false\ttimeout$'
err ''

# a task that waits for a file is no deadlock; what follows the last job is one
( sleep 0.3; echo text ) >"$dir/fifo" &
run -e "$tm print(tm.fs.read('$dir/fifo'))"
code 0
out '^text$'
run -e "$tm local e = tm.event() pcall(tm.timeout, 0.01, tm.fs.read, '$dir/fifo') e:wait()"
code 70
err 'deadlock: every task waits'

# limits: memory of all states together, open files
truncate -s 200M "$dir/large"
run --max-memory 64M -e "$tm print(pcall(tm.fs.read, '$dir/large')) print(#tm.fs.read('$0'))"
code 0
out '^false\t.*not enough memory$'
out '^[0-9]*$'
no_err .
truncate -s 40M "$dir/half"
run --max-memory 64M -e "$tm local half = tm.fs.read('$dir/half') print(pcall(tm.fs.read, '$dir/half')) print(#half)"
code 0
out '^false\t.*not enough memory$'
out '^41943040$'
what='tidemill with few open files'
(ulimit -n 7; exec "$TIDEMILL" -e "$tm tm.fs.read('$0')") >"$out" 2>"$err" </dev/null
code=$?
code 1
err 'cannot start the threads for input and output: Too many open files'
# libuv would abort; under a sanitizer an address space cannot be small
if (ulimit -v 4000000 && "$TIDEMILL" --version) >/dev/null 2>&1; then
    what='no room for the stacks of the pool'
    (ulimit -s 2000000 && ulimit -v 4000000 && exec "$TIDEMILL" -e "$tm tm.fs.read('$0')") >"$out" 2>"$err" </dev/null
    code=$?
    code 1
    err 'cannot start the threads for input and output: Resource temporarily unavailable; a limit on'
fi

# a size of the pool that the user has set stays
UV_THREADPOOL_SIZE=2
export UV_THREADPOOL_SIZE
run -e "$tm for i = 1, 5 do tm.submit(tm.fs.read, '$dir/fifo') end tm.sleep(0.05)
  print(os.getenv 'UV_THREADPOOL_SIZE') os.exit(0)"
code 0
out '^2$'
finish
