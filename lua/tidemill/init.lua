--- `require "tidemill"`: the vocabulary. What is written in C comes from tidemill.core; what combines it stands here.

local core = require("tidemill.core")

local M = {}
for name, value in pairs(core) do
  if not name:find(".", 1, true) then M[name] = value end -- else the methods of a class
end
M.watch = nil -- what as_completed, wait and gather are made of
M.cron = nil -- what the module tidemill.cron is made of
M.http = nil -- what the module tidemill.http is made of
M.thread = nil -- what the module tidemill.thread is made of
M.clock = nil -- what the module tidemill.testing is made of
M.error_class = nil -- the metatable of errors that have a kind

--- Parts that are Lua code of their own, loaded at their first use: most scripts need none of them.
local lazy = {
  cron = "tidemill.cron", http = "tidemill.http", retry = "tidemill.retry", testing = "tidemill.testing",
  thread = "tidemill.thread",
}

--- Those that are loaded. They are no members of this module: their functions travel by their own module's name, as in
--- another state this one may not have loaded them yet.
local parts = {}

setmetatable(M, {
  __index = function(_, name)
    local part = parts[name]
    if part == nil and lazy[name] then
      if name == "http" then core.http.expect() end -- loads libcurl while the module is compiled
      part = require(lazy[name])
      parts[name] = part
    end
    return part
  end,
})

local default_executor

--- The executor behind tm.submit and tm.map, made at first use in each state.
local function default()
  default_executor = default_executor or core.executor({ name = "default" })
  return default_executor
end

--- Submits a call to the default executor.
---@param fn function what to call, in some other state
---@param ... any its arguments, copied
---@return tidemill.future
function M.submit(fn, ...)
  return default():submit(fn, ...)
end

--- Maps over items with the default executor; see executor:map.
---@param fn function
---@param items table|function
---@param options? tidemill.map_options
function M.map(fn, items, options)
  return default():map(fn, items, options)
end

local function check_futures(futures, name)
  if type(futures) ~= "table" then
    error(("bad argument #1 to '%s' (table of futures expected, got %s)"):format(name, type(futures)), 3)
  end
end

--- The instant at which a time limit passes, on tm.monotonic; nil for none.
local function deadline_after(timeout, name)
  if timeout == nil then return nil end
  if type(timeout) ~= "number" or timeout < 0 or timeout ~= timeout then
    error(("bad time limit to '%s' (number of seconds >= 0 expected, got %s)"):format(name, tostring(timeout)), 3)
  end
  return core.monotonic() + timeout
end

local function raise_timeout(message)
  error(setmetatable({ kind = "timeout", message = message }, core.error_class), 3)
end

--- The futures of a list without repetitions, in order, and a watch on them.
local function watch_all(futures, name)
  local seen, list = {}, {}
  for i = 1, #futures do
    local f = futures[i]
    if f == nil then f = false end -- a hole: no future, as the watch will say
    if not seen[f] then
      seen[f] = true
      list[#list + 1] = f
    end
  end
  local watch, problem = core.watch(list)
  if not watch then error(("bad argument #1 to '%s' (%s)"):format(name, problem), 3) end
  return list, watch
end

--- Iterates over futures as they complete, those that are complete already first; each comes once.
---@param futures tidemill.future[]
---@param timeout? number seconds from this call; when they are over with futures unfinished, the iterator raises
---@return fun(): tidemill.future?
function M.as_completed(futures, timeout)
  check_futures(futures, "as_completed")
  local deadline = deadline_after(timeout, "as_completed")
  local list, watch = watch_all(futures, "as_completed")
  local left = #list
  return function()
    if left == 0 then return nil end
    local i = watch:next(deadline)
    if not i then raise_timeout(("timeout: %d (of %d) futures unfinished"):format(left, #list)) end
    left = left - 1
    return list[i]
  end
end

local function failed(future)
  return future:done() and not future:cancelled() and future:error() ~= nil
end

--- When tm.wait returns, by name: called with a future that completed.
local return_when = {
  FIRST_COMPLETED = function() return true end,
  FIRST_EXCEPTION = failed,
  ALL_COMPLETED = function() return false end,
}

---@class tidemill.wait_options
---@field timeout? number seconds
---@field return_when? "ALL_COMPLETED"|"FIRST_COMPLETED"|"FIRST_EXCEPTION"

local wait_keys = { timeout = true, return_when = true }

--- Waits for futures; a time-out is no error here.
---@param futures tidemill.future[]
---@param options? tidemill.wait_options
---@return tidemill.future[] done, tidemill.future[] not_done
function M.wait(futures, options)
  check_futures(futures, "wait")
  options = options or {}
  for key in pairs(options) do
    if not wait_keys[key] then error(("unknown option '%s' (known: timeout return_when)"):format(tostring(key)), 2) end
  end
  local deadline = deadline_after(options.timeout, "wait")
  local mode = options.return_when or "ALL_COMPLETED"
  local enough = return_when[mode]
  if not enough then
    error(("bad option 'return_when' (FIRST_COMPLETED, FIRST_EXCEPTION or ALL_COMPLETED expected, got %s)")
      :format(tostring(mode)), 2)
  end
  local list, watch = watch_all(futures, "wait")
  local left, stop = #list, false
  while left > 0 and not stop do
    local i = watch:next(deadline)
    if not i then break end
    left = left - 1
    stop = enough(list[i])
  end
  watch:close()
  local done, not_done = {}, {}
  for _, f in ipairs(list) do
    local side = f:done() and done or not_done
    side[#side + 1] = f
  end
  return done, not_done
end

--- Waits for all futures and returns the first result of each, in order; raises a failure as soon as it happens.
---@param futures tidemill.future[]
---@param timeout? number seconds
---@return any[] results
function M.gather(futures, timeout)
  check_futures(futures, "gather")
  local deadline = deadline_after(timeout, "gather")
  local list, watch = watch_all(futures, "gather")
  for left = #list, 1, -1 do
    local i = watch:next(deadline)
    if not i then raise_timeout(("timeout: %d (of %d) futures unfinished"):format(left, #list)) end
    if list[i]:cancelled() or failed(list[i]) then list[i]:result() end
  end
  local results = {}
  for i = 1, #futures do results[i] = (futures[i]:result()) end
  return results
end

return M
