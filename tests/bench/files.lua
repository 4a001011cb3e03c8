--- files: SHA-256 of every file below a folder, by tasks of one executor.
--- arguments: folder, tasks 8
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local bench = require "bench"
local tm = require "tidemill"

local function digest(path)
  return assert(tm.hash.file(path))
end

local root, tasks = bench.arg(1, "."), bench.arg(2, 8)
local start = bench.now()
local digests, n = {}, 0
do
  local paths = assert(tm.fs.glob(root .. "/**/*.bin"))
  local pool <close> = tm.executor { max_workers = tasks }
  for i, sum in pool:map(digest, paths) do
    digests[paths[i]] = sum
    n = n + 1
  end
end
local seconds = bench.now() - start
local size = 0
for path in pairs(digests) do
  local file <close> = assert(io.open(path))
  size = size + file:seek "end"
end
bench.report("files", n, seconds, { workers = tasks, mib_per_s = size / 2^20 / seconds })
