-- A table of module a.b was not received where a.b only loads once a is loaded, as it is on the sender's side.
local tm = require "tidemill"

local folder = os.tmpname()
os.remove(folder)
assert(os.execute("mkdir -p '" .. folder .. "/needy'"))

local function write(name, text)
  local file <close> = assert(io.open(folder .. "/" .. name, "w"))
  file:write(text)
end

write("needy.lua", "local M = {} package.loaded.needy = M function M.make() return { made = true } end " ..
  "M.child = require 'needy.child' return M")
write("needy/child.lua", "return { thing = package.loaded.needy.make() }")
package.path = folder .. "/?.lua;" .. package.path

local child = require("needy").child
local ok, result = pcall(function() return tm.submit(function() return child.thing.made end):result() end)
os.execute("rm -r '" .. folder .. "'")
assert(ok and result == true, result)
