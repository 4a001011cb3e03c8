--- tm.thread: threads from tidemill.core, and classes of threads.
---
--- An instance is a plain table in the state that made it; its thread stands in a weak table beside it. When it is
--- started the instance is sent as it is, and so is its class, the metatable: by name if it is a module's member, else
--- copied with its methods and those it inherits. What all classes have in common is a member of this module.

local core = require("tidemill.core").thread

local M = {
  current = core.current,
  main = core.main,
  enumerate = core.enumerate,
  active_count = core.active_count,
  set_excepthook = core.set_excepthook,
}

--- What every class inherits: the methods of a thread.
M.base = { __name = "tidemill.thread_base" }
for _, name in ipairs { "start", "join", "result", "error", "traceback", "is_alive", "cancel", "ignore" } do
  M.base[name] = core[name]
end

--- __call of a class: a new instance with a thread of its own, which is not started.
function M.construct(class, ...)
  local self = setmetatable({}, class)
  core.bind(self, class.__name, getmetatable(class).daemon)
  local init = self.init
  if init then init(self, ...) end
  return self
end

--- Takes the class off the copy, so that only its fields go back. Gives them, the keys that are gone, and the results.
local function give_back(self, keys, ...)
  setmetatable(self, nil)
  local gone = {}
  for _, key in ipairs(keys) do
    if self[key] == nil then gone[#gone + 1] = key end
  end
  return self, gone, ...
end

--- What the thread of an instance runs: `self` is the copy.
function M.run(self)
  local keys = {}
  for key in next, self do
    if type(key) ~= "table" then keys[#keys + 1] = key end
  end
  core.enter(self)
  return give_back(self, keys, self:run())
end

core.set_runner(M.run)

local keys_of_class = { name = "string", extends = "table", daemon = "boolean" }

local function check_class(options, level)
  for key, value in pairs(options) do
    local expected = keys_of_class[key]
    if not expected then error(("unknown option '%s' (known: name extends daemon)"):format(tostring(key)), level) end
    if type(value) ~= expected then
      error(("option '%s': a %s expected, got a %s"):format(key, expected, type(value)), level)
    end
  end
  local parent = options.extends
  if parent and (getmetatable(parent) or {}).__call ~= M.construct then
    error("option 'extends': a class of tm.thread.class expected", level)
  end
end

--- A class whose instances are threads that run their method `run`.
---@param options? string|table its name, or { name =, extends =, daemon = }
function M.class(options)
  if options == nil then options = {} end
  if type(options) == "string" then options = { name = options } end
  if type(options) ~= "table" then
    error(("bad argument #1 to 'class' (name or table of options expected, got %s)"):format(type(options)), 2)
  end
  check_class(options, 3)
  local parent, class = options.extends, {}
  for key, value in pairs(parent or {}) do -- metamethods are not looked for in what a class inherits from
    if type(key) == "string" and key:find("^__") then class[key] = value end
  end
  class.__name = options.name or "thread"
  class.__index = core.index
  class.__newindex = core.newindex
  class.__tostring = class.__tostring or core.tostring
  local daemon = options.daemon
  if daemon == nil and parent then daemon = getmetatable(parent).daemon end
  return setmetatable(class, { __index = parent or M.base, __call = M.construct, daemon = daemon })
end

return setmetatable(M, { __call = core.new })
