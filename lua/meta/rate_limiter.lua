---@meta

---@class tidemill.rate_limiter_options
---@field per_second number above 0, at most 1e9
---@field burst? integer how many may pass at once after a pause; 1

--- Lets so many pass in a second, over all tasks and workers.
---
---     local limiter = tm.rate_limiter { per_second = 5 }
---     limiter:wait()
---@class tidemill.rate_limiter
local rate_limiter = {}

--- Waits for its turn, or for n of them; where that would take longer than the time-out, returns false at once.
---@param timeout? number seconds
---@param n? integer 1
---@return boolean
function rate_limiter:wait(timeout, n) end

--- The same without waiting.
---@param n? integer 1
---@return boolean
function rate_limiter:try(n) end
