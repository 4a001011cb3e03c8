local tm = require "tidemill"
local helper = require "helper"
local LIMIT = helper.LIMIT
-- for tasks: they would take the environment of busted along
local error, setmetatable, tostring, require, pcall, xpcall = error, setmetatable, tostring, require, pcall, xpcall
local load, select, coroutine, table, string = load, select, coroutine, table, string

--- A function that computes until the event is set, and never waits.
local function spin(stop)
  local n = 0
  while not stop:is_set() do n = n + 1 end
  return n
end

describe("tasks that compute", function()
  after_each(helper.settle)

  it("share their workers: more of them than there are workers all get on", function()
    local pool, stop, list, turns = helper.pool { max_workers = 12 }, tm.event(), {}, {}
    for i = 1, 12 do
      turns[i] = tm.counter()
      local mine = turns[i]
      list[i] = pool:submit(function()
        while not stop:is_set() do mine:add() end
      end)
    end
    helper.eventually(function()
      for i = 1, 12 do if turns[i]:get() == 0 then return false end end
      return true
    end)
    stop:set()
    tm.gather(list, LIMIT)
  end)

  it("leave others to their timers", function()
    local pool, stop, list = helper.pool { max_workers = 8 }, tm.event(), {}
    for i = 1, 7 do list[i] = pool:submit(spin, stop) end
    local ticks = pool:submit(function()
      local before = tm.monotonic()
      for _ = 1, 20 do tm.sleep(0.005) end
      return tm.monotonic() - before
    end):result(LIMIT)
    stop:set()
    tm.gather(list, LIMIT)
    assert.is_true(ticks >= 0.1)
    assert.is_true(ticks < 5) -- 0.1 where the machine has nothing else to do
  end)

  it("in main leave room for callbacks", function()
    local fired, f = false, tm.submit(function() end)
    f:result(LIMIT)
    f:on_done(function() fired = true end)
    local stop = tm.monotonic() + LIMIT
    while not fired and tm.monotonic() < stop do end
    assert.is_true(fired)
  end)

  it("inside coroutines share too, and the coroutines notice nothing", function()
    local pool, stop = helper.pool { max_workers = 8 }, tm.event()
    local spinners = {}
    for i = 1, 4 do spinners[i] = pool:submit(spin, stop) end
    local list = {}
    for i = 1, 4 do
      list[i] = pool:submit(function(n)
        local generator = coroutine.wrap(function()
          for k = 1, n do
            local inner = coroutine.wrap(function()
              local sum = 0
              for j = 1, 2000 do sum = sum + j end
              coroutine.yield(sum + k)
            end)
            coroutine.yield(inner())
          end
        end)
        local seen = 0
        for x in generator do
          seen = seen + 1
          if x ~= 2001000 + seen then error("out of order") end
        end
        return seen
      end, 300)
    end
    for _, seen in ipairs(tm.gather(list, LIMIT)) do assert.equal(300, seen) end
    stop:set()
    tm.gather(spinners, LIMIT)
  end)
end)

describe("a wait", function()
  after_each(helper.settle)

  --- Runs the function as a task beside another that must get on while it waits, and in main.
  local function everywhere(fn)
    local pool = helper.pool()
    assert.equal("fine", pool:submit(fn):result(LIMIT))
    assert.equal("fine", fn())
  end

  it("works in a coroutine", function()
    everywhere(function()
      local co = coroutine.create(function(a)
        tm.sleep(0.001)
        local b = coroutine.yield(a + 1)
        tm.sleep(0.001)
        return b
      end)
      local _, a = coroutine.resume(co, 1)
      if a ~= 2 or coroutine.status(co) ~= "suspended" then error("lost") end
      return select(2, coroutine.resume(co, "fine"))
    end)
  end)

  it("works in coroutine.wrap, as an iterator", function()
    everywhere(function()
      local sum = 0
      for i in coroutine.wrap(function()
        for i = 1, 5 do
          tm.sleep(0.0005)
          coroutine.yield(i)
        end
      end) do
        tm.sleep(0.0005)
        sum = sum + i
      end
      return sum == 15 and "fine"
    end)
  end)

  it("works in a comparator of table.sort", function()
    everywhere(function()
      local list = { 5, 3, 8, 1 }
      table.sort(list, function(a, b)
        tm.sleep(0.0005)
        return a < b
      end)
      return table.concat(list, " ") == "1 3 5 8" and "fine"
    end)
  end)

  it("works in a callback of string.gsub", function()
    everywhere(function()
      return (string.gsub("fine", "%a", function(c)
        tm.sleep(0.0005)
        return c
      end))
    end)
  end)

  it("works in a comparator inside a coroutine", function()
    everywhere(function()
      return coroutine.wrap(function()
        local list = { "i", "n", "f", "e" }
        local rank = { f = 1, i = 2, n = 3, e = 4 }
        table.sort(list, function(a, b)
          tm.sleep(0.0005)
          return rank[a] < rank[b]
        end)
        coroutine.yield(table.concat(list))
      end)()
    end)
  end)

  it("works in metamethods", function()
    everywhere(function()
      local function slow(value)
        return function()
          tm.sleep(0.0005)
          return value
        end
      end
      local t = setmetatable({}, {
        __index = slow(1), __newindex = slow(nil), __call = slow(2), __add = slow(3), __concat = slow("x"),
        __eq = slow(true), __lt = slow(true), __le = slow(true), __len = slow(7), __unm = slow(4),
      })
      local u = {}
      t.x = 5
      local same = t < t and t <= t
      return t.x == 1 and t() == 2 and t + u == 3 and t .. u == "x" and same and #t == 7 and -t == 4 and "fine"
    end)
  end)

  it("works in __close, at the end of a block and on the way of an error", function()
    everywhere(function()
      local n = 0
      local function closing()
        return setmetatable({}, { __close = function()
          tm.sleep(0.0005)
          n = n + 1
        end })
      end
      do local _ <close> = closing() end
      pcall(function()
        local _ <close> = closing()
        error("x")
      end)
      return n == 2 and "fine"
    end)
  end)

  it("works in __tostring, for tostring and print", function()
    everywhere(function()
      local t = setmetatable({}, { __tostring = function()
        tm.sleep(0.0005)
        return "fine"
      end })
      return tostring(t)
    end)
  end)

  it("works in an iterator of a for loop, in pcall and xpcall", function()
    everywhere(function()
      local n = 0
      for _ in function()
        tm.sleep(0.0005)
        n = n + 1
        return n < 4 or nil
      end do end
      local ok, text = pcall(function()
        tm.sleep(0.0005)
        error("caught", 0)
      end)
      return n == 4 and not ok and text == "caught" and "fine"
    end)
  end)

  it("works in a message handler", function()
    everywhere(function()
      local _, text = xpcall(error, function()
        tm.sleep(0.0005)
        return "fine"
      end)
      return text
    end)
  end)

  it("works in a reader of load", function()
    everywhere(function()
      local parts, i = { "return ", "'fi", "ne'" }, 0
      return load(function()
        tm.sleep(0.0005)
        i = i + 1
        return parts[i]
      end)()
    end)
  end)

  it("works while a module is loaded, which others wait for", function()
    local dir = os.tmpname()
    os.remove(dir)
    local name = dir:match("[^/]*$")
    local path = dir .. ".lua"
    local file = assert(io.open(path, "w"))
    file:write [[
      local tm = require "tidemill"
      tm.sleep(0.02)
      return { loads = tm.counter(1) }
    ]]
    file:close()
    local before = package.path
    package.path = dir:match("^.*/") .. "?.lua;" .. package.path
    local pool, list = helper.pool(), {}
    for i = 1, 8 do
      list[i] = pool:submit(function()
        local m = require(name)
        return m.loads:get(), m == require(name)
      end)
    end
    for _, f in ipairs(list) do assert.same({ 1, true }, { f:result(LIMIT) }) end
    assert.equal(1, require(name).loads:get())
    package.path = before
    package.loaded[name] = nil
    os.remove(path)
  end)

  it("inside __gc is refused", function()
    local problem
    do
      setmetatable({}, { __gc = function()
        local ok, e = pcall(tm.sleep, 0)
        problem = not ok and e
      end })
    end
    collectgarbage()
    collectgarbage()
    assert.matches("cannot wait inside a __gc finalizer", problem)
  end)

  it("nested too deep where Lua cannot yield is refused, and nothing is lost", function()
    local pool = helper.pool()
    local function nest(depth)
      local problem
      table.sort({ 2, 1 }, function(a, b)
        if not problem then
          local f = pool:submit(depth == 40 and tm.sleep or nest, depth == 40 and 0 or depth + 1)
          f:ignore() -- first: where the wait is refused, the task goes on and may be refused a wait itself
          problem = f:error() or f:result() or "none"
        end
        return a < b
      end)
      return problem
    end
    local told = pool:submit(nest, 1):result(LIMIT)
    assert.is_true(told == "none" or told:find("cannot wait here", 1, true) ~= nil, told)
    assert.equal(1, pool:submit(function() return 1 end):result(LIMIT))
  end)
end)
