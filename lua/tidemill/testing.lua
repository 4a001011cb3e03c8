--- tm.testing: a clock that a test moves by hand, in runs with virtual time (tidemill --virtual-time).

local clock = require("tidemill.core").clock

local M = {}

--- Raises in a run with real time.
---@param name string of the function
local function check(name)
  if clock.virtual() then return end
  error(("tm.testing.%s moves the virtual clock, but this run has the real one; start it with tidemill --virtual-time")
    :format(name), 3)
end

--- Whether this run has virtual time.
---@return boolean
function M.is_virtual()
  return clock.virtual()
end

--- Moves the clock: what is due until then runs, in order; returns when it has come there and all tasks are at rest.
---@param seconds number
function M.advance(seconds)
  check "advance"
  if type(seconds) ~= "number" or not (seconds >= 0 and seconds < math.huge) then
    error(("bad argument #1 to 'advance' (number of seconds >= 0 expected, got %s)")
      :format(type(seconds) == "number" and tostring(seconds) or type(seconds)), 2)
  end
  clock.advance(seconds)
end

---@class tidemill.testing.hand
local hand = {}
hand.__index = hand
hand.__name = "tidemill.testing.hand"

--- The clock goes on by itself again, unless somebody else holds it, too.
function hand:close()
  if self.closed then return end
  self.closed = true
  clock.manual(false)
end

function hand:__close() self:close() end

--- From now on the clock moves only by `advance`, until what this returns is closed.
---@return tidemill.testing.hand
function M.manual()
  check "manual"
  clock.manual(true)
  return setmetatable({ closed = false }, hand)
end

return M
