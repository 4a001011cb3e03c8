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
    names.retry = true -- loaded at its first use
    assert.same(names, defined("tidemill", "tm"))
  end)

  it("name each function and value of json", function()
    local names, values = {}, {}
    for name, value in pairs(tm.json) do (type(value) == "function" and names or values)[name] = true end
    assert.same(names, defined("json", "json"))
    assert.same({ null = true, array_mt = true }, values)
  end)

  it("name each function of fs, hash and cron", function()
    for _, part in ipairs { "fs", "hash", "cron" } do
      local names = {}
      for name in pairs(tm[part]) do names[name] = true end
      assert.same(names, defined(part, part))
    end
  end)

  it("name each function of testing", function()
    local names = {}
    for name in pairs(tm.testing) do names[name] = true end
    assert.same(names, defined("testing", "testing"))
  end)

  it("name what there is in http", function()
    local function members(t)
      local names = {}
      for name, value in pairs(t) do
        if type(value) == "function" and not name:find("^__") then names[name] = true end
      end
      return names
    end
    -- The methods of a class whose __index is a function: they stand in a table that it sees.
    local function seen_by(class, variable)
      for i = 1, math.huge do
        local name, value = debug.getupvalue(class.__index, i)
        if name == variable then return members(value) end
        assert(name, variable .. " is not there")
      end
    end
    assert.same(members(tm.http), defined("http", "http"))
    assert.same(members(tm.http.Session), defined("http", "session"))
    assert.same(seen_by(tm.http.Response, "response_methods"), defined("http", "response"))
    assert.same(seen_by(tm.http.Headers, "methods"), defined("http", "headers"))
  end)

  it("name each option of http", function()
    local options = { url = true, method = true, path = true } -- of request, and what download sets
    local inside = false
    for line in io.lines("lua/meta/http.lua") do
      local class, field = line:match("^%-%-%-@class ([%w_.]+)"), line:match("^%-%-%-@field ([%w_]+)%?")
      if class or line == "" then inside = class == "tidemill.http.options" end
      if inside and field then options[field] = true end
    end
    local ok, err = pcall(tm.http.get, "http://localhost/", { no_such_option = 1 })
    assert.is_false(ok)
    local known = {}
    for name in err:match("%(known: (.*)%)"):gmatch("%S+") do known[name] = true end
    assert.same(known, options)
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
    assert.same(methods(tm.dict()), defined("dict", "dict"))
    assert.same(methods(tm.task_local()), defined("thread", "task_value"))
    assert.same(methods(tm.semaphore()), defined("semaphore", "semaphore"))
    assert.same(methods(tm.semaphore():guard()), defined("semaphore", "guard"))
    assert.same(methods(tm.barrier(1)), defined("barrier", "barrier"))
    assert.same(methods(tm.once()), defined("once", "once"))
    assert.same(methods(tm.queue()), defined("queue", "queue"))
    assert.same(methods(tm.priority_queue()), defined("queue", "queue"))
    assert.same(methods(tm.deque()), defined("deque", "deque"))
    assert.same(methods(tm.after(0, print)), defined("timer", "timer"))
    assert.same(methods(tm.rate_limiter { per_second = 1 }), defined("rate_limiter", "rate_limiter"))
    tm.scope(function(s) assert.same(methods(s), defined("scope", "scope")) end)
  end)

  it("name what there is in thread", function()
    local names = {}
    for name, value in pairs(tm.thread) do
      if type(value) == "function" and name ~= "construct" and name ~= "run" then names[name] = true end
    end
    assert.same(names, defined("thread", "threads"))
    local _, of_handles = debug.getupvalue(debug.getmetatable(tm.thread.main()).__index, 1)
    local own = {}
    for name in pairs(of_handles) do own[name] = true end
    assert.same(own, defined("thread", "thread"))
    local known, fields = {}, {}
    for name in select(2, pcall(tm.thread, { no_such_option = 1 })):match("%(known: ([^)]*)%)"):gmatch("%S+") do
      known[name] = true
    end
    local inside = false
    for line in io.lines("lua/meta/thread.lua") do
      local class, field = line:match("^%-%-%-@class ([%w_.]+)"), line:match("^%-%-%-@field ([%w_]+)")
      if class or line == "" then inside = class == "tidemill.thread_options" end
      if inside and field then fields[field] = true end
    end
    assert.same(known, fields)
  end)

  it("are Lua", function()
    local files = assert(tm.fs.glob("lua/meta/*.lua"))
    assert.is_true(#files > 10)
    for _, file in ipairs(files) do assert(loadfile(file)) end
  end)
end)
