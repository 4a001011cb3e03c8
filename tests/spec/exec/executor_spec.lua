-- Of CPython's executors these have no counterpart here: threads started lazily and reused (a task has no thread of
-- its own; workers are the runtime's), thread_name_prefix (`name` names the executor in reports), terminate_workers
-- and kill_workers, BrokenThreadPool as a class (a broken executor raises a text that holds the initializer's
-- error), SystemExit stored in a future (os.exit in a task ends the program in order: tests/cli). That the program
-- waits at its end for what was submitted, and that failures that nobody read are reported, are tests in tests/cli
-- too. Two futures that wait for each other: a future reaches only tasks submitted after it, so there is no such
-- cycle but through a task buried under another (tests/cli/deadlock.sh).

local tm = require "tidemill"
local helper = require "helper"
local LIMIT, MOMENT = helper.LIMIT, helper.MOMENT
local error, setmetatable = error, setmetatable -- for tasks: they would take the environment of busted along

local function value(...) return ... end

describe("executor", function()
  after_each(helper.settle)

  it("runs functions with their arguments", function()
    local pool = helper.pool { name = "cats" }
    assert.equal(7, pool:submit(function(a, b) return a + b end, 3, 4):result(LIMIT))
    assert.matches("^executor 'cats' %(%d+ running, 0 pending%)$", tostring(pool))
  end)

  it("refuses anything but an integer >= 1 for max_workers", function()
    for _, bad in ipairs { 0, -1, 1.5, 1e99, "x", "4", {}, true, 0 / 0, math.huge, math.mininteger } do
      local e = helper.raised(tm.executor, { max_workers = bad })
      assert.matches("option 'max_workers': an integer from 1 to %d+ expected, got ", e)
    end
    assert.matches("got 1.5", helper.raised(tm.executor, { max_workers = 1.5 }))
    assert.matches("got a table", helper.raised(tm.executor, { max_workers = {} }))
    helper.pool { max_workers = 2.0 }
  end)

  it("refuses unknown options, and names those there are", function()
    local e = helper.raised(tm.executor, { max_wrokers = 3 })
    assert.matches("unknown option 'max_wrokers' %(known: max_workers name initializer queue_size%)", e)
    assert.matches("option names are strings, got a number", helper.raised(tm.executor, { 3 }))
    assert.matches("table expected, got number", helper.raised(tm.executor, 3))
    assert.matches("option 'name': a string expected, got a boolean", helper.raised(tm.executor, { name = true }))
    assert.matches("option 'initializer': a function expected", helper.raised(tm.executor, { initializer = "f" }))
    assert.matches("option 'queue_size': an integer from 1", helper.raised(tm.executor, { queue_size = 0 }))
  end)

  it("refuses what is no function", function()
    local pool = helper.pool()
    for _, bad in ipairs { 1, "f", {}, true } do
      assert.matches("function expected", helper.raised(pool.submit, pool, bad))
      assert.matches("function expected", helper.raised(tm.submit, bad))
    end
    assert.matches("function expected", helper.raised(pool.submit, pool))
    assert.matches("executor expected", helper.raised(pool.submit))
  end)

  it("never runs more than max_workers at once", function()
    local pool, now, most = helper.pool { max_workers = 3 }, tm.counter(), tm.counter()
    local list = {}
    for i = 1, 30 do
      list[i] = pool:submit(function()
        local n = now:add()
        local seen = most:get()
        while n > seen do
          local swapped, got = most:compare_exchange(seen, n)
          if swapped then break end
          seen = got
        end
        tm.sleep(0.002)
        now:add(-1)
      end)
    end
    for i = 30, 1, -1 do list[i]:result(LIMIT) end -- asking for the last first starts no more
    assert.equal(0, now:get())
    assert.equal(3, most:get())
  end)

  it("starts tasks in the order of their submits, but first what somebody waits for", function()
    local pool, go, order = helper.pool { max_workers = 1 }, tm.event(), tm.counter()
    helper.busy(pool, go)
    local list = {}
    for i = 1, 5 do list[i] = pool:submit(function() return order:add() end) end
    local asker = tm.submit(function() return list[4]:result(LIMIT) end)
    helper.eventually(function() return asker:running() end)
    tm.sleep(MOMENT)
    go:set()
    assert.equal(1, asker:result(LIMIT))
    assert.same({ 2, 3, 4, 1, 5 }, tm.gather(list, LIMIT))
  end)

  it("keeps running after a task failed", function()
    local pool = helper.pool { max_workers = 1 }
    for _ = 1, 20 do assert.matches("x", pool:submit(function() error("x") end):error(LIMIT)) end
    assert.equal(1, pool:submit(value, 1):result(LIMIT))
  end)

  it("has room for more tasks than there are workers", function()
    local pool, go = helper.pool { max_workers = 200 }, tm.event()
    local list = {}
    for i = 1, 200 do list[i] = pool:submit(function() return go:wait(LIMIT) end) end
    helper.eventually(function()
      for _, f in ipairs(list) do if not f:running() then return false end end
      return true
    end)
    go:set()
    for _, f in ipairs(list) do assert.is_true(f:result(LIMIT)) end
  end)

  describe("with queue_size", function()
    it("lets submit wait for room", function()
      local pool, go = helper.pool { max_workers = 1, queue_size = 2 }, tm.event()
      helper.busy(pool, go)
      local submitted = tm.counter()
      local submitter = tm.submit(function()
        local list = {}
        for i = 1, 5 do
          list[i] = pool:submit(value, i)
          submitted:add()
        end
        return list
      end)
      helper.eventually(function() return submitted:get() == 2 end)
      tm.sleep(MOMENT)
      assert.equal(2, submitted:get())
      go:set()
      assert.same({ 1, 2, 3, 4, 5 }, tm.gather(submitter:result(LIMIT), LIMIT))
    end)

    it("refuses the waiting submit when it is shut down", function()
      local pool, go = helper.pool { max_workers = 1, queue_size = 1 }, tm.event()
      helper.busy(pool, go)
      pool:submit(value)
      local began = tm.event()
      local submitter = tm.submit(function()
        began:set()
        return pool:submit(value)
      end)
      began:wait(LIMIT)
      tm.sleep(MOMENT)
      pool:shutdown { wait = false }
      assert.matches("shut down", submitter:error(LIMIT))
      go:set()
    end)

    it("lets a cancelled submit go", function()
      local pool, go = helper.pool { max_workers = 1, queue_size = 1 }, tm.event()
      helper.busy(pool, go)
      pool:submit(value)
      assert.equal("timeout", helper.kind(tm.timeout, MOMENT, function() pool:submit(value) end))
      go:set()
    end)
  end)

  describe("shutdown", function()
    it("waits for what was submitted", function()
      local pool, n = helper.pool { max_workers = 2 }, tm.counter()
      for _ = 1, 20 do pool:submit(function() n:add() end) end
      assert.is_true(pool:shutdown())
      assert.equal(20, n:get())
    end)

    it("refuses submits and maps from then on", function()
      local pool = helper.pool { name = "cats" }
      pool:shutdown()
      assert.matches("cannot submit to cats: it has been shut down", helper.raised(pool.submit, pool, value))
      assert.matches("shut down", helper.raised(pool.map, pool, value, { 1 }))
      assert.is_true(pool:shutdown()) -- again
      assert.is_true(pool:shutdown { cancel = "all" })
    end)

    it("leaves results where they are", function()
      local pool = helper.pool()
      local f = pool:submit(value, 5)
      pool:shutdown()
      assert.equal(5, f:result())
    end)

    it("with wait = false returns at once", function()
      local pool, go = helper.pool(), tm.event()
      local f = helper.busy(pool, go)
      assert.is_false(pool:shutdown { wait = false })
      assert.is_false(f:done())
      go:set()
      assert.is_true(f:result(LIMIT))
      assert.is_true(pool:shutdown { timeout = LIMIT })
    end)

    it("with a time limit gives false when it is over", function()
      local pool, go = helper.pool(), tm.event()
      local f = helper.busy(pool, go)
      assert.is_false(pool:shutdown { timeout = MOMENT })
      assert.is_false(pool:shutdown { timeout = 0 })
      go:set()
      assert.is_true(f:result(LIMIT))
      assert.is_true(pool:shutdown { timeout = LIMIT })
      assert.is_true(pool:shutdown { timeout = 0 })
    end)

    it("with cancel = 'pending' lets the running finish", function()
      local pool, go = helper.pool { max_workers = 1 }, tm.event()
      local running = helper.busy(pool, go)
      local pending = pool:submit(value)
      pool:shutdown { wait = false, cancel = "pending" }
      assert.is_true(pending:cancelled())
      assert.is_false(running:done())
      go:set()
      assert.is_true(running:result(LIMIT))
    end)

    it("with cancel = 'all' cancels the running too", function()
      local pool, go = helper.pool { max_workers = 1 }, tm.event()
      local running = helper.busy(pool, go)
      local pending = pool:submit(value)
      assert.is_true(pool:shutdown { cancel = "all" })
      assert.is_true(pending:cancelled())
      assert.is_true(running:cancelled())
    end)

    it("refuses wrong options", function()
      local pool = helper.pool()
      assert.matches("unknown option 'wiat'", helper.raised(pool.shutdown, pool, { wiat = true }))
      assert.matches("option 'wait': true or false expected", helper.raised(pool.shutdown, pool, { wait = 1 }))
      assert.matches("option 'timeout'", helper.raised(pool.shutdown, pool, { timeout = -1 }))
      assert.matches("'cancel'", helper.raised(pool.shutdown, pool, { cancel = "some" }))
      assert.equal(1, pool:submit(value, 1):result(LIMIT)) -- and nothing was shut down
    end)
  end)

  describe("in a block", function()
    it("waits at its end", function()
      local n = tm.counter()
      do
        local pool <close> = tm.executor { max_workers = 2 }
        for _ = 1, 10 do
          pool:submit(function()
            tm.sleep(0.001)
            n:add()
          end)
        end
      end
      assert.equal(10, n:get())
    end)

    it("waits also when the block raises", function()
      local n = tm.counter()
      local e = helper.raised(function()
        local pool <close> = tm.executor()
        pool:submit(function()
          tm.sleep(MOMENT)
          n:add()
        end)
        error("out of here", 0)
      end)
      assert.equal("out of here", e)
      assert.equal(1, n:get())
    end)
  end)

  describe("initializer", function()
    it("runs once in each state, before its tasks, which see its globals", function()
      local runs = tm.counter()
      local init = load([[
        local runs = ...
        return function() runs:add(); greeting = "hello " .. runs:get() end
      ]])(runs)
      local task = load([[return function(x) return greeting ~= nil and x end]])()
      local pool = helper.pool { initializer = init }
      local list = {}
      for i = 1, 50 do list[i] = pool:submit(task, i) end
      for i, x in ipairs(tm.gather(list, LIMIT)) do assert.equal(i, x) end
      assert.is_true(runs:get() >= 1 and runs:get() <= 64)
      assert.is_nil(rawget(_G, "greeting"))
    end)

    it("that fails breaks the executor: what is pending and what comes later raises", function()
      local pool = helper.pool { initializer = function() error("no database") end, name = "broken" }
      local list = {}
      for i = 1, 5 do
        local ok, f = pcall(pool.submit, pool, value)
        list[i] = ok and f or nil
        if not ok then assert.matches("no database", f) end
      end
      assert.is_true(#list >= 1)
      for _, f in ipairs(list) do assert.matches("no database", tostring(f:error(LIMIT))) end
      assert.matches("broken is broken, its initializer failed: .*no database", helper.raised(pool.submit, pool, value))
      assert.matches("no database", helper.raised(function() pool:map(value, { 1 }):collect() end))
    end)

    it("may wait", function()
      local pool = helper.pool { initializer = function() tm.sleep(0.01) end }
      assert.equal(3, pool:submit(value, 3):result(LIMIT))
    end)
  end)

  describe("nested submits", function()
    it("never deadlock, with one worker at a time and to some depth", function()
      local pool = helper.pool { max_workers = 1 }
      local function nest(depth)
        if depth == 0 then return 0 end
        return 1 + pool:submit(nest, depth - 1):result()
      end
      assert.equal(30, pool:submit(nest, 30):result(LIMIT))
    end)

    it("never deadlock across executors", function()
      local a, b = helper.pool { max_workers = 1 }, helper.pool { max_workers = 1 }
      local function nest(depth)
        if depth == 0 then return 0 end
        return 1 + (depth % 2 == 0 and a or b):submit(nest, depth - 1):result()
      end
      assert.equal(20, a:submit(nest, 20):result(LIMIT))
    end)
  end)

  it("tm.submit and tm.map share a default one in each state", function()
    assert.equal(3, tm.submit(value, 3):result(LIMIT))
    assert.same({ 2, 4 }, tm.map(function(x) return 2 * x end, { 1, 2 }):collect())
    assert.equal(5, tm.submit(function() return tm.submit(value, 5):result() end):result(LIMIT))
  end)

  it("travels to other tasks", function()
    local pool = helper.pool()
    assert.equal(9, tm.submit(function(p) return p:submit(value, 9):result() end, pool):result(LIMIT))
  end)

  it("closes what a task had opened when it fails", function()
    local pool, closed = helper.pool(), tm.counter()
    local f = pool:submit(function()
      local _ <close> = setmetatable({}, { __close = function() closed:add() end })
      error("x")
    end)
    assert.matches("x", f:error(LIMIT))
    assert.equal(1, closed:get())
  end)
end)
