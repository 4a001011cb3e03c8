-- `require` that may wait: while one task of a state loads a module, others that want it wait for that one load.
-- Called once for each state, with the package library and helpers written in C; returns the function that `require`,
-- which is written in C as in plain Lua, calls with a string. The globals are the script's: nothing here uses them
-- later on.

local package, helpers = ...

local loaded = package.loaded
local error, type, setmetatable = error, type, setmetatable
local concat, format, maxinteger = table.concat, string.format, math.maxinteger
local open, is_c, task_id, new_event = helpers.open, helpers.is_c, helpers.task_id, helpers.event

--- The level, for `error`, of the caller of `require`, from a function that a function called by it calls.
local CALLER = 5

--- set_default(t, key, value): what t[key] is, now `value` if it was nil. No other task runs meanwhile.
local set_default = helpers.set_default

--- Modules being loaded: name -> { name, task = id, event = what those who wait set first; true once it has ended }.
local loading = {}
--- Tasks that wait for a load: id -> name of the module.
local waiting = {}

--- A load ends, however: whoever waits for it looks again. Nothing to do for one that did not begin, as another
--- was first.
local load_ends = {
  __close = function(entry)
    if loading[entry.name] ~= entry then return end
    loading[entry.name] = nil
    local event = set_default(entry, "event", true)
    if event ~= true then event:set() end
  end,
}

local wait_ends = { __close = function(wait) waiting[wait.task] = nil end }

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
  if type(searchers) ~= "table" then error("'package.searchers' must be a table", CALLER) end
  local message = {}
  for i = 1, maxinteger do
    local searcher = searchers[i]
    if searcher == nil then
      error(format("module '%s' not found:%s", name, concat(message)), CALLER)
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

--- Waits until that load has ended.
local function wait_for(entry, me)
  local _ <close> = setmetatable({ task = me }, wait_ends)
  waiting[me] = entry.name -- before the look: of two that close a loop at the same time one sees it
  if leads_back(entry.name, me) then
    local text = "loop while loading module '%s': it requires itself, by way of what it requires"
    error(format(text, entry.name), CALLER - 1)
  end
  local event = set_default(entry, "event", new_event())
  if event ~= true then event:wait() end
end

return function(name)
  while true do
    if loaded[name] then return loaded[name] end
    local mine <close> = setmetatable({ name = name, task = task_id() }, load_ends) -- before it can be seen
    local entry = set_default(loading, name, mine)
    if entry == mine then
      if loaded[name] then return loaded[name] end -- since the look above
      return load_module(name)
    end
    wait_for(entry, mine.task)
  end
end
