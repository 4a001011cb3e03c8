-- Code that a captured helper loads set globals for all later tasks of the worker, where the task named none itself.
local tm = require "tidemill"

local function count()
  load("tasks_so_far = (tasks_so_far or 0) + 1")()
  return load("return tasks_so_far")()
end

local pool <close> = tm.executor { max_workers = 1 }
for _ = 1, 3 do assert(pool:submit(function() return count() end):result() == 1) end
