--- What happens to an error? How do values come back? How many workers?
local tm = require "tidemill"

-- An error waits in the future until somebody asks for it: by error(), or by result(), which raises it again. If nobody
-- asks, it is reported on stderr with its traceback, and the exit code is 1.
local failing = tm.submit(function() error("out of luck", 0) end)
print("error: " .. failing:error())
print("raised again:", pcall(failing.result, failing))

-- Values come back through result(), several at once; or through what is shared: a queue, a dict.
print("values:", tm.submit(function(a, b) return a + b, a * b end, 3, 4):result())

-- Workers of an executor are no threads. For work that waits take as many as that which you call can bear; work that
-- computes is spread over the CPUs whatever the number.
local began = tm.monotonic()
do
  local pool <close> = tm.executor { max_workers = 1000 }
  for _ = 1, 1000 do pool:submit(tm.sleep, 1) end
end
print(("1000 waits of 1 s took %.0f s"):format(tm.monotonic() - began))

--[[ output
error: out of luck
raised again:    false    out of luck
values:    7    12
1000 waits of 1 s took 1 s
]]
