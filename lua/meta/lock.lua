---@meta

--- A lock that belongs to the task that took it. What `tm.rlock` makes can be taken by its owner again.
---
---     local lock = tm.lock()
---     do
---       local guard <close> = lock:guard()
---       change_what_is_shared()
---     end
---@class tidemill.lock
local lock = {}

--- Takes it; waits while another task holds it.
---
--- Raises where that would be for ever: a circle of tasks that wait for each other, or a lock that the task itself
--- holds and that is no rlock. Raises an error of kind "abandoned" if its owner ended without releasing it.
---@param timeout? number seconds
---@return boolean taken false where the time was over
function lock:acquire(timeout) end

--- Takes it if it is free.
---@return boolean taken
function lock:try_acquire() end

--- Gives it back: one level of an rlock. Only the task that took it may.
function lock:release() end

--- Whether it is held, or abandoned.
---@return boolean
function lock:locked() end

--- Takes it until the end of the block.
---
---     local guard <close> = lock:guard()
---@param timeout? number seconds
---@return tidemill.guard? guard
---@return string? why "timeout" where there is no guard
function lock:guard(timeout) end

--- Calls a function while it holds the lock. Releases it whatever happens.
---
---     local n = lock:with(function() return #read_it() end)
---@generic T
---@param fn fun(...): T...
---@param ... any arguments
---@return T ...
function lock:with(fn, ...) end

--- Makes an abandoned lock free. Any other stays as it is.
---@return boolean reset whether it was abandoned
function lock:reset() end

--- What `lock:guard()` gives, for a `<close>` variable.
---@class tidemill.guard
local guard = {}

--- Releases the lock before the block ends, once.
function guard:release() end
