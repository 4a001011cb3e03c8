-- Values of a task and of a worker's state. CPython's threading.local is tm.task_local here, and its subclass __init__
-- that runs in each thread is the function given to it; tm.worker_local has no counterpart there.

local tm = require "tidemill"
local helper = require "helper"
local raised = helper.raised

describe("task_local", function()
  it("has a value for each task, absent in others", function()
    local l = tm.task_local()
    assert.is_nil(l:get())
    l:set("main")
    assert.is_nil((tm.spawn(function() return l:get() end):result()))
    assert.equal("spawned", (tm.spawn(function()
      l:set("spawned")
      tm.sleep(0)
      return l:get()
    end):result()))
    assert.equal("main", l:get())
    l:set(nil)
    assert.is_nil(l:get())
  end)

  it("begins with a copy of the default in each task", function()
    local l = tm.task_local({ n = 0 })
    local function add()
      l:get().n = l:get().n + 1
      return l:get().n
    end
    assert.equal(1, add())
    assert.equal(2, add())
    assert.equal(1, (tm.submit(add):result()))
    assert.is_false(tm.task_local(false):get())
  end)

  it("calls a function for the first value of each task", function()
    local calls = tm.counter()
    local l = tm.task_local(function()
      tm.sleep(0)
      return calls:add()
    end)
    assert.equal(l:get(), l:get())
    local a = tm.submit(function() return l:get(), l:get() end)
    local first, second = a:result()
    assert.equal(first, second)
    assert.equal(2, calls:get())
    l:set(nil)
    l:get()
    assert.equal(3, calls:get())
  end)

  it("keeps any value, never copied, for all coroutines of the task", function()
    local l = tm.task_local()
    local co = coroutine.create(print)
    l:set(co)
    assert.equal(co, coroutine.wrap(function() return l:get() end)())
    coroutine.wrap(function() l:set(print) end)()
    assert.equal(print, l:get())
  end)

  it("goes with its task", function()
    local l = tm.task_local()
    local pool = helper.pool { max_workers = 1 }
    for i = 1, 50 do -- coroutines and their places are used again
      assert.is_nil((pool:submit(function()
        local before = l:get()
        l:set(i)
        return before
      end):result()))
    end
  end)

  it("is the same local wherever it travels, and no other that comes after it", function()
    for i = 1, 20 do
      local l = tm.task_local()
      assert.is_nil(l:get())
      l:set(i)
      assert.equal(l, (tm.submit(function(x) return x end, l):result()))
      l = nil -- luacheck: ignore
      collectgarbage()
    end
    assert.equal("task_local", tostring(tm.task_local()))
  end)

  it("raises what its function raises, and tries again", function()
    local l = tm.task_local(function() error("no value", 0) end)
    assert.equal("no value", raised(l.get, l))
    assert.equal("no value", raised(l.get, l))
    l:set(1)
    assert.equal(1, l:get())
  end)

  it("refuses what cannot travel", function()
    assert.matches("cannot send the default", raised(tm.task_local, coroutine.create(print)))
    local l = tm.task_local()
    assert.matches("value expected", raised(l.set, l))
  end)
end)

describe("worker_local", function()
  it("has one value for all tasks of a state, made once", function()
    local made = tm.counter()
    local cache = tm.worker_local(function()
      made:add()
      tm.sleep(helper.MOMENT) -- others ask meanwhile
      return {}
    end)
    local pool = helper.pool { max_workers = 64 }
    local futures = {}
    for i = 1, 60 do
      futures[i] = pool:submit(function() return ("%p"):format(cache:get()) end)
    end
    local different, count = {}, 0
    for _, address in ipairs(tm.gather(futures)) do
      if not different[address] then count = count + 1 end
      different[address] = true
    end
    assert.equal(made:get(), count)
    assert.is_true(count >= 1)
  end)

  it("can be set, and taken away", function()
    local l = tm.worker_local(5)
    assert.equal(5, l:get())
    l:set(6)
    assert.equal(6, l:get())
    l:set(nil)
    assert.equal(5, l:get())
    assert.equal("worker_local", tostring(l))
  end)

  it("tries again where its function failed, for those who waited too", function()
    local calls = tm.counter()
    local l = tm.worker_local(function()
      tm.sleep(helper.MOMENT)
      if calls:add() == 1 then error("first", 0) end
      return "made"
    end)
    local results, pending = {}, tm.counter(3)
    local done = tm.event()
    for i = 1, 3 do
      tm.submit(function() end):on_done(function() -- callbacks run here, on main
        results[i] = select(2, pcall(l.get, l))
        if pending:add(-1) == 0 then done:set() end -- a slice may end anywhere
      end)
    end
    assert.is_true(done:wait(helper.LIMIT))
    table.sort(results)
    assert.same({ "first", "made", "made" }, results)
    assert.equal(2, calls:get())
  end)

  it("goes on where the task that made it was cancelled", function()
    local began, calls = tm.event(), tm.counter()
    local l = tm.worker_local(function()
      if calls:add() == 1 then
        began:set()
        tm.event():wait(helper.LIMIT)
      end
      return "made"
    end)
    local first = tm.spawn(function() return l:get() end)
    began:wait()
    local others = {}
    for i = 1, 40 do others[i] = tm.spawn(function() return l:get() end) end
    tm.sleep(helper.MOMENT)
    first:cancel()
    for _, t in ipairs(others) do assert.equal("made", (t:result(helper.LIMIT))) end
  end)

  it("a value that is set while it is made stays", function()
    local began, go = tm.event(), tm.event()
    local l = tm.worker_local(function()
      began:set()
      go:wait()
      return "made"
    end)
    local got
    local done = tm.event()
    tm.submit(function() end):on_done(function()
      got = l:get()
      done:set()
    end)
    began:wait()
    l:set("set")
    go:set()
    done:wait()
    assert.equal("set", got)
    assert.equal("set", l:get())
  end)

  it("raises where its function asks for the value itself", function()
    local holder = tm.worker_local()
    local l = tm.worker_local(function() return holder:get():get() end)
    holder:set(l)
    assert.matches("asks for that value", raised(l.get, l))
  end)
end)
