local tm = require "tidemill"
local helper = require "helper"

describe("tm.rate_limiter", function()
  after_each(helper.settle)

  it("lets a burst pass at once, then holds the rate", function()
    local limiter = tm.rate_limiter { per_second = 100, burst = 3 }
    for _ = 1, 3 do assert.is_true(limiter:try()) end
    assert.is_false(limiter:try())
    assert.is_false(limiter:wait(0))
    local began = tm.monotonic()
    for _ = 1, 5 do assert.is_true(limiter:wait()) end
    assert.is_true(tm.monotonic() - began >= 0.04 - helper.ROUNDING)
  end)

  it("is one for all workers", function()
    local limiter, pool, passed = tm.rate_limiter { per_second = 500 }, helper.pool { max_workers = 8 }, tm.counter()
    local began, fs = tm.monotonic(), {}
    for i = 1, 8 do
      fs[i] = pool:submit(function(l, c) for _ = 1, 5 do l:wait() c:add() end end, limiter, passed)
    end
    tm.gather(fs)
    assert.equal(40, passed:get())
    assert.is_true(tm.monotonic() - began >= 39 / 500 - helper.ROUNDING)
  end)

  it("lets more than a burst pass at once, after the time that they take", function()
    local limiter = tm.rate_limiter { per_second = 100, burst = 2 }
    local began = tm.monotonic()
    assert.is_true(limiter:wait(helper.LIMIT, 5)) -- two at once, three 10 ms apart
    assert.is_true(limiter:wait(helper.LIMIT, 3))
    local took = tm.monotonic() - began
    assert.is_true(took >= 0.06 - helper.ROUNDING and took < 5)
    assert.is_false(limiter:try(3))
  end)

  it("says false at once where the limit would not do", function()
    local limiter = tm.rate_limiter { per_second = 1 }
    assert.is_true(limiter:wait())
    local began = tm.monotonic()
    assert.is_false(limiter:wait(0.5))
    assert.is_true(tm.monotonic() - began < 0.4)
  end)

  it("takes several at once", function()
    local limiter = tm.rate_limiter { per_second = 100, burst = 10 }
    assert.is_true(limiter:try(10))
    assert.is_false(limiter:try())
  end)

  it("more than a burst pass together when the last of them is due", function()
    local limiter = tm.rate_limiter { per_second = 100, burst = 2 }
    local began = tm.monotonic()
    assert.is_false(limiter:try(6))
    for _ = 1, 2 do assert.is_true(limiter:wait(helper.LIMIT, 6)) end
    assert.is_true(tm.monotonic() - began >= 0.1 - helper.ROUNDING)
    local pool, fs = helper.pool(), {}
    for i = 1, 4 do fs[i] = pool:submit(function() return limiter:wait(nil, 5) end) end
    assert.same({ true, true, true, true }, tm.gather(fs))
    assert.is_true(tm.monotonic() - began >= 0.3 - helper.ROUNDING)
  end)

  it("a cancelled wait gives its turn back", function()
    local limiter = tm.rate_limiter { per_second = 1 }
    limiter:wait()
    for _ = 1, 20 do assert.equal("timeout", helper.kind(tm.timeout, 0.001, limiter.wait, limiter)) end
    assert.is_true(limiter:wait(1.5))
  end)

  it("many cancelled waits block nobody", function()
    local limiter, pool = tm.rate_limiter { per_second = 2 }, helper.pool({ max_workers = 50 })
    local began, fs = tm.counter(), {}
    assert.is_true(limiter:wait())
    for i = 1, 40 do
      fs[i] = pool:submit(function()
        began:add(1)
        limiter:wait()
      end)
    end
    helper.eventually(function() return began:get() == 40 end)
    for i = 1, 40 do fs[i]:cancel() end
    tm.wait(fs)
    assert.is_true(limiter:wait(2))
  end)

  it("a limit of 0 asks without waiting", function()
    local limiter = tm.rate_limiter { per_second = 1, burst = 100 }
    for _ = 1, 100 do assert.is_true(limiter:wait(0)) end
    assert.is_false(limiter:wait(0))
  end)

  it("refuses what is no rate", function()
    for _, bad in ipairs { 0, -1, 0 / 0, math.huge } do
      assert.matches("'per_second'", helper.raised(tm.rate_limiter, { per_second = bad }))
    end
    assert.matches("'per_second'", helper.raised(tm.rate_limiter, {}))
    assert.matches("'burst'", helper.raised(tm.rate_limiter, { per_second = 1, burst = 0 }))
    assert.matches("unknown option", helper.raised(tm.rate_limiter, { per_second = 1, bursts = 2 }))
    local limiter = tm.rate_limiter { per_second = 1 }
    assert.matches("negative", helper.raised(limiter.wait, limiter, -1))
    assert.matches("below 1", helper.raised(limiter.try, limiter, 0))
  end)
end)
