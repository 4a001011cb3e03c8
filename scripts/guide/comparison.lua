--- The guide's table: five loads, measured one at a time, with 4 and with 100 workers. Waiting is simulated by sleeping, as the
--- guide does. Argument: a scale for the numbers of things, 1 by default.
local tm = require "tidemill"

local scale = tonumber(arg[1]) or 1

local function wait(seconds) tm.sleep(seconds) end

--- About so many seconds of CPU: calibrated on this machine, in the first call of each state.
local function compute(rounds)
  local x = 0
  for i = 1, rounds do x = (x * 31 + i) % 65521 end
  return x
end

local began = os.clock()
compute(1000000)
local rounds_per_second = 1000000 / math.max(os.clock() - began, 1e-6)

local loads = {
  { "100 requests of 200 ms", 100, wait, 0.2 },
  { "100 file reads of 10 ms", 100, wait, 0.01 },
  { "100 CPU tasks of 100 ms", 100, compute, math.floor(rounds_per_second * 0.1) },
  { "50 queries of 50 ms", 50, wait, 0.05 },
}

local function measure(fns, workers)
  local t = tm.monotonic()
  if workers then
    local pool <close> = tm.executor { max_workers = workers }
    local futures = {}
    for i, call in ipairs(fns) do futures[i] = pool:submit(call[1], call[2]) end
    for _, f in ipairs(futures) do f:result() end
  else
    for _, call in ipairs(fns) do call[1](call[2]) end
  end
  return tm.monotonic() - t
end

print(("%-26s %8s %8s %8s"):format("seconds", "1", "4", "100"))
local mixed = {}
local function row(name, calls)
  print(("%-26s %8.2f %8.2f %8.2f"):format(name, measure(calls), measure(calls, 4), measure(calls, 100)))
end
for _, load in ipairs(loads) do
  local calls = {}
  for i = 1, math.max(1, load[2] * scale // 1) do calls[i] = { load[3], load[4] } end
  for i = 1, math.max(1, #calls // 10) do mixed[#mixed + 1] = calls[i] end
  row(load[1], calls)
end
row("mixed, a tenth of each", mixed)

--[[ output 0.05
seconds                           1        4      100
100 requests of 200 ms     ...
100 file reads of 10 ms    ...
100 CPU tasks of 100 ms    ...
50 queries of 50 ms        ...
mixed, a tenth of each     ...
]]
