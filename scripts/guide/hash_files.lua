--- The SHA-256 sums of some files, several at a time. A task that reads holds up no worker.
local tm = require "tidemill"

local paths = {}
for i = 1, 5 do
  paths[i] = os.tmpname()
  assert(io.open(paths[i], "w")):write(("file %d\n"):format(i):rep(1000)):close()
end

local function sum(path) return assert(tm.hash.file(path)) end

local pool <close> = tm.executor { max_workers = 4 }
for i, digest in pool:map(sum, paths) do
  print(i, digest:sub(1, 16))
  os.remove(paths[i])
end

--[[ output
1    42a8942934c391b6
2    da2fef4cf6060602
3    e01175727c5b9925
4    e750cd1e0447341a
5    c5a64563d0bb14d8
]]
