--- http: n GETs of a small file, so many at once; each task asks again and again until the n are done.
--- arguments: n 20000, concurrency 100, url
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local bench = require "bench"
local tm = require "tidemill"

local n, concurrency = bench.arg(1, 20000), bench.arg(2, 100)
local url = arg[3] or "http://127.0.0.1:18080/1k.txt"

local started, failures = tm.counter(), tm.counter()
local http = tm.http

local function client()
  while started:add(1) <= n do
    local res = http.get(url)
    if not res or res.status ~= 200 or #res.body == 0 then failures:add(1) end
  end
end

http.limits({ connections = math.max(concurrency, 1024), per_host = math.max(concurrency, 128) })
local cpu, start = os.clock(), bench.now()
tm.scope(function(scope)
  for _ = 1, concurrency do scope:spawn(client) end
end)
local seconds = bench.now() - start
bench.report("http", n, seconds,
  { concurrency = concurrency, failures = failures:get(), cpu_seconds = os.clock() - cpu })
