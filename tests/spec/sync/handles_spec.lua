-- Whatever is shared between tasks is a handle: it travels every way that a value can, and is the same object wherever
-- it arrives. What each of them does there is told by its own spec.
local tm = require "tidemill"
local helper = require "helper"

local LIMIT = helper.LIMIT

local function nothing() end

local makers = {
  lock = tm.lock,
  rlock = tm.rlock,
  semaphore = tm.semaphore,
  bounded_semaphore = tm.bounded_semaphore,
  event = tm.event,
  condition = tm.condition,
  barrier = function() return tm.barrier(2) end,
  once = tm.once,
  queue = tm.queue,
  lifo_queue = tm.lifo_queue,
  priority_queue = tm.priority_queue,
  deque = tm.deque,
  dict = tm.dict,
  counter = tm.counter,
  rate_limiter = function() return tm.rate_limiter { per_second = 1 } end,
  future = function() return tm.submit(nothing) end,
  executor = tm.executor,
  ["thread that was not started"] = function() return tm.thread { target = nothing } end,
  ["thread that was started"] = function() return tm.spawn(nothing) end,
  ["timer that fires once"] = function() return tm.after(0, nothing) end,
  ["timer that ticks"] = function() return tm.every(60, nothing, { daemon = true }) end,
  ["timer of tm.cron"] = function() return tm.cron("0 0 1 1 *", nothing, { daemon = true }) end,
  task_local = function() return tm.task_local(1) end,
  worker_local = function() return tm.worker_local(nothing) end,
}

-- Each takes a handle and gives what came back.
local ways = {
  ["as an argument and a result"] = function(h)
    local same, back = tm.submit(function(a, b) return a == b, a end, h, h):result(LIMIT)
    return same and back
  end,
  ["as an upvalue"] = function(h) return tm.submit(function() return h end):result(LIMIT) end,
  ["inside a table, as its key too"] = function(h)
    return tm.submit(function(t) return t[t.h] and next(t[t.h]) end, { h = h, [h] = { [h] = true } }):result(LIMIT)
  end,
  ["as an argument of a thread"] = function(h) return tm.spawn(function(a) return a end, h):result(LIMIT) end,
  ["as an error"] = function(h)
    local f = tm.submit(function() error(h) end)
    return f:error(LIMIT)
  end,
  ["through a queue, to another task"] = function(h)
    local there, back = tm.queue(), tm.queue()
    there:put(h)
    tm.submit(function() back:put { (there:get()) } end):result(LIMIT)
    return back:get(LIMIT)[1]
  end,
  ["through a priority queue"] = function(h)
    local q = tm.priority_queue()
    q:put(h, 1)
    return (q:get(LIMIT))
  end,
  ["through a deque"] = function(h)
    local d = tm.deque()
    tm.submit(function() d:append(h) end):result(LIMIT)
    return d:pop()
  end,
  ["in a dict"] = function(h)
    local d = tm.dict()
    tm.submit(function() d:set("h", { h }) end):result(LIMIT)
    return d:get("h")[1]
  end,
  ["as a dict's key"] = function(h)
    local d = tm.dict()
    d:set(h, "value")
    return tm.submit(function() return d:get(h) == "value" and d:keys()[1] end):result(LIMIT)
  end,
  ["as the result of a once"] = function(h)
    local once = tm.once()
    tm.submit(function() once:run(function() return h end) end):result(LIMIT)
    return once:run(nothing)
  end,
  ["as a value of a task_local"] = function(h)
    local mine = tm.task_local()
    mine:set(h)
    return mine:get()
  end,
  ["through tm.map"] = function(h)
    return tm.map(function(a) return a end, { h }):collect()[1]
  end,
}

describe("a handle", function()
  after_each(helper.settle)

  for name, make in pairs(makers) do
    it("keeps its identity: " .. name, function()
      local handle <const> = make()
      for way, send in pairs(ways) do assert.is_true(rawequal(handle, send(handle)), way) end
    end)
  end

  it("is one of its own, and no other", function()
    for _, make in pairs(makers) do assert.is_false(make() == make()) end
  end)

  it("shows nothing of its inside", function()
    for name, make in pairs(makers) do
      assert.not_table(getmetatable(make()), name)
    end
  end)
end)
