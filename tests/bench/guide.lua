--- guide: the table of the threading guide. Five loads, one at a time, with 4 and with 100 workers. Waiting is
--- simulated by sleeping. Arguments: how many of a load, 0: as many as the guide has; the load (requests, reads, cpu,
--- queries, mixed); the workers, 0: one at a time; the rounds of a CPU task, 0: what takes 100 ms here.
---   guide.lua 0 calibrate          how many rounds take 100 ms: the runs that are compared should compute the same
--- One at a time it also runs under plain lua5.4.
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local bench = require "bench"

local n, load, workers, rounds = bench.arg(1, 0), bench.arg(2, "requests"), bench.arg(3, 100), bench.arg(4, 0)

local function compute(times)
  local x = 0
  for i = 1, times do x = (x + i) & 0xffff end
  return x
end

--- How many rounds take 100 ms of CPU here, so long lasts the guide's CPU task: the median of several looks.
local function calibrate()
  local found = {}
  for i = 1, 9 do
    local began = os.clock()
    compute(3000000)
    found[i] = 3000000 * 0.1 / (os.clock() - began)
  end
  return math.floor(bench.percentile(found, 50))
end

if load == "calibrate" then
  local began = os.clock()
  rounds = calibrate()
  bench.report("guide", 1, os.clock() - began, { rounds = rounds })
  return
end
if rounds == 0 and (load == "cpu" or load == "mixed") then rounds = calibrate() end

--- How much of it there is, and how long one waits, in seconds, or how many rounds it computes.
local loads = {
  requests = { 100, { wait = 0.2 } }, reads = { 100, { wait = 0.01 } }, cpu = { 100, { rounds = rounds } },
  queries = { 50, { wait = 0.05 } },
}

local function one(item)
  if item.wait then require "tidemill".sleep(item.wait) else compute(item.rounds) end
  return true
end

local items = {}
local function add(name, count)
  for _ = 1, count do items[#items + 1] = loads[name][2] end
end
if load == "mixed" then
  for _, name in ipairs { "requests", "reads", "cpu", "queries" } do add(name, loads[name][1] // 10) end
else
  add(load, n > 0 and n or loads[load][1])
end

local start = bench.now()
if workers == 0 then
  for _, item in ipairs(items) do one(item) end
else
  local pool <close> = require "tidemill".executor { max_workers = workers }
  for _ in pool:map(one, items, { chunksize = 1 }) do end
end
bench.report("guide", #items, bench.now() - start, { load = load, workers = workers })
