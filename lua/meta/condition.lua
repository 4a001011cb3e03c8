---@meta

--- Tasks wait, without its lock, until another task that holds the lock says that something has changed.
---
---     local guard <close> = condition:guard()
---     condition:wait_for(function() return items:get() > 0 end)
---@class tidemill.condition
local condition = {}

--- Takes its lock.
---@param timeout? number seconds
---@return boolean taken false where the time was over
function condition:acquire(timeout) end

--- Takes its lock if it is free.
---@return boolean taken
function condition:try_acquire() end

--- Gives its lock back.
function condition:release() end

--- Whether its lock is held, or abandoned.
---@return boolean
function condition:locked() end

--- Takes its lock until the end of the block.
---@param timeout? number seconds
---@return tidemill.guard? guard
---@return string? why "timeout" where there is no guard
function condition:guard(timeout) end

--- Calls a function while it holds the lock.
---@generic T
---@param fn fun(...): T...
---@param ... any arguments
---@return T ...
function condition:with(fn, ...) end

--- Makes its lock free if it is abandoned.
---@return boolean reset
function condition:reset() end

--- Lets go of the lock, waits for a notification, and takes the lock again.
---@param timeout? number seconds
---@return boolean notified false where the time was over
function condition:wait(timeout) end

--- Waits until the predicate gives something true. It is called while the lock is held.
---
---     local item = condition:wait_for(take_item, 5)
---@generic T
---@param predicate fun(): T
---@param timeout? number seconds
---@return T value what the predicate gave last
function condition:wait_for(predicate, timeout) end

--- Wakes tasks that wait, those first who came first. The lock must be held.
---@param n? integer how many at most, 1 by default
function condition:notify(n) end

--- Wakes all that wait.
function condition:notify_all() end
