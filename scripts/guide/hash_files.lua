--- The SHA-256 sums of some files, several at a time.
local tm = require "tidemill"

local paths = {}
for i = 1, 5 do
  paths[i] = os.tmpname()
  local file <close> = assert(io.open(paths[i], "w"))
  file:write(("file %d\n"):format(i):rep(1000))
end

local pool <close> = tm.executor { max_workers = 4 }
for i, sum in pool:map(function(path) return assert(tm.hash.file(path)) end, paths) do
  print(i, sum:sub(1, 16))
  os.remove(paths[i])
end

--[[ output
1	...
2	...
3	...
4	...
5	...
]]
