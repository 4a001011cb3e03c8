--- A pool made by hand, to see what an executor is: a queue of jobs, threads that take them, results that come back.
local tm = require "tidemill"

local function make_pool(size)
  local jobs, threads = tm.queue(), {}
  for i = 1, size do
    threads[i] = tm.spawn(function()
      while true do
        local job = jobs:get()
        if job == nil then return end -- shut down
        job.answer:put { pcall(job.fn, table.unpack(job.args)) }
      end
    end)
  end
  return {
    submit = function(fn, ...)
      local answer = tm.queue()
      jobs:put { fn = fn, args = { ... }, answer = answer }
      return answer
    end,
    shutdown = function()
      jobs:shutdown()
      for _, t in ipairs(threads) do t:join() end
    end,
  }
end

local pool = make_pool(3)
local answers = {}
for i = 1, 5 do answers[i] = pool.submit(function(n) return n * n end, i) end
for i, answer in ipairs(answers) do
  local values = answer:get()
  print(i, values[1], values[2])
end
pool.shutdown()

--[[ output
1	true	1
2	true	4
3	true	9
4	true	16
5	true	25
]]
