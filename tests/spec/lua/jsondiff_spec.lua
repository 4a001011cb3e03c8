local json = require("tidemill").json
local jsondiff = require "tidemill.jsondiff"

local function lines(old, new)
  local found = {}
  for i, change in ipairs(jsondiff.diff(assert(json.decode(old)), assert(json.decode(new)))) do
    found[i] = jsondiff.line(change)
  end
  return found
end

describe("jsondiff.diff", function()
  it("finds nothing where nothing changed", function()
    local text = '{"a": [1, {"b": null}], "c": {}, "d": [], "e": false}'
    assert.same({}, lines(text, text))
    assert.same({}, lines("3", "3.0"))
  end)

  it("tells the path of a value", function()
    assert.same({ "items[2].price: 3 -> 4" },
      lines('{"items": [{}, {"price": 3, "x": 1}]}', '{"items": [{}, {"price": 4, "x": 1}]}'))
    assert.same({ '["a b"].c["1"]: true -> false' },
      lines('{"a b": {"c": {"1": true}}}', '{"a b": {"c": {"1": false}}}'))
    assert.same({ "(all): 1 -> 2" }, lines("1", "2"))
    assert.same({ "[1]: 1 -> 2" }, lines("[1]", "[2]"))
  end)

  it("tells what was added and removed, keys in order", function()
    assert.same({ '+ b: {"x":[1]}', "- c: null", "+ z: false" },
      lines('{"c": null, "a": 1}', '{"z": false, "b": {"x": [1]}, "a": 1}'))
  end)

  it("finds an item in the middle of a list", function()
    assert.same({ "+ [2]: 9" }, lines("[1, 2, 3]", "[1, 9, 2, 3]"))
    assert.same({ "- [1]: 1" }, lines("[1, 2, 3]", "[2, 3]"))
    assert.same({ "[2]: false -> 7" }, lines("[1, false, 3]", "[1, 7, 3]"))
    assert.same({ "- [2]: 1" }, lines("[1, 1]", "[1]"))
  end)

  it("tells lists, objects and null apart", function()
    assert.same({ "a: [] -> {}" }, lines('{"a": []}', '{"a": {}}'))
    assert.same({ "+ a[1]: 1" }, lines('{"a": []}', '{"a": [1]}'))
    assert.same({ 'a: {"b":1} -> [1]' }, lines('{"a": {"b": 1}}', '{"a": [1]}'))
    assert.same({ "a: null -> false" }, lines('{"a": null}', '{"a": false}'))
  end)

  it("cuts long values between two characters", function()
    local change = { kind = "added", path = "a", new = ("ö"):rep(100) }
    assert.equal('+ a: "öö...', jsondiff.line(change, 5))
    assert.equal('+ a: "ö...', jsondiff.line(change, 4))
  end)
end)
