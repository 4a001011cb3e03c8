local tm = require "tidemill"
local helper = require "helper"
local LIMIT = helper.LIMIT

-- A mutation while one iterates raises in Python; here one iterates over items(), which is a copy.
-- Python's initial content is extend; count, index, reverse and copy are what a table of items() is for.

describe("deque", function()
  after_each(helper.settle)

  local function deque(items, maxlen)
    local d = tm.deque { maxlen = maxlen }
    d:extend(items)
    return d
  end

  it("takes and gives at both ends", function()
    local d = tm.deque()
    d:append(2)
    d:append(3)
    d:appendleft(1)
    assert.same({ 1, 2, 3 }, d:items())
    assert.equal(3, #d)
    assert.equal(3, d:peek())
    assert.equal(1, d:peekleft())
    assert.equal(3, d:pop())
    assert.equal(1, d:popleft())
    assert.equal(2, d:pop())
    assert.equal(0, #d)
  end)

  it("says that it is empty", function()
    local d = tm.deque()
    for _, method in ipairs { "pop", "popleft", "peek", "peekleft" } do
      assert.same({ nil, "empty" }, { d[method](d) })
    end
    assert.is_nil(d:get(1))
    assert.is_nil(d:remove(1))
    assert.same({}, d:items())
  end)

  it("extends by lists; extendleft turns them round", function()
    local d = deque { 1, 2 }
    d:extend { 3, 4 }
    d:extendleft { 0, -1 }
    d:extend {}
    assert.same({ -1, 0, 1, 2, 3, 4 }, d:items())
  end)

  it("with maxlen drops at the other end", function()
    local d = deque({ 1, 2, 3, 4, 5 }, 3) -- keeps the tail
    assert.same({ 3, 4, 5 }, d:items())
    assert.equal(3, d:maxlen())
    d:append(6)
    assert.same({ 4, 5, 6 }, d:items())
    d:appendleft(0)
    assert.same({ 0, 4, 5 }, d:items())
    d:extendleft { 1, 2, 3, 4 }
    assert.same({ 4, 3, 2 }, d:items())
    assert.is_nil(tm.deque():maxlen())
    assert.is_nil(tm.deque {}:maxlen())
  end)

  it("with maxlen 0 swallows all", function()
    local d = deque({ 1, 2 }, 0)
    d:append(3)
    d:appendleft(4)
    assert.equal(0, #d)
    assert.has_error(function() d:insert(1, 5) end)
  end)

  it("refuses what is no maxlen", function()
    assert.has_error(function() tm.deque { maxlen = -1 } end)
    assert.has_error(function() tm.deque { maxlen = 1.5 } end)
    assert.has_error(function() tm.deque { maxlen = "3" } end)
    assert.has_error(function() tm.deque { maxsize = 3 } end)
    assert.has_error(function() tm.deque(3) end)
  end)

  it("inserts and removes at an index", function()
    local d = deque { 1, 2, 3 }
    d:insert(2, "a")
    d:insert(-1, "b")
    d:insert(100, "c")
    d:insert(-100, "d")
    assert.same({ "d", 1, "a", 2, "b", 3, "c" }, d:items())
    assert.equal("a", d:get(3))
    assert.equal("c", d:get(-1))
    assert.is_nil(d:get(8))
    assert.is_nil(d:get(-8))
    assert.equal("a", d:remove(3))
    assert.equal("c", d:remove(-1))
    assert.is_nil(d:remove(99))
    assert.same({ "d", 1, 2, "b", 3 }, d:items())
    for _, method in ipairs { "get", "remove", "insert" } do
      assert.has_error(function() d[method](d, 0, 1) end)
      assert.has_error(function() d[method](d, "x", 1) end)
    end
  end)

  it("insert raises where it is full", function()
    local d = deque({ 1, 2 }, 2)
    local e = helper.raised(d.insert, d, 1, 0)
    assert.truthy(tostring(e):find("full deque (maxlen 2)", 1, true))
    assert.same({ 1, 2 }, d:items())
  end)

  it("rotates", function()
    local d = deque { 1, 2, 3, 4, 5 }
    d:rotate()
    assert.same({ 5, 1, 2, 3, 4 }, d:items())
    d:rotate(-2)
    assert.same({ 2, 3, 4, 5, 1 }, d:items())
    d:rotate(7)
    assert.same({ 5, 1, 2, 3, 4 }, d:items())
    tm.deque():rotate(3)
  end)

  it("clears", function()
    local d = deque { 1, 2 }
    d:clear()
    assert.equal(0, #d)
    d:append(3)
    assert.same({ 3 }, d:items())
  end)

  it("holds what can be sent, false too, nil not", function()
    local event = tm.event()
    local d = deque { false, "x", 1.0, { 1, { 2 } }, event }
    d:append(d)
    assert.is_false(d:get(1))
    assert.equal("float", math.type(d:get(3)))
    assert.same({ 1, { 2 } }, d:get(4))
    assert.is_false(rawequal(d:get(4), d:get(4))) -- a copy each time
    assert.is_true(rawequal(event, d:get(5)))
    assert.is_true(rawequal(d, d:get(6)))
    assert.has_error(function() d:append(nil) end)
    assert.has_error(function() d:insert(1, nil) end)
    assert.has_error(function() d:extend { 1, coroutine.create(print) } end)
    assert.has_error(function() d:extend(1) end)
    assert.equal(6, #d)
  end)

  it("items is a copy, so one may change the deque meanwhile", function()
    local d = deque { 1, 2, 3 }
    for _, item in ipairs(d:items()) do d:append(item * 10) end
    assert.same({ 1, 2, 3, 10, 20, 30 }, d:items())
  end)

  it("is atomic between tasks", function()
    local pool, d, sum = helper.pool(), tm.deque(), tm.counter()
    local futures = {}
    for k = 1, 4 do
      futures[k] = pool:submit(function()
        for i = 1, 3000 do
          if i % 2 == 0 then d:append(i) else d:appendleft(i) end
          if i % 3 == 0 then sum:add(d:pop() or 0) end
          if i % 7 == 0 then sum:add(d:popleft() or 0) end
        end
      end)
    end
    for k = 1, 4 do futures[k]:result(LIMIT) end
    for _, item in ipairs(d:items()) do sum:add(item) end
    assert.equal(4 * 3000 * 3001 // 2, sum:get())
  end)

  it("is the same object wherever it arrives", function()
    local d = tm.deque { maxlen = 4 }
    d:append(1)
    assert.is_true(rawequal(d, (tm.submit(function(x) return x end, d):result(LIMIT))))
    assert.equal("deque (1 of 4 inside)", tostring(d))
    assert.equal("deque (0 inside)", tostring(tm.deque()))
    assert.has_error(function() d.append(tm.queue(), 1) end)
  end)
end)
