--- emptywait: operations that need not wait, one after the other: nanoseconds a call, the loop around it taken off.
--- arguments: n 2000000, where task or main
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local bench = require "bench"
local tm = require "tidemill"

local n, where = bench.arg(1, 2000000), bench.arg(2, "task")
local event, counter, lock = tm.event(), tm.counter(), tm.lock()

--- The fastest of three rounds of each operation.
local function measure()
  local now = bench.now
  local best = {}
  local function keep(name, start)
    local ns = (now() - start) / n * 1e9
    best[name] = math.min(best[name] or ns, ns)
  end
  for _ = 1, 3 do
    local start = now()
    for _ = 1, n do end
    keep("loop", start)

    event:set()
    start = now()
    for _ = 1, n do event:wait() end
    keep("event_wait", start)

    start = now()
    for _ = 1, n do event:set() end
    keep("event_set", start)

    start = now()
    for _ = 1, n do counter:add(1) end
    keep("counter_add", start)

    start = now()
    for _ = 1, n do
      lock:acquire()
      lock:release()
    end
    keep("lock", start)

    local text = "x"
    start = now()
    for _ = 1, n do text:len() end
    keep("c_call", start) -- of Lua's own library, to compare
  end
  return best
end

local best
if where == "main" then
  best = measure()
else
  local pool <close> = tm.executor { max_workers = 1 }
  best = pool:submit(measure):result()
end
local extra = { where = where }
for _, name in ipairs { "event_wait", "event_set", "counter_add", "lock", "c_call" } do
  extra[name .. "_ns"] = best[name] - best.loop
end
bench.report("emptywait", n, n * best.event_wait / 1e9, extra)
