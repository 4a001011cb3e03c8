---@meta tidemill

--- Tidemill: functions run as tasks on every CPU, wait by the thousand, and read like blocking code.
---
--- Times are seconds, as numbers. A time limit that is nil waits for ever, 0 only looks, and a negative number or NaN
--- is an error. What crosses from one task to another is copied; futures, executors, events, counters, dicts and scopes
--- arrive as the same objects.
--- is an error. What crosses from one task to another is copied; futures, executors, events, semaphores, counters and
--- the like arrive as the same objects.
---
---     local tm = require "tidemill"
---     local pool <close> = tm.executor { max_workers = 8 }
---     for i, size in pool:map(function(name) return #io.open(name):read "a" end, arg) do print(arg[i], size) end
---@class tidemill
---@field version string of Tidemill, such as "0.1.0"
---@field json tidemill.json reads and writes JSON
---@field fs tidemill.fs reads files and finds paths
---@field hash tidemill.hash hash sums
---@field http tidemill.http requests over HTTP
---@field thread tidemill.threads threads: `tm.thread { target = fn }`, and what there is about them
---@field cron tidemill.cron when cron expressions are due
---@field testing tidemill.testing a clock that tests move by hand
local tm = {}

--- What errors of Tidemill's own are: of time limits, cancellations, memory, bad input. `tostring` gives the message.
---@class tidemill.error
---@field kind "timeout"|"cancelled"|"memory"|"json"
---@field message string

--- Runs a function as a task on the default executor, which each Lua state makes at first use.
---
--- Raises where something cannot travel, naming its path (`cannot send 'conn' (upvalue of 'fetch', x.lua:3): ...`),
--- and where the program is ending.
---
---     local future = tm.submit(string.rep, "ab", 3)
---     print(future:result())     --> ababab
---@param fn function
---@param ... any its arguments, copied
---@return tidemill.future
function tm.submit(fn, ...) end

--- Maps over items on the default executor; see `tidemill.executor:map`.
---
---     for i, n in tm.map(function(x) return x * x end, { 1, 2, 3 }) do print(i, n) end
---@param fn fun(item: any): any
---@param items any[]|fun(): any
---@param options? tidemill.map_options
---@return tidemill.map
function tm.map(fn, items, options) end

--- An executor: runs what is submitted, at most `max_workers` at once, in the order of the submits.
---
--- Raises for an unknown option and for one of the wrong type.
---
---     local pool <close> = tm.executor { max_workers = 8, name = "fetchers" }
---@param options? tidemill.executor_options
---@return tidemill.executor
function tm.executor(options) end

--- Iterates over futures as they complete, those that are complete already first. Each comes once, failed and
--- cancelled ones too.
---
--- The iterator raises `kind = "timeout"` when the time is over and futures are unfinished; they go on.
---
---     for future in tm.as_completed(futures, 10) do print(future:result()) end
---@param futures tidemill.future[]
---@param timeout? number seconds from this call
---@return fun(): tidemill.future?
function tm.as_completed(futures, timeout) end

---@class tidemill.wait_options
---@field timeout? number seconds; when they are over it returns, that is no error
--- when to return; FIRST_EXCEPTION ignores cancelled ones. Default: ALL_COMPLETED
---@field return_when? "ALL_COMPLETED"|"FIRST_COMPLETED"|"FIRST_EXCEPTION"

--- Waits for futures.
---
---     local done, not_done = tm.wait(futures, { timeout = 5, return_when = "FIRST_COMPLETED" })
---@param futures tidemill.future[]
---@param options? tidemill.wait_options
---@return tidemill.future[] done
---@return tidemill.future[] not_done
function tm.wait(futures, options) end

--- Waits for all futures and gives the first result of each, in order.
---
--- Raises the first failure as soon as it happens, `kind = "cancelled"` for a cancelled one, and `kind = "timeout"`.
---
---     local sizes = tm.gather { tm.submit(size, "a.txt"), tm.submit(size, "b.txt") }
---@param futures tidemill.future[]
---@param timeout? number seconds from this call
---@return any[] results
function tm.gather(futures, timeout) end

--- Runs a function in which tasks are spawned that end before it returns. Gives what the function returns.
---
--- The first task that fails cancels the others and the function; when all have ended, its error is raised. An error
--- of the function cancels the tasks, too.
---
---     local a, b = tm.scope(function(s)
---       local x, y = s:spawn(fetch, "a"), s:spawn(fetch, "b")
---       return x:result(), y:result()
---     end)
---@generic R
---@param fn fun(scope: tidemill.scope): R...
---@return R...
function tm.scope(fn) end

--- Calls a function that must end in time. Gives what it returns.
---
--- When the time is over the function is cancelled wherever it stands, its `<close>` variables are closed, and
--- `kind = "timeout"` is raised.
---
---     local ok, text = pcall(tm.timeout, 2, function() return fetch("slow"):result() end)
---@generic A, R
---@param seconds number
---@param fn fun(...: A...): R...
---@param ... A...
---@return R...
function tm.timeout(seconds, fn, ...) end

--- Calls a function that no cancellation interrupts: it is held back until the function has ended.
---
---     tm.shield(function() write_half() write_other_half() end)
---@generic A, R
---@param fn fun(...: A...): R...
---@param ... A...
---@return R...
function tm.shield(fn, ...) end

--- A thread that runs a function, started: `tm.thread { target = fn, args = { ... } }:start()`.
---
--- Raises where something cannot travel, and where the program is ending.
---
---     local t = tm.spawn(fetch, "https://example.org/")
---     print(t.name, t:result())
---@param fn function
---@param ... any its arguments, copied
---@return tidemill.thread
function tm.spawn(fn, ...) end

--- A value for each task: absent in others, gone when the task ends, never copied.
---
---     local request = tm.task_local()
---     request:set { id = 7 }
---@param default? any what `get` gives first: a copy of it in each task; a function is called for it
---@return tidemill.task_value
function tm.task_local(default) end

--- A value for each worker's Lua state, shared by the tasks that run there: a cache, a connection. Never copied.
---
---     local db = tm.worker_local(function() return connect() end)
---@param default? any what `get` gives first: a copy of it in each state; a function is called for it, once in each
---@return tidemill.task_value
function tm.worker_local(default) end

--- An event that is not set.
---
---     local ready = tm.event()
---@return tidemill.event
function tm.event() end

---@class tidemill.lock_options
---@field name? string for messages

--- A free lock, which belongs to the task that takes it.
---
---     local lock = tm.lock()
---@param options? tidemill.lock_options
---@return tidemill.lock
function tm.lock(options) end

--- A free lock that its owner can take again and again.
---
---     local lock = tm.rlock { name = "cache" }
---@param options? tidemill.lock_options
---@return tidemill.lock
function tm.rlock(options) end

--- A condition over a lock, or over a new rlock.
---
---     local changed = tm.condition()
---@param lock? tidemill.lock
---@return tidemill.condition
function tm.condition(lock) end
---@class tidemill.queue_options
---@field maxsize? integer how many items it holds at most; 0, the default: no limit
---@field name? string for messages

--- A queue: first in, first out.
---
---     local jobs = tm.queue { maxsize = 100, name = "jobs" }
---@param options? tidemill.queue_options|integer or only the maxsize
---@return tidemill.queue
function tm.queue(options) end

--- A queue: last in, first out.
---@param options? tidemill.queue_options|integer
---@return tidemill.queue
function tm.lifo_queue(options) end

--- A queue: smallest priority first.
---@param options? tidemill.queue_options|integer
---@return tidemill.priority_queue
function tm.priority_queue(options) end

---@class tidemill.deque_options
---@field maxlen? integer how many items it holds at most; default: no limit

--- A deque: items in a row, for both ends.
---@param options? tidemill.deque_options
---@return tidemill.deque
function tm.deque(options) end

---@class tidemill.select_options
---@field timeout? number seconds; 0 only looks
---@field [integer] tidemill.queue|tidemill.future|tidemill.event

--- Waits for the first of several: a queue that has an item, a future that is done, an event that is set. Where more
--- than one is ready the first in the list wins.
---
---     local i, value, why = tm.select { jobs, stop, timeout = 5 }
---@param options tidemill.select_options
---@return integer? index nil where the time was over
---@return any value the item, which is taken out; the future; true for an event; "timeout"
---@return "shutdown"|number? why where a queue is shut down (the value is nil); or the priority of the item
function tm.select(options) end

--- A counter that all tasks share.
---
---     local hits = tm.counter()
---@param value? integer what it begins with; default 0
---@return tidemill.counter
function tm.counter(value) end

--- A dictionary that all tasks share; values are copied in and out.
---
---     local seen = tm.dict { ["/"] = true }
---@param values? table what it begins with
---@return tidemill.dict
function tm.dict(values) end
--- A semaphore: a number of permits that tasks take and give back.
---
---     local at_once = tm.semaphore(3)
---@param permits? integer how many there are at first, >= 0; 1 by default
---@return tidemill.semaphore
function tm.semaphore(permits) end

--- A semaphore that never has more permits than at first: to give back more than was taken is an error.
---
---     local connections = tm.bounded_semaphore(10)
---@param permits? integer >= 0; 1 by default
---@return tidemill.semaphore
function tm.bounded_semaphore(permits) end

---@class tidemill.barrier_options
---@field action? function called once each time all are there, in the task that came last, before anybody goes on
---@field timeout? number seconds: the limit of waits that name none

--- A barrier: tasks wait there until so many have come.
---
---     local all_loaded = tm.barrier(4)
---@param parties integer >= 1
---@param options? tidemill.barrier_options
---@return tidemill.barrier
function tm.barrier(parties, options) end

--- Something that is done once, whoever comes first.
---
---     local config = tm.once()
---@return tidemill.once
function tm.once() end

--- Waits. Other tasks run meanwhile; 0 lets them have their turn.
---
--- Raises for a negative number and NaN.
---
---     tm.sleep(0.25)
---@param seconds number
function tm.sleep(seconds) end

--- Calls a function once, some time from now, in this very state.
---
--- Raises for a delay that is negative, NaN or infinite.
---
---     tm.after(5, function() print("five seconds later") end)
---@param delay number seconds
---@param fn function
---@param ... any its arguments, uncopied
---@return tidemill.timer
function tm.after(delay, fn, ...) end

--- Calls a function again and again, on a grid of the monotonic clock that does not drift.
---
--- Raises for an interval that is not above 0 and finite, and for unknown options.
---
---     local timer = tm.every(60, function(tick) poll() end, { jitter = 5 })
---@param interval number seconds
---@param fn fun(tick: tidemill.tick)
---@param options? tidemill.every_options
---@return tidemill.timer
function tm.every(interval, fn, options) end

--- Something that lets so many pass in a second, over all tasks and workers.
---
---     local limiter = tm.rate_limiter { per_second = 5, burst = 10 }
---@param options tidemill.rate_limiter_options
---@return tidemill.rate_limiter
function tm.rate_limiter(options) end

--- Calls fn(...) until it succeeds, with growing random pauses. A failure is an error, or `nil, err` as its values; the
--- last one is raised again, or returned, with the attempts counted.
---
---     local body = tm.retry(fetch, { attempts = 5, backoff = 0.2 }, url)
---@param fn function
---@param options? tidemill.retry_options
---@param ... any
---@return any ...
function tm.retry(fn, options, ...) end

--- The time of day, in seconds since 1970 with a fraction, as `os.time` counts them.
---
---     print(os.date("%T", tm.now() // 1 | 0))
---@return number seconds
function tm.now() end

--- A clock that never jumps, in seconds since some moment. The same in all tasks.
---
---     local before = tm.monotonic()
---     work()
---     print(tm.monotonic() - before)
---@return number seconds
function tm.monotonic() end

--- Calls a function when the process gets a signal, as a task where it was registered: it sees the script's locals
--- and may wait. One function for each signal; nil removes it. SIGINT and SIGTERM end the program in order where no
--- function is set.
---
--- Raises for a signal that is not known or that nobody can handle.
---
---     tm.on_signal("USR1", function(name) print("got", name) end)
---@param name "HUP"|"INT"|"TERM"|"USR1"|"USR2"|"WINCH"|"ALRM"|"CHLD"|"CONT"|"QUIT"|"TSTP"|string with or without "SIG"
---@param fn? fun(name: string)
function tm.on_signal(name, fn) end

return tm
