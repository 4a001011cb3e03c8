--- The guide's table: five loads, each one at a time, with 4 workers and with 100. What waits is simulated by sleeping;
--- what computes really computes. The argument scales the numbers of things: 1 if absent.
local tm = require "tidemill"

local scale = tonumber(arg[1]) or 1

local function compute(rounds)
  local x = 0
  for i = 1, rounds do x = (x * 31 + i) % 65521 end
  return x
end

--- How many rounds take so many seconds of one CPU here.
local function calibrate(seconds)
  local rounds = 100000
  while true do
    local began = os.clock()
    compute(rounds)
    local took = os.clock() - began
    if took > 0.05 then return math.floor(rounds * seconds / took) end
    rounds = rounds * 2
  end
end

local rounds = calibrate(0.1)
local loads = {
  { "100 requests of 200 ms", 100, function() tm.sleep(0.2) end },
  { "100 file reads of 10 ms", 100, function() tm.sleep(0.01) end },
  { "100 CPU tasks of 100 ms", 100, function() compute(rounds) end },
  { "50 queries of 50 ms", 50, function() tm.sleep(0.05) end },
}

--- calls: a list of functions. workers: nil for one after the other.
local function measure(calls, workers)
  local began = tm.monotonic()
  if workers then
    local pool = tm.executor { max_workers = workers }
    for _, call in ipairs(calls) do pool:submit(call) end
    pool:shutdown()
  else
    for _, call in ipairs(calls) do call() end
  end
  return tm.monotonic() - began
end

local function row(name, calls)
  print(("%-26s %8.2f %8.2f %8.2f"):format(name, measure(calls), measure(calls, 4), measure(calls, 100)))
end

print(("%-26s %8s %8s %8s"):format("seconds", "1", "4", "100"))
local mixed = {}
for _, load in ipairs(loads) do
  local calls = {}
  for i = 1, math.max(1, math.floor(load[2] * scale)) do calls[i] = load[3] end
  table.move(calls, 1, math.max(1, #calls // 10), #mixed + 1, mixed)
  row(load[1], calls)
end
row("mixed, a tenth of each", mixed)

--[[ output 0.05
seconds                           1        4      100
100 requests of 200 ms         1.00     0.40     0.20
100 file reads of 10 ms        0.05     0.02     0.01
100 CPU tasks of 100 ms    ...
50 queries of 50 ms            0.10     0.05     0.05
mixed, a tenth of each     ...
]]
