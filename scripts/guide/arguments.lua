--- Positional arguments, and named ones in a table.
local tm = require "tidemill"

local function greet(greeting, options)
  print(greeting .. ", " .. options.name .. ("!"):rep(options.volume))
end

local t = tm.thread { target = greet, args = { "Hello" }, kwargs = { name = "World", volume = 3 } }
t:start()
t:join()
tm.spawn(greet, "Goodbye", { name = "World", volume = 1 }):join()

--[[ output
Hello, World!!!
Goodbye, World!
]]
