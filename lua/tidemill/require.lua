-- `require` that may wait: while one task of a state loads a module, others that want it wait for that one load.
-- Called once for each state, with the package library and helpers written in C; returns the function.

local package, helpers = ...

local loaded = package.loaded
local error, type, tostring = error, type, tostring
local pcall, concat, format = pcall, table.concat, string.format
local open, is_c, task_id = helpers.open, helpers.is_c, helpers.task_id

--- Modules being loaded: name -> { task = id, event = what those who wait for it wait for }.
local loading = {}
--- Tasks that wait for a load: id -> name of the module.
local waiting = {}

--- Follows who waits for whom from the task that loads `name`; true if it leads back to `me`.
local function leads_back(name, me)
  local entry = loading[name]
  while entry do
    if entry.task == me then return true end
    entry = loading[waiting[entry.task]]
  end
  return false
end

local function find_loader(name)
  local searchers = package.searchers
  if type(searchers) ~= "table" then error("'package.searchers' must be a table", 0) end
  local message = {}
  for i = 1, math.maxinteger do
    local searcher = searchers[i]
    if searcher == nil then
      error(format("module '%s' not found:%s", name, concat(message)), 3)
    end
    local loader, extra = searcher(name)
    if type(loader) == "function" then return loader, extra end
    if type(loader) == "string" or type(loader) == "number" then
      message[#message + 1] = "\n\t" .. loader
    end
  end
end

local function load_module(name)
  local loader, extra = find_loader(name)
  local value
  if is_c(loader) then value = open(loader, name, extra) else value = loader(name, extra) end
  if value ~= nil then
    loaded[name] = value
  elseif loaded[name] == nil then
    loaded[name] = true
  end
  return loaded[name], extra
end

--- Waits until nobody loads `name`.
local function wait_for(name, me)
  if leads_back(name, me) then
    error(format("loop while loading module '%s': it requires itself, by way of what it requires", name), 3)
  end
  local entry = loading[name]
  entry.event = entry.event or require("tidemill.core").event()
  waiting[me] = name
  local ok, problem = pcall(entry.event.wait, entry.event)
  waiting[me] = nil
  if not ok then error(problem, 0) end
end

local function finish(name, ok, ...)
  local event = loading[name].event
  loading[name] = nil
  if event then event:set() end
  if not ok then error((...), 0) end
  return ...
end

local function require(name)
  if type(name) ~= "string" then
    if type(name) ~= "number" then
      local got = name == nil and "no value" or type(name)
      error(format("bad argument #1 to 'require' (string expected, got %s)", got), 2)
    end
    name = tostring(name)
  end
  while true do
    local value = loaded[name]
    if value then return value end
    if not loading[name] then break end
    wait_for(name, task_id())
  end
  loading[name] = { task = task_id() }
  return finish(name, pcall(load_module, name))
end

return require
