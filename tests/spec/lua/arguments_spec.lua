local arguments = require "tidemill.arguments"

local KNOWN = {
  ["-n"] = { key = "number", read = arguments.whole(1, 9) },
  ["--wait"] = { key = "wait", read = arguments.seconds(0) },
  ["--skip"] = { key = "skip", read = arguments.pattern, list = true },
  ["--quick"] = { key = "quick" },
}

local function parse(...) return arguments.parse({ ... }, KNOWN, { number = 5 }) end

describe("arguments.parse", function()
  it("sorts options and words", function()
    local options, words = parse("a", "-n", "3", "--quick", "--wait=1.5", "-", "--skip", "x", "--skip", "y", "--", "-z")
    assert.same({ number = 3, quick = true, wait = 1.5, skip = { "x", "y" } }, options)
    assert.same({ "a", "-", "-z" }, words)
  end)

  it("leaves defaults as they are", function()
    assert.same({ number = 5 }, (parse()))
  end)

  it("says what is wrong", function()
    local function wrong(message, ...)
      local options, why = parse(...)
      assert.is_nil(options)
      assert.equal(message, why)
    end
    wrong("unknown option '--fast'", "--fast=1")
    wrong("-n needs a value", "-n")
    wrong("-n needs a whole number from 1 to 9, not '0'", "-n", "0")
    wrong("-n needs a whole number from 1 to 9, not '1.5'", "-n", "1.5")
    wrong("--wait needs a number of seconds, at least 0, not 'inf'", "--wait", "inf")
    wrong("--wait needs a number of seconds, at least 0, not '-1'", "--wait", "-1")
    wrong("--skip needs a pattern of Lua, as string.find takes it, not '[a'", "--skip", "[a")
    wrong("--quick takes no value", "--quick=1")
  end)
end)
