---@meta

--- Permits that tasks take and give back. Who waits is served in the order of arrival.
---
---     local at_once = tm.semaphore(3)
---     tm.map(function(url)
---       local permit <close> = at_once:guard()
---       return fetch(url)
---     end, urls)
---@class tidemill.semaphore
local semaphore = {}

--- Takes a permit; waits until there is one.
---
---     if not at_once:acquire(5) then print("still busy") end
---@param timeout? number seconds
---@return boolean taken false where the time was over
function semaphore:acquire(timeout) end

--- Takes a permit if there is one, without waiting.
---@return boolean taken
function semaphore:try_acquire() end

--- Gives permits back, or adds new ones; wakes up to n tasks that wait. A bounded semaphore raises where it would have
--- more than at first.
---@param n? integer >= 1; 1 by default
function semaphore:release(n) end

--- How many permits are left at this moment.
---@return integer
function semaphore:value() end

--- Takes a permit for a block: `local permit <close> = s:guard()` gives it back where the block ends, in whatever way.
---@param timeout? number seconds
---@return tidemill.semaphore_guard? guard nil where the time was over
---@return "timeout"? why
function semaphore:guard(timeout) end

--- Calls a function with a permit, and gives it back whatever happens.
---
---     local body = at_once:with(fetch, url)
---@param fn function
---@param ... any its arguments
---@return any ... what it returned
function semaphore:with(fn, ...) end

--- One permit, for a `<close>` variable. It stays in its task's state.
---@class tidemill.semaphore_guard
local guard = {}

--- Gives the permit back before the block ends. Once: a second call raises.
function guard:release() end
