---@meta

--- What a repeating timer's callback is told.
---@class tidemill.tick
---@field number integer 1 for the first run
---@field instant number when it was due, in seconds since the epoch
---@field late number seconds between when it was due (instant and jitter) and the start of the run
---@field missed integer instants since the last run that had no run of their own
---@field timer tidemill.timer

---@class tidemill.timer_options
---@field jitter? number seconds; each tick comes up to so much later, at random
---@field overlap? "skip"|"queue"|"concurrent" when the last run still goes on; "skip"
---@field catch_up? "one"|"all"|"none" when a tick comes so late that others have passed; "one"
---@field max_runs? integer it stops after so many runs
---@field max_failures? integer it stops after so many failures in a row
---@field daemon? boolean the program's end does not wait for it

---@class tidemill.every_options: tidemill.timer_options
---@field immediate? boolean the first run comes at once

--- Something that calls a function later: `tm.after`, `tm.every`.
---@class tidemill.timer
local timer = {}

--- Ends it: no further run starts.
---@return tidemill.timer
function timer:stop() end

--- Waits until it has stopped and no run goes on. Raises in its own callback.
---@param timeout? number seconds
---@return boolean stopped false where the time was over
function timer:join(timeout) end

--- Whether it may still run.
---@return boolean
function timer:is_active() end

--- What it did so far.
---@return { runs: integer, failures: integer, missed: integer }
function timer:stats() end
