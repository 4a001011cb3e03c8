--- Two threads, started and joined.
local tm = require "tidemill"

local function download(name, seconds)
  print("begin " .. name)
  tm.sleep(seconds)
  print("end " .. name)
end

local began = tm.monotonic()
local first = tm.thread { target = download, args = { "page one", 2 } }
local second = tm.thread { target = download, args = { "page two", 3 } }
first:start()
tm.sleep(0.1) -- only so that the lines come in this order
second:start()
first:join()
second:join()
print(("both done after %.0f s"):format(tm.monotonic() - began))

--[[ output
begin page one
begin page two
end page one
end page two
both done after 3 s
]]
