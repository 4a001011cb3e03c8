--- Work that waits and work that computes. Both gain from tasks: there is no global lock, so computing uses every CPU.
local tm = require "tidemill"

local function download()
  tm.sleep(0.5) -- stands for a request that takes half a second
end

local function count_primes()
  local n = 0
  for i = 2, 200000 do
    local prime = true
    for d = 2, math.floor(i ^ 0.5) do
      if i % d == 0 then
        prime = false
        break
      end
    end
    if prime then n = n + 1 end
  end
  return n
end

local function report(what, fn)
  local began = tm.monotonic()
  fn()
  print(("%s: %.1f s"):format(what, tm.monotonic() - began))
end

local function one_after_the_other(work)
  for _ = 1, 4 do work() end
end

local function at_once(work)
  local pool <close> = tm.executor { max_workers = 4 } -- leaving the block waits for all that was submitted
  for _ = 1, 4 do pool:submit(work) end
end

report("4 downloads, one after the other", function() one_after_the_other(download) end)
report("4 downloads at once", function() at_once(download) end)
report("4 computations, one after the other", function() one_after_the_other(count_primes) end)
report("4 computations at once", function() at_once(count_primes) end)

--[[ output
4 downloads, one after the other: 2.0 s
4 downloads at once: 0.5 s
4 computations, one after the other: ... s
4 computations at once: ... s
]]
