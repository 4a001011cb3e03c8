--- tm.retry: a call that is tried again, with pauses that grow and are drawn at random.
---
--- The pause before attempt k is random between 0 and min(max_delay, backoff * factor ^ (k - 2)): "full jitter", as
--- Marc Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015), found it to be the kindest to what is
--- called.

local core = require("tidemill.core")
local metatable_of = debug.getmetatable -- whatever its __metatable says

---@class tidemill.retry_options
---@field attempts? integer how often it is tried in all; 3
---@field backoff? number seconds before the second attempt, at most; 0.1
---@field factor? number by which the pause grows from attempt to attempt; 2
---@field jitter? boolean draw each pause at random between 0 and its length; true
---@field max_delay? number seconds that a pause has at most, finite; 30
---@field budget? number seconds over all: no attempt begins after it, and no pause that would reach beyond it
---@field on? fun(err: any, attempt: integer): boolean? whether this failure is worth another attempt; every failure is

local function fail(key, expected, got)
  error(("bad option '%s' (%s expected, got %s)"):format(key, expected, tostring(got)), 5)
end

local function number(key, least)
  return function(value)
    if type(value) ~= "number" or value ~= value or value < least then fail(key, "number >= " .. least, value) end
    return value
  end
end

local checks = {
  attempts = function(value)
    if math.type(value) ~= "integer" or value < 1 then fail("attempts", "integer >= 1", value) end
    return value
  end,
  backoff = number("backoff", 0),
  factor = number("factor", 1),
  max_delay = function(value)
    if value == math.huge then fail("max_delay", "finite number >= 0", value) end
    return number("max_delay", 0)(value)
  end,
  budget = number("budget", 0),
  jitter = function(value)
    if type(value) ~= "boolean" then fail("jitter", "boolean", value) end
    return value
  end,
  on = function(value)
    if type(value) ~= "function" then fail("on", "function", value) end
    return value
  end,
}

local defaults = { attempts = 3, backoff = 0.1, factor = 2, max_delay = 30, jitter = true }

local function options_of(given)
  if given ~= nil and type(given) ~= "table" then
    error(("bad argument #2 to 'retry' (table of options expected, got %s)"):format(type(given)), 3)
  end
  local options = {}
  for key, value in pairs(defaults) do options[key] = value end
  for key, value in pairs(given or {}) do
    if not checks[key] then
      error(("unknown option '%s' (known: attempts backoff budget factor jitter max_delay on)")
        :format(tostring(key)), 3)
    end
    options[key] = checks[key](value)
  end
  return options
end

--- The last failure, with the attempts counted: a text gets them appended; a table becomes a copy that has them, of the
--- same class, as others may hold the table itself.
local function counted(err, attempts)
  local suffix = attempts > 1 and (" (after %d attempts)"):format(attempts) or ""
  if type(err) == "string" then return err .. suffix end
  local class = metatable_of(err)
  if type(err) ~= "table" or (class and rawget(class, "__gc")) then return err end
  local copy = {}
  for key, value in next, err do copy[key] = value end
  copy.attempts = attempts
  if type(copy.message) == "string" then copy.message = copy.message .. suffix end
  return setmetatable(copy, class)
end

--- Calls fn(...) until it succeeds. A failure is an error that it raises, or `nil, err` as its values; a cancellation
--- is none.
---@param fn function
---@param options? tidemill.retry_options
---@param ... any arguments
---@return any ... what fn returned; after the last attempt its error is raised again, or its nil, err returned
return function(fn, options, ...)
  if type(fn) ~= "function" then
    error(("bad argument #1 to 'retry' (function expected, got %s)"):format(type(fn)), 2)
  end
  local o = options_of(options)
  local stop = o.budget and core.monotonic() + o.budget or math.huge
  for attempt = 1, o.attempts do
    local values = table.pack(pcall(fn, ...))
    local raised = not values[1]
    if not raised and not (values[2] == nil and values[3] ~= nil) then return table.unpack(values, 2, values.n) end
    local err = values[raised and 2 or 3]
    -- nothing, however often it is multiplied: 0 * inf is no number
    local pause = o.backoff == 0 and 0 or math.min(o.max_delay, o.backoff * o.factor ^ (attempt - 1))
    if o.jitter then pause = pause * math.random() end
    local last = attempt == o.attempts or core.monotonic() + pause > stop
    if last or (o.on and not o.on(err, attempt)) then
      if raised then error(counted(err, attempt), 0) end
      return nil, counted(err, attempt)
    end
    core.sleep(pause)
  end
end
