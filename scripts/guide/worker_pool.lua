--- A pool made by hand, to see what an executor is: a queue of jobs, threads that take them, results that come back.
local tm = require "tidemill"

local Pool = {}
Pool.__index = Pool

local function worker(jobs)
  for job in jobs do -- until the queue is shut down and empty
    job.answer:put { pcall(job.fn, table.unpack(job.args, 1, job.args.n)) }
  end
end

function Pool.new(size)
  local self = setmetatable({ jobs = tm.queue(), threads = {} }, Pool)
  for i = 1, size do self.threads[i] = tm.spawn(worker, self.jobs) end
  return self
end

--- Returns a queue to which the answer will come: a poor man's future.
function Pool:submit(fn, ...)
  local answer = tm.queue()
  self.jobs:put { fn = fn, args = table.pack(...), answer = answer }
  return answer
end

function Pool:__close()
  self.jobs:shutdown()
  for _, t in ipairs(self.threads) do t:join() end
end

local pool <close> = Pool.new(3)
local answers = {}
for i = 1, 5 do
  answers[i] = pool:submit(function(n)
    if n == 4 then error("I do not like 4", 0) end
    return n * n
  end, i)
end
for i, answer in ipairs(answers) do
  local ok, value = table.unpack(answer:get())
  print(i, ok, value)
end

--[[ output
1    true    1
2    true    4
3    true    9
4    false    I do not like 4
5    true    25
]]
