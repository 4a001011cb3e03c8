local tm = require "tidemill"
local helper = require "helper"
local json = tm.json
local LIMIT = helper.LIMIT
local pcall, table, tostring, require = pcall, table, tostring, require -- for tasks

--- What assert is elsewhere; the one of a spec does not travel.
local function must(value)
  if not value then error("it is not so", 2) end
  return value
end

--- What the text means; the test fails if it is no JSON.
local function decode(text, options) return (assert(json.decode(text, options))) end

--- The error of a text that is no JSON.
local function refused(text, options)
  local value, err = json.decode(text, options)
  assert.is_nil(value)
  assert.equal("json", err.kind)
  assert.equal(("line %d, column %d: "):format(err.line, err.column), tostring(err):match "^line %d+, column %d+: ")
  return err
end

local function sorted(value) return json.encode(value, { sort_keys = true }) end

describe("json.decode", function()
  it("takes any value at the top", function()
    assert.equal(1, decode "1")
    assert.equal("a", decode '"a"')
    assert.is_true(decode "true")
    assert.is_true(select("#", json.decode "false") == 1 and json.decode "false" == false)
    assert.equal(json.null, decode "null")
    assert.same({}, decode "{}")
    assert.same({ 1, "x", { y = { 2 } } }, decode ' [ 1 , "x" , { "y" : [ 2 ] } ] ')
    assert.equal(1, decode "\t\r\n 1 \n")
  end)

  it("keeps integers and floats apart", function()
    local kinds = {
      ["0"] = "integer", ["-0"] = "integer", ["9223372036854775807"] = "integer", ["-9223372036854775808"] = "integer",
      ["1.0"] = "float", ["1e2"] = "float", ["-0.0"] = "float", ["1E+2"] = "float", ["1e-2"] = "float",
    }
    for text, kind in pairs(kinds) do
      assert.equal(kind, math.type(decode(text)), text)
      assert.equal(tonumber(text), decode(text))
    end
    assert.equal(math.mininteger, decode "-9223372036854775808")
    assert.equal(0.1, decode "0.1")
    assert.equal(0.0, decode "1e-400") -- too small is zero, as for Lua
    assert.equal(-math.huge, 1 / decode "-0.0")
  end)

  it("reads every escape", function()
    assert.equal('"\\/\b\f\n\r\t', decode [["\"\\\/\b\f\n\r\t"]])
    assert.equal("é€😀", decode [["\u00e9\u20AC\uD83D\uDE00"]])
    assert.equal("a\0b", decode [["a\u0000b"]])
    assert.equal("é€😀\127", decode '"é€😀\127"')
    assert.equal("", decode '""')
    assert.same({ [""] = 1, ["é"] = 2 }, decode [[{"": 1, "\u00e9": 2}]])
  end)

  it("takes the last of equal keys", function()
    assert.same({ a = 3, b = 2 }, decode '{"a": 1, "b": 2, "a": 3}')
  end)

  it("marks empty arrays, and only those", function()
    local value = decode '{"a": [], "o": {}, "n": [1]}'
    assert.equal(json.array_mt, getmetatable(value.a))
    assert.is_nil(getmetatable(value.o))
    assert.is_nil(getmetatable(value.n))
    assert.is_nil(getmetatable(value))
    assert.equal('{"a":[],"n":[1],"o":{}}', sorted(value))
  end)

  it("passes over a byte order mark", function()
    assert.same({ 1 }, decode "\xef\xbb\xbf[1]")
    assert.equal(6, refused("\xef\xbb\xbf[1x]").position)
  end)

  it("refuses what is no JSON", function()
    local texts = {
      "", " ", "[", "]", "{", "[1", "[1,", "[1,]", "[,1]", "[1 2]", '{"a"', '{"a":', '{"a":}', '{"a":1,}', "{1:2}",
      "{a:1}", "'a'", "tru", "True", "nul", "NaN", "Infinity", "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+", "0x10",
      "1 2",
      "[1] x", '"a', '"a\nb"', '"a\tb"', '"a\0b"', '"\\x"', '"\\u12"', '"\\u12G4"', '"\\', "[1}", "// 1\n1", "/**/1",
      "[1,\0]", "1\0", "true\0", "\0", "\xa0 1", "\v1", "{}{}",
    }
    for _, text in ipairs(texts) do refused(text) end
  end)

  it("refuses invalid UTF-8 and halves of surrogate pairs", function()
    local texts = {
      '"\xff"', '"\xc3"', '"\xc0\x80"', '"\xed\xa0\x80"', '"\xf4\x90\x80\x80"', '"\xe2\x82"', "\xff", '{"\xff":1}',
      [["\ud800"]], [["\udc00"]], [["\ud800\ud800"]], [["\ud800x"]],
    }
    for _, text in ipairs(texts) do refused(text) end
    assert.equal("line 2, column 3: unable to decode byte 0xff near '\"a'", tostring(refused('[\n"a\xff"]')))
  end)

  it("says where", function()
    local err = refused '{\n  "é": 1,\n  "y": x\n}'
    assert.equal("line 3, column 8: invalid token near 'x'", tostring(err))
    assert.same({ 3, 8, 21 }, { err.line, err.column, err.position })
    err = refused "[1, 2"
    assert.same({ 1, 5, 5 }, { err.line, err.column, err.position })
    assert.equal("line 1, column 5: ']' expected near end of file", err.message)
    assert.equal("line 1, column 3: a NUL byte", refused("[1\0x]").message)
    assert.equal("line 1, column 2: invalid token near 'x'", refused("[x\0]").message)
  end)

  it("refuses integers outside of 64 bits, or takes them as it is told", function()
    local text = '[9223372036854775808, "-9223372036854775809\\"", {"a": -9223372036854775809}, 7, 1.5]'
    assert.matches("column 20: too big integer near '9223372036854775808'; the option b", refused(text).message)
    assert.equal(refused(text).message, refused(text, { big_numbers = "error" }).message)
    local value = decode(text, { big_numbers = "float" })
    assert.same({ 2.0 ^ 63, '-9223372036854775809"', { a = -2.0 ^ 63 }, 7, 1.5 }, value)
    assert.equal("float", math.type(value[1]))
    assert.equal("integer", math.type(value[4]))
    value = decode(text, { big_numbers = "string" })
    assert.same({ "9223372036854775808", '-9223372036854775809"', { a = "-9223372036854775809" }, 7, 1.5 }, value)
    assert.equal(2.0 ^ 64, decode("18446744073709551616", { big_numbers = "float" }))
    assert.equal("-99999999999999999999", decode("-99999999999999999999", { big_numbers = "string" }))
    value = decode("[12345678901234567890123.5, 1e30]", { big_numbers = "string" })
    assert.same({ 12345678901234567890123.5, 1e30 }, value)
  end)

  it("knows where an error is behind such integers", function()
    for _, how in ipairs { "float", "string" } do
      local text = "[99999999999999999999, 99999999999999999999,\n99999999999999999999, x]"
      local err = refused(text, { big_numbers = how })
      assert.same({ 2, 23, #text - 1 }, { err.line, err.column, err.position })
      refused("099999999999999999999", { big_numbers = how })
      refused("99999999999999999999-", { big_numbers = how })
      refused("--99999999999999999999", { big_numbers = how })
      refused('[99999999999999999999, "', { big_numbers = how })
      refused("[" .. ("99999999999999999999,"):rep(1000), { big_numbers = how })
    end
    refused(("9"):rep(400), { big_numbers = "float" })
    assert.equal(("9"):rep(400), decode(("9"):rep(400), { big_numbers = "string" }))
    assert.matches("real number overflow", tostring(refused("1e400", { big_numbers = "float" })))
  end)

  it("has a limit of depth", function()
    local function nested(n) return ("["):rep(n) .. ("]"):rep(n) end
    decode(nested(512))
    local err = refused(nested(513))
    assert.equal("line 1, column 513: nested deeper than max_depth, 512", tostring(err))
    decode("[" .. nested(511) .. "," .. nested(511) .. "]")
    decode(nested(2000), { max_depth = 2000 })
    assert.equal(1, decode("1", { max_depth = 1 }))
    assert.same({}, decode("{}", { max_depth = 1 }))
    assert.equal(12, refused('["[[[\\"[", [1]]', { max_depth = 1 }).column)
    for _, text in ipairs { nested(2100), ("["):rep(100000), ('{"a":'):rep(100000) } do
      assert.matches("nested deeper than max_depth, 2000", tostring(refused(text, { max_depth = 2000 })))
      assert.matches("nested deeper than max_depth, 512", tostring(refused(text)))
    end
  end)

  it("has a limit of size, if one is given", function()
    assert.same({ 1, 2 }, decode("[1,2]", { max_size = 5 }))
    local err = refused("[1,\n2]", { max_size = 4 })
    assert.equal("line 2, column 0: longer than max_size, 4 bytes", tostring(err))
    assert.equal(4, err.position)
    refused("1", { max_size = 0 })
  end)

  it("raises for wrong arguments", function()
    local function raised(...) return (tostring(helper.raised(json.decode, ...)):gsub("to '.-'", "to 'decode'")) end
    assert.equal("bad argument #1 to 'decode' (string expected, got number)", raised(12))
    assert.equal("bad argument #1 to 'decode' (string expected, got no value)", raised())
    assert.equal("bad argument #2 to 'decode' (table expected, got number)", raised("1", 1))
    assert.matches("unknown option 'depth'", raised("1", { depth = 1 }))
    assert.matches("option 'max_depth': an integer from 1 to 2000 expected, got 0", raised("1", { max_depth = 0 }))
    assert.matches("option 'max_depth': an integer from 1 to 2000 expected", raised("1", { max_depth = 2001 }))
    assert.matches("option 'max_size': an integer", raised("1", { max_size = -1 }))
    assert.matches("'big_numbers': 'error' or 'float' or 'string' expected, got x", raised("1", { big_numbers = "x" }))
  end)

  it("takes long texts", function()
    local items = {}
    for i = 1, 20000 do items[i] = { id = i, name = "n" .. i, tags = { "a", "b" } } end
    assert.same(items, decode(json.encode(items)))
    local long = ("x"):rep(3000000)
    assert.equal(long, decode('"' .. long .. '"'))
    assert.same({ [long] = 1 }, decode('{"' .. long .. '":1}'))
  end)

  it("never breaks on mutilated texts", function()
    local seed = os.time()
    math.randomseed(seed)
    local list = { 1, 2.5, -1e300, json.null, true, "é\n😀\0" }
    local text = sorted { a = list, b = { c = { d = json.array() } }, e = 1 << 62 }
    for _ = 1, 3000 do
      local at = math.random(#text)
      local cut = text:sub(1, at - 1) .. string.char(math.random(0, 255)) .. text:sub(at + math.random(0, 2))
      local value, err = json.decode(cut, { big_numbers = "string" })
      if value == nil then
        assert.equal("json", err.kind)
        assert.is_true(err.position <= #cut, "seed " .. seed)
      else
        assert.is_string(json.encode(value))
      end
    end
  end)
end)

describe("json.encode", function()
  --- What is said about a value that cannot be encoded.
  local function problem(...)
    local text = tostring(helper.raised(json.encode, ...))
    return text:match "cannot encode (.*)$" or text
  end

  it("writes every kind of value", function()
    local texts = {
      ["1"] = 1, ["-1"] = -1, ["true"] = true, ["false"] = false, ["null"] = json.null, ['"a"'] = "a",
      ["[1,2]"] = { 1, 2 }, ['{"a":1}'] = { a = 1 }, ["{}"] = {}, ["[]"] = json.array(),
      ["[[],{}]"] = { json.array(), {} },
      ["9223372036854775807"] = math.maxinteger, ["-9223372036854775808"] = math.mininteger, ["[null]"] = { json.null },
    }
    for text, value in pairs(texts) do assert.equal(text, json.encode(value)) end
  end)

  it("writes floats as floats, with as few digits as come back the same", function()
    local texts = {
      ["1.0"] = 1.0, ["-0.0"] = -0.0, ["0.1"] = 0.1, ["0.30000000000000004"] = 0.1 + 0.2, ["12.99"] = 12.99,
      ["0.3333333333333333"] = 1 / 3, ["1e300"] = 1e300, ["1e-7"] = 1e-7, ["1e20"] = 1e20, ["123456.0"] = 123456.0,
      ["1.7976931348623157e308"] = 1.7976931348623157e308, ["4.94065645841247e-324"] = 5e-324,
      ["9.223372036854776e18"] = 2.0 ^ 63,
    }
    for text, value in pairs(texts) do
      assert.equal(tonumber(text), value)
      assert.equal(value, tonumber(json.encode(value)))
      assert.equal(text, json.encode(value))
    end
    math.randomseed(os.time())
    for _ = 1, 5000 do
      local value = string.unpack("d", string.pack("I8", math.random(0)))
      if value == value and math.abs(value) ~= math.huge then
        local back = decode(json.encode(value))
        assert.equal(value, back)
        assert.equal("float", math.type(back))
        assert.is_true(#json.encode(value) <= #("%.17g"):format(value) + 4)
      end
    end
    assert.equal('["0.10000000000000001",0.1,{"0.10000000000000001":0.1}]', -- strings are no numbers
      json.encode { "0.10000000000000001", 0.1, { ["0.10000000000000001"] = 0.1 } })
    assert.equal('["\\"",0.1,"\\"",0.2]', json.encode { '"', 0.1, '"', 0.2 })
  end)

  it("escapes strings", function()
    assert.equal([["\"\\/\b\f\n\r\t\u0000\u001F]] .. '\127é€😀"', json.encode '"\\/\b\f\n\r\t\0\31\127é€😀')
    assert.equal([["\u00E9\u20AC\uD83D\uDE00"]], json.encode("é€😀", { ascii = true }))
    assert.equal('{"a\\u0000b":1}', json.encode { ["a\0b"] = 1 })
    for i = 0, 0x10ffff, 97 do
      if i < 0xd800 or i > 0xdfff then
        local text = utf8.char(i)
        assert.equal(text, decode(json.encode(text)))
        assert.equal(text, decode(json.encode(text, { ascii = true })))
      end
    end
  end)

  it("indents and sorts", function()
    local value = { b = { 1, { x = 2 } }, a = json.array(), c = {} }
    assert.equal('{"a":[],"b":[1,{"x":2}],"c":{}}', sorted(value))
    assert.equal([[
{
  "a": [],
  "b": [
    1,
    {
      "x": 2
    }
  ],
  "c": {}
}]], json.encode(value, { sort_keys = true, indent = 2 }))
    assert.equal("1", json.encode(1, { indent = 31 }))
    assert.equal('{"A":1,"a":1,"aa":1,"b":1,"é":1}', sorted { b = 1, aa = 1, a = 1, A = 1, ["é"] = 1 })
  end)

  it("comes back the same", function()
    local list = { 1, 2.0, "x", true, false, json.null, {} }
    local value = { list = list, none = json.array(), ["odd key\n"] = { { { 1 } } }, [""] = 0 }
    local back = decode(json.encode(value))
    assert.same(value, back)
    assert.equal(sorted(value), sorted(back))
  end)

  it("says the path to what cannot be", function()
    assert.equal("value.items[3].when: a function", problem { items = { 1, 2, { when = print } } })
    assert.equal("value: a function", problem(print))
    assert.equal("value: nil; json.null stands for null", problem(nil))
    assert.equal("value[1]: a coroutine", problem { coroutine.create(print) })
    assert.equal("value.f: a userdata", problem { f = io.stdout })
    assert.equal("value.e: a userdata", problem { e = tm.event() })
    assert.equal("value.x: a NaN", problem { x = 0 / 0 })
    assert.equal('value["a b"]["1"].x: an infinite number', problem { ["a b"] = { ["1"] = { x = -math.huge } } })
    assert.equal("value.s: a string that is not UTF-8", problem { s = "\xff" })
    assert.equal("value.s: a table with a key that is not UTF-8", problem { s = { ["\xff"] = 1 } })
    assert.equal("value.s: a string that is not UTF-8", problem { s = "\xed\xa0\x80" })
    local place = helper.raised(function()
      json.encode(print)
      return 1
    end)
    assert.matches("json_spec.lua:%d+: cannot encode value: a function$", place)
  end)

  it("refuses tables that are neither list nor object", function()
    assert.equal("value: a list with holes", problem { 1, nil, 3 })
    assert.equal("value.x: a list with holes", problem { x = { [2] = 1 } })
    assert.equal("value: a list with holes", problem { [1 << 60] = 1 })
    for _, value in ipairs { { 1, x = 2 }, { x = 2, [10] = 1 } } do
      assert.equal("value: a table with both string keys and number keys", problem(value))
    end
    for _, key in ipairs { 0, -1, 1.5, math.huge } do
      assert.equal("value.t: a table with a number as a key that is no position", problem { t = { [key] = 1 } })
    end
    assert.equal("value: a table with a boolean as a key", problem { [true] = 1 })
    assert.equal("value: a table with a table as a key", problem { [{}] = 1 })
    assert.equal("value: a table with a key that is no string", problem { [print] = 1 })
    assert.equal("value: an array with string keys", problem(json.array { a = 1 }))
    assert.equal("value: a list with holes", problem(json.array { nil, 1 }))
  end)

  it("refuses cycles, not tables that occur twice", function()
    local shared = { 1 }
    assert.equal("[[1],[1]]", json.encode { shared, shared })
    local t = { x = 1 }
    t.a = { b = { t } }
    assert.equal("value.a.b[1]: a cycle, the table contains itself", problem(t))
    local self = {}
    self[1] = self
    assert.equal("value.me[1]: a cycle, the table contains itself", problem { me = self })
  end)

  it("has a limit of depth", function()
    local function nested(n)
      local t = {}
      for _ = 2, n do t = { t } end
      return t
    end
    assert.equal(("["):rep(511) .. "{}" .. ("]"):rep(511), json.encode(nested(512)))
    local path = "value" .. ("[1]"):rep(12) .. "..." .. ("[1]"):rep(4)
    assert.equal(path .. ": nested deeper than max_depth", problem(nested(513)))
    assert.equal("value[1]: nested deeper than max_depth", problem(nested(2), { max_depth = 1 }))
    local text = json.encode(nested(2000), { max_depth = 2000 })
    assert.equal(text, json.encode(decode(text, { max_depth = 2000 }), { max_depth = 2000 }))
    assert.equal("1", json.encode(1, { max_depth = 1 }))
  end)

  it("reads tables raw", function()
    local class = { __index = { hidden = 1 }, __pairs = error, __len = error }
    assert.equal('{"a":1}', json.encode(setmetatable({ a = 1 }, class)))
    assert.equal("[1,2]", json.encode(setmetatable({ 1, 2 }, class)))
  end)

  it("raises for wrong arguments", function()
    assert.matches("bad argument #1 to '.-' %(value expected%)", problem())
    assert.matches("bad argument #2 to '.-' %(table expected, got number%)", problem({}, 2))
    assert.matches("unknown option 'pretty'", problem({}, { pretty = true }))
    assert.matches("option 'indent': an integer from 0 to 31 expected, got 32", problem({}, { indent = 32 }))
    assert.matches("option 'sort_keys': true or false expected", problem({}, { sort_keys = 1 }))
    assert.matches("option 'ascii': true or false expected", problem({}, { ascii = "x" }))
    assert.matches("option 'max_depth': an integer from 1 to 2000", problem({}, { max_depth = 5000 }))
  end)
end)

describe("json.array", function()
  it("marks a table and returns it", function()
    local t = {}
    assert.equal(t, json.array(t))
    assert.equal(t, json.array(t))
    assert.equal("[]", json.encode(t))
    t[1] = "x"
    assert.equal('["x"]', json.encode(t))
    assert.equal("[]", json.encode(json.array()))
    assert.equal("{}", json.encode(setmetatable(t, nil) and {}))
  end)

  it("takes no other type, and no table with a metatable of its own", function()
    assert.matches("table expected, got number", helper.raised(json.array, 1))
    assert.matches("the table has a metatable of its own", helper.raised(json.array, setmetatable({}, {})))
  end)
end)

describe("json.null", function()
  it("is a value with a name", function()
    assert.equal("null", tostring(json.null))
    assert.is_true(json.null and true)
    assert.equal("userdata", type(json.null))
    assert.equal(json.null, decode "null")
  end)
end)

describe("between tasks", function()
  after_each(helper.settle)

  it("null and empty arrays stay what they are", function()
    local pool = helper.pool()
    local value, null = pool:submit(function(text)
      return json.decode(text), json.null
    end, '{"a": [], "n": null, "o": {}, "deep": [[[]], null]}'):result(LIMIT)
    assert.equal(json.null, null)
    assert.equal(json.null, value.n)
    assert.equal(json.array_mt, getmetatable(value.a))
    assert.is_nil(getmetatable(value.o))
    assert.equal('{"a":[],"deep":[[[]],null],"n":null,"o":{}}', sorted(value))
    local text = pool:submit(function(v)
      must(v.n == json.null and tostring(v.n) == "null" and getmetatable(v.a) == json.array_mt)
      return require("tidemill").json.encode(v, { sort_keys = true })
    end, value):result(LIMIT)
    assert.equal(sorted(value), text)
  end)

  it("errors arrive as what they are", function()
    local _, err = helper.pool():submit(json.decode, "[\n1,"):result(LIMIT)
    assert.equal("json", err.kind)
    assert.equal(2, err.line)
    assert.equal("line 2, column 2: ']' expected near end of file", tostring(err))
  end)

  it("many at once", function()
    local pool, items = helper.pool { max_workers = 64 }, {}
    for i = 1, 300 do items[i] = { id = i, list = {}, text = ("é\n"):rep(i) } end
    for i, back in pool:map(function(item)
      local text = json.encode(item, { sort_keys = true })
      for n = 1, 20 do item.list[n] = json.decode(text) end
      local copy = json.decode(json.encode(item))
      must(not pcall(json.encode, { item.list, must }))
      must(not json.decode(text:sub(1, -2)))
      return copy.list[20]
    end, items) do
      assert.same(items[i], back)
    end
  end)

  it("a deep document where the C stack is short", function()
    local pool = helper.pool()
    --- Waits inside of callbacks of table.sort, each a loop on the C stack of its own.
    local function within(n, fn)
      if n == 0 then return fn() end
      local result
      table.sort({ 1, 2 }, function(a, b)
        tm.sleep(0)
        result = result or within(n - 1, fn)
        return a < b
      end)
      return result
    end
    local deep = ("["):rep(2000) .. ("]"):rep(2000)
    for n = 0, 12, 4 do
      local kind = pool:submit(within, n, function()
        local ok, value = pcall(json.decode, deep, { max_depth = 2000 })
        if ok then ok, value = pcall(json.encode, value, { max_depth = 2000 }) end
        must(not json.decode(deep))
        return ok and "done" or tostring(value)
      end):result(LIMIT)
      assert.is_true(kind == "done" or kind:find("stack", 1, true) ~= nil, kind)
    end
  end)
end)
