--- latency: n GETs that the server answers 200 ms late, by so many workers of an executor.
--- arguments: n 100, workers 4, url
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local bench = require "bench"
local tm = require "tidemill"
local http = tm.http -- begins to load libcurl: the imports of the other programs are not timed either

local n, workers = bench.arg(1, 100), bench.arg(2, 4)
local url = arg[3] or "http://127.0.0.1:18080/delay"

local function get(i)
  local res = http.get(url)
  return res and res.status == 200 and i > 0
end

local start = bench.now()
local good = 0
do
  local numbers = {}
  for i = 1, n do numbers[i] = i end
  local pool <close> = tm.executor { max_workers = workers }
  for _, fine in pool:map(get, numbers) do good = good + (fine and 1 or 0) end
end
bench.report("latency", n, bench.now() - start, { workers = workers, failures = n - good })
