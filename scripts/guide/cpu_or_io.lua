--- Work that waits and work that computes: both gain from tasks, as there is no global lock.
local tm = require "tidemill"

local function download(name)
  tm.sleep(0.5) -- stands for a request that takes half a second
  return name
end

local function count_primes(limit)
  local n = 0
  for i = 2, limit do
    local prime = true
    for d = 2, math.floor(i ^ 0.5) do
      if i % d == 0 then prime = false break end
    end
    if prime then n = n + 1 end
  end
  return n
end

local function timed(what, fn)
  local began = tm.monotonic()
  fn()
  return what, tm.monotonic() - began
end

local pool <close> = tm.executor { max_workers = 4 }
local function all(fn, ...)
  local futures = {}
  for i = 1, 4 do futures[i] = pool:submit(fn, ...) end
  return tm.gather(futures)
end

print(("%s: %.1f s"):format(timed("4 waits, one after the other", function()
  for i = 1, 4 do download("file " .. i) end
end)))
print(("%s: %.1f s"):format(timed("4 waits at once", function() all(download, "file") end)))

local _, alone = timed("", function() for _ = 1, 4 do count_primes(60000) end end)
local _, together = timed("", function() all(count_primes, 60000) end)
print(("4 computations at once take %s"):format(together < alone * 0.9 and "less time" or "as much time"))

--[[ output
4 waits, one after the other: 2.0 s
4 waits at once: 0.5 s
4 computations at once take ...
]]
