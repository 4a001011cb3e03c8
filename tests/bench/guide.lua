--- guide: the table of the threading guide. Five loads, one at a time, with 4 and with 100 workers. Waiting is
--- simulated by sleeping. Arguments: the load (requests, reads, cpu, queries, mixed); the workers, 0: one at a time.
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local bench = require "bench"
local tm = require "tidemill"

local load, workers = bench.arg(1, "requests"), bench.arg(2, 100)

local function compute(rounds)
  local x = 0
  for i = 1, rounds do x = (x + i) & 0xffff end
  return x
end

--- How many rounds take 100 ms of CPU here: so long lasts the guide's CPU task.
local function calibrate()
  local began = os.clock()
  compute(3000000)
  return math.floor(3000000 * 0.1 / (os.clock() - began))
end

--- How much of it there is, and how long one waits, in seconds, or how many rounds it computes.
local loads = {
  requests = { 100, { wait = 0.2 } }, reads = { 100, { wait = 0.01 } }, cpu = { 100, { rounds = calibrate() } },
  queries = { 50, { wait = 0.05 } },
}

local function one(item)
  if item.wait then tm.sleep(item.wait) else compute(item.rounds) end
  return true
end

local items = {}
local function add(name, share)
  for _ = 1, loads[name][1] // share do items[#items + 1] = loads[name][2] end
end
if load == "mixed" then
  for _, name in ipairs { "requests", "reads", "cpu", "queries" } do add(name, 10) end
else
  add(load, 1)
end

local start = bench.now()
if workers == 0 then
  for _, item in ipairs(items) do one(item) end
else
  local pool <close> = tm.executor { max_workers = workers }
  for _ in pool:map(one, items, { chunksize = 1 }) do end
end
bench.report("guide", #items, bench.now() - start, { load = load, workers = workers })
