---@meta

--- A meeting point: tasks wait until all parties have come, then all go on. It can be passed again and again.
---
---     local loaded = tm.barrier(3, { action = function() print("all are here") end })
---     loaded:wait()
---@class tidemill.barrier
local barrier = {}

--- Arrives, and waits for the others. Raises an error of kind "broken_barrier" where the barrier is broken or breaks
--- meanwhile. A time-out breaks it for the others.
---
---     local place = loaded:wait(10)
---@param timeout? number seconds; the barrier's own limit by default
---@return integer? place 1 to parties, in the order of arrival; nil where the time was over
---@return "timeout"? why
function barrier:wait(timeout) end

--- Breaks it: who waits, and who comes, gets an error, until `reset`.
function barrier:abort() end

--- Makes it whole and empty. Who waits gets an error.
function barrier:reset() end

--- How many have to come.
---@return integer
function barrier:parties() end

--- How many wait at this moment.
---@return integer
function barrier:n_waiting() end

--- Whether it is broken.
---@return boolean
function barrier:broken() end
