-- The stubs of lua/meta name what there is, all of it, and nothing else.

local tm = require "tidemill"

--- The functions that a stub defines for a variable: "function tm.sleep(" or "function event:set(".
local function defined(file, variable)
  local names = {}
  for line in io.lines("lua/meta/" .. file .. ".lua") do
    local name = line:match("^function " .. variable .. "[.:]([%w_]+)%(")
    if name then names[name] = true end
  end
  return names
end

--- The methods of an object, which only debug can see.
local function methods(object)
  local names = {}
  for name in pairs(debug.getmetatable(object).__index) do names[name] = true end
  return names
end

describe("the stubs", function()
  it("name each function of the module", function()
    local names = {}
    for name, value in pairs(tm) do
      if type(value) == "function" then names[name] = true end
    end
    assert.same(names, defined("tidemill", "tm"))
  end)

  it("name each function and value of json", function()
    local names, values = {}, {}
    for name, value in pairs(tm.json) do (type(value) == "function" and names or values)[name] = true end
    assert.same(names, defined("json", "json"))
    assert.same({ null = true, array_mt = true }, values)
  end)

  it("name each function of fs and hash", function()
    for _, part in ipairs { "fs", "hash" } do
      local names = {}
      for name in pairs(tm[part]) do names[name] = true end
      assert.same(names, defined(part, part))
    end
  end)

  it("name each method", function()
    local future = tm.submit(function() end)
    future:result()
    assert.same(methods(future), defined("future", "future"))
    local pool = tm.executor()
    assert.same(methods(pool), defined("executor", "executor"))
    assert.same(methods((pool:map(print, {}))), defined("executor", "map"))
    assert.same(methods(tm.event()), defined("event", "event"))
    assert.same(methods(tm.counter()), defined("counter", "counter"))
    tm.scope(function(s) assert.same(methods(s), defined("scope", "scope")) end)
  end)

  it("are Lua", function()
    for _, file in ipairs { "tidemill", "future", "executor", "event", "counter", "scope", "json", "fs", "hash" } do
      assert(loadfile("lua/meta/" .. file .. ".lua"))
    end
  end)
end)
