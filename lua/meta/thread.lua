---@meta

---@class tidemill.thread_options
---@field target function what it runs
---@field args? any[] its arguments, in order; a field `n` counts them where there are nils
---@field kwargs? table handed over as the last argument: named arguments
---@field name? string default: `Thread-7 (fetch)`
---@field daemon? boolean the program's end does not wait for it, but cancels it. Default: as the thread that makes it

--- `tm.thread`: called, it makes a thread that is not started.
---
---     local t = tm.thread { target = fetch, args = { "https://example.org/" }, name = "fetcher" }
---     t:start()
---     t:join()
---@class tidemill.threads
---@overload fun(options: tidemill.thread_options): tidemill.thread
local threads = {}

--- The thread that runs. In a task of an executor or a scope and in a callback: one that stands for it, with a name
--- and an id, which nobody can join.
---
---     print(tm.thread.current().name)
---@return tidemill.thread
function threads.current() end

--- The thread that stands for the main chunk.
---@return tidemill.thread
function threads.main() end

--- Main and all threads that are started and have not ended, oldest first.
---
---     for _, t in ipairs(tm.thread.enumerate()) do print(t) end
---@return tidemill.thread[]
function threads.enumerate() end

--- How many `enumerate` would give.
---@return integer
function threads.active_count() end

---@class tidemill.thread_failure
---@field error any the error as it was raised
---@field traceback? string
---@field thread tidemill.thread
---@field name string the thread's

--- Sets who is told of each thread that fails and that nobody asks for its result; one function for the whole
--- program, nil for the report on stderr and exit code 1. It runs as a task where it was set: it sees the script's
--- locals and may wait. The exit code stays 0 unless it calls `os.exit`. If it fails itself both failures are reported.
---
---     tm.thread.set_excepthook(function(e) io.stderr:write(e.name, ": ", tostring(e.error), "\n") end)
---@param fn? fun(failure: tidemill.thread_failure)
function threads.set_excepthook(fn) end

---@class tidemill.thread_class_options
---@field name? string for names of threads and reports
---@field extends? table a class of tm.thread.class whose methods it inherits
---@field daemon? boolean what its instances begin with

--- A class whose instances are threads: started, they run their method `run` on a copy of their fields, which comes
--- back at `join`, `result` or `error`. Called, it makes an instance and calls its method `init`.
---
---     local Lines = tm.thread.class("Lines")
---     function Lines:init(path) self.path = path end
---     function Lines:run() for _ in io.lines(self.path) do self.count = (self.count or 0) + 1 end end
---     local lines = Lines("x.txt"):start()
---     lines:join()
---     print(lines.count)
---@param options? string|tidemill.thread_class_options a name, or options
---@return table class
function threads.class(options) end

--- A task with a name of its own.
---@class tidemill.thread
---@field name string can be set before the start
---@field daemon boolean can be set before the start
---@field id? integer nil before the start; of no other task of this run
local thread = {}

--- Starts it, once.
---
--- Raises where it was started or cancelled before, and where the program is ending.
---@return tidemill.thread self
function thread:start() end

--- Waits until it has ended, whichever way.
---
--- Raises before its start, in the thread itself, and where threads would wait for each other in a circle.
---
---     if not t:join(5) then print(t.name .. " still runs") end
---@param timeout? number seconds
---@return boolean ended false where the time was over
function thread:join(timeout) end

--- Waits for it and gives what its function returned.
---
--- Raises its error, `kind = "cancelled"` and `kind = "timeout"`.
---@param timeout? number seconds
---@return any ...
function thread:result(timeout) end

--- Waits for it and gives its error: nil if there is none.
---
--- Raises `kind = "cancelled"` and `kind = "timeout"`.
---@param timeout? number seconds
---@return any error
function thread:error(timeout) end

--- The traceback of one that failed, else nil.
---@return string?
function thread:traceback() end

--- Whether it was started and has not ended.
---@return boolean
function thread:is_alive() end

--- Cancels it: it never starts, or is asked to end. Its `<close>` variables are closed.
---@return boolean requested false where it had ended
function thread:cancel() end

--- Nobody needs to know if it fails.
---@return tidemill.thread self
function thread:ignore() end

--- What `tm.task_local` and `tm.worker_local` give. It travels, and means the same value everywhere.
---@class tidemill.task_value
local task_value = {}

--- The value of this task, or of this worker.
---@return any
function task_value:get() end

--- Sets it, any value. nil takes it away: the next `get` begins anew.
---@param value any
function task_value:set(value) end
