--- busyhttp: how long a GET of 1 KiB takes, one at a time, while 8 tasks compute on the workers.
--- arguments: seconds 5, computing tasks 8, url
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local bench = require "bench"
local tm = require "tidemill"

local seconds, spinners = bench.arg(1, 5), bench.arg(2, 8)
local url = arg[3] or "http://127.0.0.1:18080/1k.txt"

local function spin(stop)
  local n = 0
  while tm.monotonic() < stop do
    for i = 1, 1000 do n = n + i % 7 end
  end
  return n
end

local function fetch(stop)
  local took = {}
  assert(tm.http.get(url)) -- loads libcurl, and connects
  while tm.monotonic() < stop do
    local began = tm.monotonic()
    assert(tm.http.get(url))
    took[#took + 1] = (tm.monotonic() - began) * 1000
  end
  return took
end

local stop = tm.monotonic() + seconds
local pool <close> = tm.executor { max_workers = spinners }
for _ = 1, spinners do pool:submit(spin, stop) end
local took = tm.submit(fetch, stop - 0.2):result()
bench.report("busyhttp", #took, seconds, { p50_ms = bench.percentile(took, 50), p99_ms = bench.percentile(took, 99),
  max_ms = bench.percentile(took, 100) })
