---@meta

--- A flag that tasks wait for.
---
---     local ready = tm.event()
---     tm.submit(function() prepare() ready:set() end)
---     ready:wait()
---@class tidemill.event
local event = {}

--- Sets it: wakes all who wait, and lets all who come later pass.
function event:set() end

--- Clears it. Those whom `set` woke go on all the same.
function event:clear() end

--- Whether it is set.
---@return boolean
function event:is_set() end

--- Waits until it is set.
---
---     if not ready:wait(5) then print("still not ready") end
---@param timeout? number seconds
---@return boolean set false where the time was over
function event:wait(timeout) end
