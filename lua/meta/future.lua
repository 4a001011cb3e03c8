---@meta

--- What a submitted call will come to: `pending`, `running`, then `done`, `failed` or `cancelled`.
---
--- A failure that nobody asked for is reported when the future goes, and makes the exit code 1; see `ignore`.
---@class tidemill.future
local future = {}

--- Waits for the task and gives all that its function returned: the same values each time.
---
--- Raises the task's error as it was raised (a table stays a table, copied), `kind = "cancelled"` if it was
--- cancelled, and `kind = "timeout"` if the time is over; the task goes on then.
---
---     local a, b = tm.submit(function() return 1, 2 end):result(5)
---@param timeout? number seconds
---@return any ...
function future:result(timeout) end

--- Waits for the task and gives its error: nil if there is none.
---
--- Raises `kind = "cancelled"` and `kind = "timeout"` as `result` does.
---
---     local e = future:error()
---     if e then print("failed: " .. tostring(e)) end
---@param timeout? number seconds
---@return any error
function future:error(timeout) end

--- The traceback of a task that failed; nil of others and of those that are not complete.
---
---     io.stderr:write(future:traceback() or "", "\n")
---@return string?
function future:traceback() end

--- Whether it is complete: done, failed or cancelled.
---
---     while not future:done() do tm.sleep(0.1) end
---@return boolean
function future:done() end

--- Whether its function runs now.
---@return boolean
function future:running() end

--- Whether it was cancelled, and has ended by that.
---@return boolean
function future:cancelled() end

--- Cancels the task. Pending, it is cancelled at once and never starts. Running, it is asked to: it is complete when
--- it has unwound, and if its function returns first, the result stands. `pcall` in the task does not stop a
--- cancellation; its `<close>` variables are closed, and may wait.
---
---     if not future:cancel() then print(future:result()) end
---@return boolean requested false where it had finished
function future:cancel() end

--- Calls a function with this future when it is complete, soon if it is already. It runs as a task in the state that
--- asked, so it sees the script's locals, and may wait. An error in it is reported and makes the exit code 1.
---
---     future:on_done(function(f) print(f, f:cancelled()) end)
---@param fn fun(future: tidemill.future)
---@return tidemill.future self
function future:on_done(fn) end

--- Nobody needs to know if it fails.
---
---     tm.submit(warm_cache):ignore()
---@return tidemill.future self
function future:ignore() end
