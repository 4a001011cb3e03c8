local tm = require "tidemill"
local helper = require "helper"

describe("tm.retry", function()
  local fast = { backoff = 0.001 }

  it("returns what the call returns, with its arguments", function()
    assert.same({ 1, nil, 3, n = 3 }, table.pack(tm.retry(function(...) return ... end, nil, 1, nil, 3)))
    assert.equal(0, select("#", tm.retry(function() end)))
  end)

  it("tries again after errors", function()
    local n = 0
    assert.equal("done", tm.retry(function()
      n = n + 1
      if n < 3 then error("not yet") end
      return "done"
    end, fast))
    assert.equal(3, n)
  end)

  it("raises the last error with the attempts counted", function()
    local n = 0
    local e = helper.raised(tm.retry, function()
      n = n + 1
      error("failure " .. n, 0)
    end, { attempts = 4, backoff = 0 })
    assert.equal("failure 4 (after 4 attempts)", e)
  end)

  it("keeps the kind of an error that has one", function()
    local e = helper.raised(tm.retry, function() error({ kind = "busy", code = 503 }) end, fast)
    assert.equal("busy", e.kind)
    assert.equal(503, e.code)
    assert.equal(3, e.attempts)
  end)

  it("keeps the class of an error, and leaves the error itself as it is", function()
    local class = { kind = "busy" }
    class.__index = class
    local cause = setmetatable({ message = "no line" }, class)
    local e = helper.raised(tm.retry, function() error(cause) end, fast)
    assert.is_true(getmetatable(e) == class)
    assert.equal("busy", e.kind)
    assert.equal("no line (after 3 attempts)", e.message)
    assert.equal(3, e.attempts)
    assert.same({ message = "no line" }, cause)
    e = helper.raised(tm.retry, function() error(cause) end, { attempts = 1 })
    assert.equal("no line", e.message)
    assert.equal(1, e.attempts)
    local timeout = helper.raised(tm.retry, function() tm.timeout(0.001, tm.sleep, helper.LIMIT) end, fast)
    assert.equal("timeout", timeout.kind)
    assert.matches("%(after 3 attempts%)$", tostring(timeout))
  end)

  it("takes nil, err for a failure, and returns it in the end", function()
    local n = 0
    local value, err = tm.retry(function()
      n = n + 1
      return nil, { kind = "connect" }
    end, fast)
    assert.is_nil(value)
    assert.equal("connect", err.kind)
    assert.equal(3, n)
  end)

  it("asks whether a failure is worth it", function()
    local n = 0
    local e = helper.raised(tm.retry, function()
      n = n + 1
      error("fatal", 0)
    end, { on = function(err, attempt) return err ~= "fatal" or attempt == 0 end })
    assert.equal("fatal", e)
    assert.equal(1, n)
  end)

  it("pauses grow up to a cap, and end with the budget", function()
    local began = tm.monotonic()
    helper.raised(tm.retry, error, { attempts = 5, backoff = 0.01, factor = 2, max_delay = 0.02, jitter = false }, "no")
    local took = tm.monotonic() - began
    assert.is_true(took >= 0.01 + 3 * 0.02 - helper.ROUNDING)
    began = tm.monotonic()
    helper.raised(tm.retry, error, { attempts = 100, backoff = 0.02, factor = 1, jitter = false, budget = 0.05 }, "no")
    assert.is_true(tm.monotonic() - began < 5)
  end)

  it("pauses of nothing stay nothing, however often", function()
    local began, n = tm.monotonic(), 0
    helper.raised(tm.retry, function() n = n + 1 error("no", 0) end, { attempts = 1100, backoff = 0, jitter = false })
    assert.equal(1100, n)
    assert.is_true(tm.monotonic() - began < 20) -- one of them took the longest pause, 30 seconds
  end)

  it("does not hold back a cancellation", function()
    assert.equal("timeout", helper.kind(tm.timeout, 0.02, tm.retry, function() error("again") end,
      { attempts = 1000000, backoff = 0.001 }))
  end)

  it("refuses wrong arguments", function()
    assert.matches("function expected", helper.raised(tm.retry, 1))
    assert.matches("'attempts'", helper.raised(tm.retry, print, { attempts = 0 }))
    assert.matches("'max_delay' %(finite", helper.raised(tm.retry, print, { max_delay = math.huge }))
    assert.matches("'factor'", helper.raised(tm.retry, print, { factor = 0.5 }))
    assert.matches("unknown option 'tries'", helper.raised(tm.retry, print, { tries = 2 }))
    assert.matches("table of options", helper.raised(tm.retry, print, 3))
  end)
end)
