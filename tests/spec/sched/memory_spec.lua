-- The limits of whole programs, --max-memory and ulimit -v: tests/cli/limits.sh, which knows how much there is.

local helper = require "helper"
local LIMIT = helper.LIMIT
local string, collectgarbage, setmetatable, pcall, type, tostring = -- for tasks
  string, collectgarbage, setmetatable, pcall, type, tostring

describe("a task that recurses for ever", function()
  after_each(helper.settle)

  it("fails, and its worker goes on", function()
    local pool = helper.pool()
    local function for_ever(n) return 1 + for_ever(n + 1) end
    for _ = 1, 5 do
      local e = pool:submit(for_ever, 1):error(LIMIT)
      assert.matches("stack overflow", tostring(e))
      assert.equal(1, pool:submit(function() return 1 end):result(LIMIT))
    end
  end)

  it("may catch it", function()
    local function for_ever(n) return 1 + for_ever(n + 1) end
    assert.is_true(helper.pool():submit(function()
      local ok, e = pcall(for_ever, 1)
      return not ok and tostring(e):find("stack overflow", 1, true) ~= nil
    end):result(LIMIT))
  end)

  it("fails in C code and in metamethods too", function()
    local pool = helper.pool()
    local e = pool:submit(function()
      local t = {}
      setmetatable(t, { __index = function(_, k) return t[k] end })
      return t.x
    end):error(LIMIT)
    assert.matches("overflow", tostring(e))
    e = pool:submit(function()
      local function again(s) return (string.gsub(s, ".", again)) end
      return again("x")
    end):error(LIMIT)
    assert.matches("overflow", tostring(e))
    e = pool:submit(function()
      local s = "x"
      return (s:rep(250)):gsub("x", function() return 1 end) and string.rep("(", 300) .. "1"
    end):result(LIMIT)
    assert.equal("string", type(e))
  end)

  it("in main too", function()
    local function for_ever(n) return 1 + for_ever(n + 1) end
    assert.matches("stack overflow", helper.raised(for_ever, 1))
  end)
end)

describe("a task that builds a large string", function()
  after_each(helper.settle)

  it("has it, or fails, and its worker goes on", function()
    local pool = helper.pool()
    local f = pool:submit(function() return #string.rep("x", 100 * 1024 * 1024) end)
    assert.equal(100 * 1024 * 1024, f:result(LIMIT))
    assert.matches("resulting string too large",
      tostring(pool:submit(function() return string.rep("x", 1 << 62) end):error(LIMIT)))
    assert.equal(1, pool:submit(function()
      collectgarbage()
      return 1
    end):result(LIMIT))
  end)
end)

describe("tasks that leave garbage", function()
  it("do not add up", function()
    local pool = helper.pool()
    local function waste()
      local t = {}
      for i = 1, 1000 do t[i] = { i } end
      return #t
    end
    for _ = 1, 20 do pool:map(waste, { 1, 2, 3, 4, 5, 6, 7, 8 }):collect() end
    local used = pool:submit(function()
      collectgarbage()
      return collectgarbage("count")
    end):result(LIMIT)
    assert.is_true(used < 20000)
    helper.settle()
  end)
end)
