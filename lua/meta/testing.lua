---@meta tidemill.testing

--- A clock that a test moves by hand, in runs with virtual time: `tidemill --virtual-time test.lua`.
---
--- In a run with real time `advance` and `manual` raise.
---@class tidemill.testing
local testing = {}

--- Whether this run has virtual time.
---@return boolean
function testing.is_virtual() end

--- Moves the clock on by so many seconds. What is due until then runs, in order of time; returns when the clock has
--- come there and no task has anything left to do at that instant. 0 waits for just that.
---
--- Raises for a negative number and NaN, and where the duration is infinite.
---
---     tm.testing.advance(60)
---@param seconds number
function testing.advance(seconds) end

--- From now on the clock does not go on by itself when all tasks wait, but only by `advance`; until what this returns
--- is closed.
---
---     local hand <close> = tm.testing.manual()
---@return tidemill.testing.hand
function testing.manual() end

--- Holds the clock; a `<close>` variable lets it go.
---@class tidemill.testing.hand
local hand = {}

--- The clock goes on by itself again, unless another holds it. Closing twice does nothing.
function hand:close() end

return testing
