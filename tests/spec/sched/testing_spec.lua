-- tm.testing in a run with real time; the rest is in tests/spec/virtual.

local tm = require "tidemill"
local helper = require "helper"

describe("tm.testing, where time is real,", function()
  it("says so", function()
    assert.is_false(tm.testing.is_virtual())
  end)

  it("raises with what to do", function()
    for _, name in ipairs { "advance", "manual" } do
      local text = helper.raised(tm.testing[name], 1)
      assert.matches("tm.testing." .. name, text, 1, true)
      assert.matches("--virtual-time", text, 1, true)
    end
  end)
end)
