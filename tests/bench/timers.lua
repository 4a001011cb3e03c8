--- timers: how late the ticks of periodic timers come.
---
---   timers.lua many N SECONDS      N timers, periods uniform from 10 to 60 s; also the CPU they take
---   timers.lua busy N SECONDS      N timers of 100 ms while 8 tasks compute on the workers
local bench = dofile((arg[0]:match("^(.*)/") or ".") .. "/bench.lua")
local tm = require "tidemill"

local mode, count, seconds = bench.arg(1, "many"), bench.arg(2, 100000), bench.arg(3, 60)

--- CPU seconds of the process so far.
local function cpu() return os.clock() end

local late, missed = {}, 0
local function on_tick(tick)
  late[#late + 1] = tick.late * 1000
  missed = missed + tick.missed
end

local function many()
  math.randomseed(42)
  local timers = {}
  for i = 1, count do timers[i] = tm.every(10 + math.random() * 50, on_tick, { daemon = true }) end
  local began, used = bench.now(), cpu()
  tm.sleep(seconds)
  local took, spent = bench.now() - began, cpu() - used
  for i = 1, count do timers[i]:stop() end
  bench.report("timers", #late, took, bench.lateness(late, { cpu_percent = 100 * spent / took, missed = missed,
    timers = count }))
end

local function busy()
  local stop = tm.monotonic() + seconds
  local pool <close> = tm.executor { max_workers = 8 }
  for _ = 1, 8 do
    pool:submit(function(till)
      local n = 0
      while tm.monotonic() < till do for i = 1, 1000 do n = n + i % 7 end end
      return n
    end, stop)
  end
  -- on the workers, beside those who compute
  local group = tm.executor { max_workers = 8, name = "timers" }
  local fs = {}
  for k = 1, 8 do
    fs[k] = group:submit(function(n, till)
      local mine, gone, timers = {}, 0, {}
      for i = 1, n do
        timers[i] = tm.every(0.1, function(tick)
          mine[#mine + 1] = tick.late * 1000
          gone = gone + tick.missed
        end, { daemon = true })
        if i % 10 == 0 then tm.sleep(0.001) end
      end
      tm.sleep(math.max(0, till - tm.monotonic() - 0.2))
      for i = 1, n do timers[i]:stop() end
      return mine, gone
    end, count // 8, stop)
  end
  local began = bench.now()
  for _, f in ipairs(fs) do
    local mine, gone = f:result()
    table.move(mine, 1, #mine, #late + 1, late)
    missed = missed + gone
  end
  bench.report("timers", #late, bench.now() - began, bench.lateness(late, { missed = missed, timers = count }))
end

if mode == "many" then many() else busy() end
