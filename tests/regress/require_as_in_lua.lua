-- The errors of require and load are those of plain Lua: their text, the position of the caller, the traceback of a
-- module that fails, and a package.searchers that a script took away.
local function message_of(fn, ...)
  local ok, problem = pcall(fn, ...)
  assert(not ok)
  return problem
end
local function line() return debug.getinfo(2, "l").currentline end
local here = debug.getinfo(1, "S").short_src .. ":"

package.path, package.cpath = "?.lua;?/?", "?.so;?/init"
local expected = "module 'no_such' not found:\n\tno field package.preload['no_such']\n\tno file 'no_such.lua'" ..
  "\n\tno file 'no_such/no_such'\n\tno file 'no_such.so'\n\tno file 'no_such/init'"
assert(message_of(require, "no_such") == expected)
local at
assert(message_of(function() at = line(); local m = require "no_such"; return m end) == here .. at .. ": " .. expected)
assert(message_of(function() at = line(); return require "no_such" end) == here .. at .. ": " .. expected)
assert(message_of(require, "tidemill.no_such"):find("no module 'tidemill.no_such' compiled into tidemill", 1, true))
assert(message_of(require) == "bad argument #1 to 'require' (string expected, got no value)")
assert(message_of(require, nil) == "bad argument #1 to 'require' (string expected, got nil)")

local searchers = package.searchers
package.searchers = nil
assert(message_of(require, "no_such") == "'package.searchers' must be a table")
package.searchers = searchers

-- a failing module, then once more: it is not taken for one that is being loaded
package.preload.fails = function(...)
  assert(select("#", ...) == 2)
  local function deep_in_the_module() error("as it should") end
  deep_in_the_module()
end
for _ = 1, 2 do
  local ok, trace = xpcall(require, debug.traceback, "fails")
  assert(not ok and trace:find("as it should", 1, true) and trace:find("deep_in_the_module", 1, true))
end

-- the results: the value and what the searcher said about it, then only the value
package.preload.works = function(name, extra) return { name, extra } end
local value, extra = require "works"
assert(value[1] == "works" and value[2] == ":preload:" and extra == ":preload:")
assert(select("#", require "works") == 1)

-- no global of the script is used
local globals, saved = _G, {}
for name, global in pairs(globals) do saved[name] = global end
local require, next = require, next
package.loaded.works = nil
for name in next, saved do globals[name] = nil end
local again = require "works"
for name, global in next, saved do globals[name] = global end
assert(again[1] == "works")

assert(message_of(load, {}) == "bad argument #1 to 'load' (function expected, got table)")
assert(message_of(function() at = line(); load({}) end) ==
  here .. at .. ": bad argument #1 to 'load' (function expected, got table)")
assert(message_of(function() at = line(); loadfile({}) end) ==
  here .. at .. ": bad argument #1 to 'loadfile' (string expected, got table)")
local chunk, problem = load(function() return {} end)
assert(chunk == nil and problem:find("reader function must return a string", 1, true))
