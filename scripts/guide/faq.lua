--- What happens to an error? How do values come back? How many workers?
local tm = require "tidemill"

-- An error waits in the future until somebody asks, as value or by result(), which raises it again. Nobody asks: it is reported at
-- the end, and the exit code is 1.
local failing = tm.submit(function() error("out of luck", 0) end)
print("error: " .. failing:error())
print("raised again: " .. select(2, pcall(failing.result, failing)))

-- Values come back through result(), several at once; or through whatever is shared: a queue, a dict.
print("values:", tm.submit(function(a, b) return a + b, a * b end, 3, 4):result())

-- Workers of an executor are not threads, so for work that waits take as many as what you call can bear; work that
-- computes is spread over the CPUs whatever the number.
local pool <close> = tm.executor { max_workers = 1000 }
local began = tm.monotonic()
local futures = {}
for i = 1, 1000 do futures[i] = pool:submit(tm.sleep, 1) end
for _, f in ipairs(futures) do f:result() end
print(("1000 waits of 1 s took about %.0f s"):format(tm.monotonic() - began))

--[[ output
error: out of luck
raised again: out of luck
values:	7	12
1000 waits of 1 s took about 1 s
]]
