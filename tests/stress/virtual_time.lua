--- virtual_time: runs one program of many tasks under many seeds, each seed several times at once, so that the machine is busy
--- and threads are late: each seed must print the same every time, and the seeds must differ. In the program wake, time-out and
--- cancel come together, for moves of the clock, too.
--- argument: how many seeds (8)

local tm = require "tidemill"

-- ---- the program ----

local function scenario()
  local ready, total, order = tm.event(), tm.counter(), tm.counter()

  local function race(i)
    local seen = {}
    ready:wait()
    for k = 1, 6 do
      local v = total:get()
      for _ = 1, math.random(400) do end
      total:set(v + 1)
      seen[#seen + 1] = v
      if k % 2 == 0 then tm.sleep(math.random(0, 3) / 1000) end
    end
    return ("race %d: %s, done as %d"):format(i, table.concat(seen, " "), order:add(1))
  end

  local function compute(i)
    local n = 0
    for k = 1, math.random(20000) do n = n + k % 7 end
    return ("compute %d: %d, done as %d"):format(i, n, order:add(1))
  end

  -- a wake, a time limit and a cancellation at the same instant
  local function together(i)
    local event, after = tm.event(), math.random(1, 3) / 1000
    local future = tm.submit(function() return event:wait(0.002) end)
    local setter = tm.submit(function() tm.sleep(after) event:set() end)
    tm.sleep(0.002)
    future:cancel()
    local ok, result = pcall(future.result, future)
    setter:result()
    return ("together %d: %s %s, done as %d"):format(i, ok, ok and tostring(result) or result.kind, order:add(1))
  end

  local function moves(i)
    local before, limit = tm.monotonic(), math.random(1, 3) / 1000
    local ok, err = pcall(tm.timeout, limit, tm.testing.advance, 0.002)
    return ("moves %d: %s %s %.6f, done as %d"):format(i, ok, not ok and err.kind, tm.monotonic() - before, order:add(1))
  end

  -- waits where Lua cannot yield
  local function sorts(i)
    local list = { 5, 3, 8, 1 }
    table.sort(list, function(a, b)
      tm.sleep(math.random(0, 2) / 1000)
      return a < b
    end)
    return ("sorts %d: %s, done as %d"):format(i, table.concat(list, ","), order:add(1))
  end

  local function reads(i)
    local text = assert(tm.fs.read(arg[0]))
    return ("reads %d: %d, done as %d"):format(i, #text, order:add(1))
  end

  local function nests(i)
    local function down(n) return n == 0 and order:add(1) or tm.submit(down, n - 1):result() end
    return ("nests %d: done as %d"):format(i, down(5))
  end

  local kinds, futures, ended = { race, compute, together, moves, sorts, reads, nests }, {}, {}
  for i = 1, 70 do
    futures[i] = tm.submit(kinds[i % #kinds + 1], i)
    futures[i]:on_done(function() ended[#ended + 1] = i end)
  end
  tm.sleep(0.001)
  ready:set()
  for _, future in ipairs(futures) do print(future:result()) end
  print(table.concat(ended, " "))
  print(total:get(), tm.monotonic(), os.time(), math.random(1000))
end

if arg[1] == "scenario" then return scenario() end

-- ---- running it ----

local seeds, times = tonumber(arg[1] or 8), 4
local program = arg[0]
for i = -1, -math.huge, -1 do
  if not arg[i] then break end
  program = arg[i]
end

local function run(seed)
  local pipe = assert(io.popen(("'%s' --virtual-time --seed %d '%s' scenario 2>&1"):format(program, seed, arg[0])))
  local text = pipe:read "a"
  assert(pipe:close(), text)
  return text
end

local jobs, texts, different = {}, {}, 0
for i = 0, seeds * times - 1 do jobs[#jobs + 1] = i // times end
local seen = {}
for i, text in tm.map(run, jobs, { chunksize = 1 }) do
  local seed = jobs[i]
  if texts[seed] and texts[seed] ~= text then
    error(("seed %d printed this once:\n%s\nand then this:\n%s"):format(seed, texts[seed], text))
  end
  texts[seed] = text
  if not seen[text] then different = different + 1 end
  seen[text] = true
end
assert(different == seeds, ("%d seeds gave %d runs"):format(seeds, different))
print(("%d seeds, each %d times the same"):format(seeds, times))
