-- warn works as in plain Lua: off at first, turned on by "@on", which is a control only as the one piece of a
-- warning; one line on stderr for each call. So do errors in finalizers.
local program = assert(os.getenv "TIDEMILL" or arg[-1])

local function stderr_of(options, code)
  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  assert(file:write(code))
  file:close()
  local pipe = assert(io.popen(("'%s' %s '%s' 2>&1 </dev/null"):format(program, options, name)))
  local text = pipe:read "a"
  assert(pipe:close())
  os.remove(name)
  return (text:gsub("%(.-:%d+: ", "("))
end

local code = [[
  local tm = require "tidemill"
  warn("not yet")
  warn("@allow")
  warn("@on")
  warn("from ", "", "pieces")
  warn("", "@off")
  tm.submit(function() warn("@on") warn("from a task") end):result() -- each state is turned on by itself
  local function failing(text) setmetatable({}, { __gc = function() error(text) end }) end
  failing("while it runs")
  collectgarbage()
  warn("@off")
  warn("no more")
  warn("@on", "it is no control", "@on")
  warn("no more")
  warn("@on")
  failing("at the end")
]]
assert(stderr_of("", code) == [[
Lua warning: from pieces
Lua warning: @off
Lua warning: from a task
Lua warning: error in __gc (while it runs)
Lua warning: error in __gc (at the end)
]])
