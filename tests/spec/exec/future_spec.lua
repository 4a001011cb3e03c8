-- Of CPython's futures these have no counterpart: set_result, set_exception and set_running_or_notify_cancel (only
-- a task completes its future); the difference between cancelled and "cancelled and notified" (there is none).

local tm = require "tidemill"
local helper = require "helper"
local LIMIT, MOMENT = helper.LIMIT, helper.MOMENT
local error, setmetatable, print = error, setmetatable, print -- for tasks: not busted's environment

describe("future", function()
  after_each(helper.settle)

  it("goes from pending over running to done", function()
    local pool, go = helper.pool({ max_workers = 1 }), tm.event()
    local first = helper.busy(pool, go)
    local second = pool:submit(function() return 2 end)
    assert.is_true(first:running())
    assert.is_false(first:done())
    assert.is_false(second:running())
    assert.is_false(second:done())
    go:set()
    assert.equal(2, second:result(LIMIT))
    for _, f in ipairs { first, second } do
      assert.is_true(f:done())
      assert.is_false(f:running())
      assert.is_false(f:cancelled())
    end
  end)

  it("says what it is", function()
    local function named() return 1 end
    local f = tm.submit(named)
    f:result(LIMIT)
    assert.matches("^future of '.*' %(done%)$", tostring(f))
    assert.matches("named", tostring(f))
  end)

  describe("result", function()
    it("gives all values, nils included", function()
      local f = tm.submit(function(...) return ... end, 1, nil, "x", nil)
      assert.same({ n = 4, 1, nil, "x", nil }, table.pack(f:result(LIMIT)))
      assert.equal(0, select("#", tm.submit(function() end):result(LIMIT)))
    end)

    it("gives the same values again", function()
      local f = tm.submit(function() return { 1 }, {} end)
      local a, b = f:result(LIMIT)
      local c, d = f:result()
      assert.is_true(rawequal(a, c))
      assert.is_true(rawequal(b, d))
      assert.is_false(rawequal(a, b))
    end)

    it("raises the error as it was raised, the same each time", function()
      local f = tm.submit(function() error({ code = 42 }) end)
      local e = helper.raised(f.result, f, LIMIT)
      assert.same({ code = 42 }, e)
      assert.is_true(rawequal(e, helper.raised(f.result, f)))
      assert.is_true(rawequal(e, f:error()))
    end)

    it("keeps the position that error put into a text", function()
      local f = tm.submit(function() error("oh no") end)
      assert.matches("future_spec.lua:%d+: oh no$", helper.raised(f.result, f, LIMIT))
    end)

    it("raises whatever a task may raise", function()
      for _, value in ipairs { 7, 1.5, true, false, "" } do
        local f = tm.submit(function() error(value, 0) end)
        assert.equal(value, helper.raised(f.result, f, LIMIT))
      end
      local f = tm.submit(function() error(nil) end)
      assert.equal(nil, helper.raised(f.result, f, LIMIT))
    end)

    it("raises when its time is over, and the task goes on", function()
      local pool, go = helper.pool(), tm.event()
      local f = helper.busy(pool, go)
      local before = tm.monotonic()
      local e = helper.raised(f.result, f, MOMENT)
      assert.is_true(tm.monotonic() - before >= MOMENT - helper.ROUNDING)
      assert.equal("timeout", e.kind)
      assert.matches("timeout", tostring(e))
      assert.equal("timeout", helper.kind(f.result, f, 0))
      assert.equal("timeout", helper.kind(f.error, f, 0))
      assert.is_true(f:running())
      go:set()
      assert.is_true(f:result(LIMIT))
      assert.is_true(f:result(0))
    end)

    it("takes nil or a number >= 0 for a time limit", function()
      local f = tm.submit(function() end)
      f:result(LIMIT)
      for _, method in ipairs { "result", "error" } do
        for _, bad in ipairs { -1, 0 / 0, -math.huge, "soon", {} } do
          local e = helper.raised(f[method], f, bad)
          assert.is_true(e:find("time limit is", 1, true) ~= nil or e:find("number expected", 1, true) ~= nil)
        end
      end
      assert.has_no_error(function() f:result(math.huge) end)
    end)

    it("may be asked for by many at once", function()
      local pool, go = helper.pool(), tm.event()
      local f = helper.busy(pool, go)
      local futures = {}
      for i = 1, 10 do futures[i] = pool:submit(function() return f:result(LIMIT) end) end
      go:set()
      for _, asker in ipairs(futures) do assert.is_true(asker:result(LIMIT)) end
    end)
  end)

  describe("error", function()
    it("is nil for a task that ended well", function()
      assert.is_nil(tm.submit(function() return 1 end):error(LIMIT))
    end)

    it("is what the task raised", function()
      assert.same({ 1 }, tm.submit(function() error({ 1 }) end):error(LIMIT))
      assert.matches("bang", tm.submit(function() error("bang") end):error(LIMIT))
    end)

    it("raises for a cancelled future", function()
      local pool, go = helper.pool({ max_workers = 1 }), tm.event()
      helper.busy(pool, go)
      local f = pool:submit(print)
      assert.is_true(f:cancel())
      assert.equal("cancelled", helper.kind(f.error, f))
      go:set()
    end)
  end)

  describe("traceback", function()
    it("names the lines that the error came through", function()
      local function inner() error("deep") end
      local function outer() inner() return 1 end
      local f = tm.submit(outer)
      assert.matches("deep", f:error(LIMIT))
      assert.matches("traceback", f:traceback())
      assert.matches("'inner'", f:traceback())
      assert.matches("future_spec.lua:%d+:", f:traceback())
    end)

    it("is nil for a task that ended well", function()
      local f = tm.submit(function() end)
      f:result(LIMIT)
      assert.is_nil(f:traceback())
    end)
  end)

  describe("cancel", function()
    it("ends a pending task at once, which never starts", function()
      local pool, go, ran = helper.pool({ max_workers = 1 }), tm.event(), tm.counter()
      helper.busy(pool, go)
      local f = pool:submit(function() ran:add() end)
      assert.is_true(f:cancel())
      assert.is_true(f:cancelled())
      assert.is_true(f:done())
      assert.is_false(f:running())
      assert.equal("cancelled", helper.kind(f.result, f))
      assert.is_true(f:cancel()) -- again
      go:set()
      assert.is_true(pool:shutdown({ timeout = LIMIT }))
      assert.equal(0, ran:get())
    end)

    it("asks a running task to end", function()
      local pool, go = helper.pool(), tm.event()
      local f = helper.busy(pool, go)
      assert.is_true(f:cancel())
      assert.equal("cancelled", helper.kind(f.result, f, LIMIT))
      assert.is_true(f:cancelled())
      assert.is_true(f:done())
      assert.is_true(f:cancel())
    end)

    it("is done only when the task has unwound", function()
      local pool, began, closing, go = helper.pool(), tm.event(), tm.event(), tm.event()
      local f = pool:submit(function()
        local _ <close> = setmetatable({}, { __close = function()
          closing:set()
          go:wait(LIMIT)
        end })
        began:set()
        tm.sleep(LIMIT)
      end)
      began:wait(LIMIT)
      assert.is_true(f:cancel())
      assert.is_true(closing:wait(LIMIT))
      assert.is_false(f:done())
      assert.is_false(f:cancelled())
      go:set()
      assert.equal("cancelled", helper.kind(f.result, f, LIMIT))
    end)

    it("is refused by what has finished", function()
      local f = tm.submit(function() return 1 end)
      f:result(LIMIT)
      assert.is_false(f:cancel())
      assert.is_false(f:cancelled())
      assert.equal(1, f:result())
      local g = tm.submit(function() error("x") end)
      g:error(LIMIT)
      assert.is_false(g:cancel())
    end)
  end)

  describe("on_done", function()
    it("calls each function once with the future, in order, in this state", function()
      local pool, go, fired = helper.pool(), tm.event(), tm.event()
      local f = helper.busy(pool, go)
      local order, seen = tm.counter(), {}
      for i = 1, 3 do
        f:on_done(function(future)
          seen[i] = { order:add(), future == f, future:done() }
          if order:add(10) > 30 then fired:set() end
        end)
      end
      assert.same({}, seen)
      go:set()
      assert.is_true(fired:wait(LIMIT))
      for i = 1, 3 do
        assert.equal(i, seen[i][1] % 10)
        assert.same({ true, true }, { seen[i][2], seen[i][3] })
      end
    end)

    it("calls soon for a future that is done", function()
      local f, fired = tm.submit(function() return 5 end), tm.event()
      f:result(LIMIT)
      local value
      f:on_done(function(future)
        value = future:result()
        fired:set()
      end)
      assert.is_true(fired:wait(LIMIT))
      assert.equal(5, value)
    end)

    it("calls for a cancelled one too", function()
      local pool, go, fired = helper.pool({ max_workers = 1 }), tm.event(), tm.event()
      helper.busy(pool, go)
      local f, was = pool:submit(print), nil
      f:on_done(function(future)
        was = future:cancelled()
        fired:set()
      end)
      f:cancel()
      assert.is_true(fired:wait(LIMIT))
      assert.is_true(was)
      go:set()
    end)

    it("may wait, and gives the future back", function()
      local f, fired = tm.submit(function() end), tm.event()
      assert.equal(f, f:on_done(function()
        tm.sleep(0.001)
        fired:set()
      end))
      assert.is_true(fired:wait(LIMIT))
    end)

    it("works inside a task", function()
      local pool = helper.pool()
      assert.same({ 3, true }, pool:submit(function()
        local inner, done, value = tm.submit(function() return 3 end), tm.event(), nil
        inner:on_done(function(f)
          value = f:result()
          done:set()
        end)
        local fired = done:wait(LIMIT)
        return { value, fired }
      end):result(LIMIT))
    end)

    it("refuses what is no function", function()
      local f = tm.submit(function() end)
      assert.has_error(function() f:on_done(1) end, "bad argument #1 to 'on_done' (function expected, got number)")
      f:result(LIMIT)
    end)
  end)

  it("travels to other tasks as the same object", function()
    local pool, go = helper.pool(), tm.event()
    local f = helper.busy(pool, go)
    local back = pool:submit(function(x) return { x } end, f):result(LIMIT)
    assert.is_true(rawequal(f, back[1]))
    go:set()
    f:result(LIMIT)
  end)

  it("make long chains, each in the result of the next", function()
    local q = tm.queue()
    q:put(false)
    for i = 1, 60000 do
      q:put((tm.submit(function(x) return x end, q:get())))
      if i % 100 == 0 then -- not all at once
        local f = q:get()
        f:result(LIMIT)
        q:put(f)
      end
    end
    collectgarbage()
    q:get() -- drops them all
    collectgarbage()
    collectgarbage()
  end)

  it("ignore gives the future back", function()
    local f = tm.submit(function() error("nobody cares") end)
    assert.equal(f, f:ignore())
    helper.eventually(function() return f:done() end)
  end)
end)
