local screen = require "tidemill.screen"

describe("screen", function()
  local function written(write, ...)
    local file = io.tmpfile()
    write(file, ...)
    file:seek("set")
    local text = file:read("a")
    file:close()
    return text
  end

  it("sets commas between thousands", function()
    assert.equal("0", screen.thousands(0))
    assert.equal("999", screen.thousands(999))
    assert.equal("1,000", screen.thousands(1000))
    assert.equal("-123,456,789", screen.thousands(-123456789))
  end)

  it("writes rows without blanks at the end", function()
    assert.equal("  pages                    12\n", written(screen.row, "pages", "12"))
    assert.equal("  pages                    12  or so\n", written(screen.row, "pages", "12", "or so"))
  end)

  it("writes the first items of a list", function()
    local function line(item) return "<" .. item .. ">" end
    assert.equal("", written(screen.list, "Dead:", {}, 2, line))
    assert.equal("\nDead:\n  <a>\n  <b>\n  ... and 1 more\n", written(screen.list, "Dead:", { "a", "b", "c" }, 2, line))
  end)
end)
