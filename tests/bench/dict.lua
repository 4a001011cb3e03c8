--- dict: tasks that read and write one shared dictionary at random, 90 % reads. dict_peer.py is the same in Python.
--- arguments: operations of each task 1000000, tasks 8, keys 10000, kind of key string ("key123") or integer
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local bench = require "bench"
local tm = require "tidemill"

local each, tasks, size, sort = bench.arg(1, 1000000), bench.arg(2, 8), bench.arg(3, 10000), bench.arg(4, "string")

local function work(d, n, count, kind, seed, ready, go)
  local keys = {}
  for i = 1, count do keys[i] = kind == "string" and "key" .. i or i end
  ready:add()
  go:wait()
  local x, sum = seed, 0
  for i = 1, n do
    x = (x * 1103515245 + 12345) & 0x7fffffff
    local key = keys[(x >> 8) % count + 1]
    if i % 10 == 0 then
      d:set(key, i)
    else
      sum = sum + d:get(key)
    end
  end
  return sum
end

local d = tm.dict()
for i = 1, size do d:set(sort == "string" and "key" .. i or i, 0) end
local ready, go, futures = tm.counter(), tm.event(), {}
local pool <close> = tm.executor { max_workers = tasks }
for i = 1, tasks do futures[i] = pool:submit(work, d, each, size, sort, i, ready, go) end
while ready:get() < tasks do tm.sleep(0.001) end
local start = bench.now()
go:set()
tm.gather(futures)
bench.report("dict", each * tasks, bench.now() - start, { kind = sort })
