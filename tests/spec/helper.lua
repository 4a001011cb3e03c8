--- What the specs share: one time limit, executors that must be idle when a test ends, and errors as values.

local tm = require "tidemill"

local M = {}

--- Seconds that anything may take. Reaching it is a failure, so it is generous: nothing waits it out when all is well.
M.LIMIT = 60

--- Seconds after which a test may say "it is still waiting".
M.MOMENT = 0.05

--- What a difference of two times may be too small by, as floats are rounded: virtual time is exact to the nanosecond.
M.ROUNDING = 1e-6

local pools = {}

--- An executor that helper.settle looks after.
function M.pool(options)
  local pool = tm.executor(options)
  pools[#pools + 1] = pool
  return pool
end

--- For after_each: fails the test if a task of one of its executors is left behind, and cancels it.
function M.settle()
  local left = {}
  for _, pool in ipairs(pools) do
    if not pool:shutdown({ timeout = 2 }) then
      left[#left + 1] = tostring(pool)
      pool:shutdown({ cancel = "all", timeout = M.LIMIT })
    end
  end
  pools = {}
  if #left > 0 then error("tasks left behind: " .. table.concat(left, ", "), 0) end
end

--- Calls fn, which must raise; returns what.
function M.raised(fn, ...)
  local ok, e = pcall(fn, ...)
  if ok then error("no error was raised", 2) end
  return e
end

--- The kind of the error table that fn raises; its text where it is no table.
function M.kind(fn, ...)
  local e = M.raised(fn, ...)
  return type(e) == "table" and e.kind or tostring(e)
end

--- Waits until the condition holds.
function M.eventually(condition)
  local stop = tm.monotonic() + M.LIMIT
  while not condition() do
    if tm.monotonic() > stop then error("it never came true", 2) end
    tm.sleep(0.001)
  end
end

--- A task of the pool that runs until `go` is set, and has begun.
function M.busy(pool, go)
  local began, limit = tm.event(), M.LIMIT
  local future = pool:submit(function()
    began:set()
    return go:wait(limit)
  end)
  if not began:wait(limit) then error("the task did not begin", 2) end
  return future
end

return M
