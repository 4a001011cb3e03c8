-- Threads: names, start and join, failures, classes. What of CPython's has no counterpart here:
-- - stack_size, get_native_id: a thread is no thread of the system, and has no stack of its own.
-- - join(negative): ★ one rule for time arguments, a negative one raises.
-- - daemon threads are cut without clean-up: ★ they are cancelled, and close what they have (tests/cli/threads.sh).
-- - the exit code after a failure: ★ it is 1 (tests/cli/threads.sh).
-- - ids reused: they are not, over the whole run.

local tm = require "tidemill"
local helper = require "helper"
local raised, kind = helper.raised, helper.kind

--- A thread that waits for `go`, and has begun.
local function busy(go, options)
  options = options or {}
  local began, limit = tm.event(), helper.LIMIT
  options.target = function(...)
    began:set()
    go:wait(limit)
    return ...
  end
  local t = tm.thread(options):start()
  assert(began:wait(limit))
  return t
end

describe("thread", function()
  local failures
  before_each(function()
    failures = {}
    tm.thread.set_excepthook(function(e) failures[#failures + 1] = e end)
  end)
  after_each(function()
    tm.thread.set_excepthook(nil)
    helper.eventually(function() return tm.thread.active_count() == 1 end) -- none is left behind
  end)

  describe("tm.thread", function()
    it("makes a thread that is not started", function()
      local t = tm.thread { target = print }
      assert.is_false(t:is_alive())
      assert.is_nil(t.id)
      assert.is_false(t.daemon)
      assert.matches("^Thread%-%d+ %(print%)$", t.name)
      assert.matches("^thread 'Thread%-%d+ %(print%)' %(not started%)$", tostring(t))
      assert.equal(1, tm.thread.active_count())
    end)

    it("names it after the function, with the next number", function()
      local function fetch() end
      local a, b = tm.thread { target = fetch }, tm.thread { target = fetch }
      local n = tonumber(a.name:match("^Thread%-(%d+) %(fetch%)$"))
      assert.equal(("Thread-%d (fetch)"):format(n + 1), b.name)
      assert.matches("^Thread%-%d+ %(function at .*thread_spec.lua:%d+%)$", tm.thread { target = function() end }.name)
      assert.equal("mine", tm.thread { target = fetch, name = "mine" }.name)
    end)

    it("hands over args as positions and kwargs as a last table", function()
      local function back(...) return select("#", ...), ... end
      local function call(options)
        options.target = back
        return table.pack(tm.thread(options):start():result())
      end
      assert.same({ 0, n = 1 }, call {})
      assert.same({ 2, 1, "two", n = 3 }, call { args = { 1, "two" } })
      assert.same({ 3, nil, 2, nil, n = 4 }, call { args = { nil, 2, nil, n = 3 } })
      assert.same({ 2, 1, { x = 5 }, n = 3 }, call { args = { 1 }, kwargs = { x = 5 } })
      assert.same({ 1, {}, n = 2 }, call { kwargs = {} })
    end)

    it("copies the arguments when it is made", function()
      local list = { 1 }
      local t = tm.thread { target = function(l) return #l end, args = { list } }
      list[2] = 2
      assert.equal(1, (t:start():result()))
    end)

    it("refuses wrong options", function()
      assert.matches("unknown option 'func'", raised(tm.thread, { func = print }))
      assert.matches("option 'target': a function expected", raised(tm.thread, {}))
      assert.matches("option 'target': a function expected", raised(tm.thread, { target = 5 }))
      assert.matches("option 'args': a table expected", raised(tm.thread, { target = print, args = 5 }))
      assert.matches("option 'args': its field n", raised(tm.thread, { target = print, args = { n = -1 } }))
      assert.matches("option 'args': its field n", raised(tm.thread, { target = print, args = { n = "x" } }))
      assert.matches("option 'kwargs': a table expected", raised(tm.thread, { target = print, kwargs = "x" }))
      assert.matches("option 'name': a string expected", raised(tm.thread, { target = print, name = {} }))
      assert.matches("option 'daemon': true or false expected", raised(tm.thread, { target = print, daemon = 1 }))
      assert.matches("table", raised(tm.thread, print))
      assert.matches("a table of options expected", raised(tm.thread))
      assert.matches("cannot send", raised(tm.thread, { target = print, args = { coroutine.create(print) } }))
    end)
  end)

  describe("start", function()
    it("gives the thread, alive, with an id", function()
      local go = tm.event()
      local t = busy(go)
      assert.is_true(t:is_alive())
      assert.equal("integer", math.type(t.id))
      assert.matches("%(running%)$", tostring(t))
      go:set()
      assert.is_true(t:join())
      assert.is_false(t:is_alive())
      assert.matches("%(done%)$", tostring(t))
    end)

    it("raises when called twice", function()
      local t = tm.thread { target = function() end, name = "twice" }:start()
      assert.matches("cannot start thread 'twice': it was started before", raised(t.start, t))
      t:join()
      assert.matches("it was started before", raised(t.start, t))
    end)

    it("needs no slot and no worker of its own", function()
      local go, began = tm.event(), tm.counter()
      local list = {}
      for i = 1, 500 do
        list[i] = tm.spawn(function()
          began:add()
          go:wait()
        end)
      end
      helper.eventually(function() return began:get() == 500 end)
      assert.equal(501, tm.thread.active_count())
      go:set()
      for _, t in ipairs(list) do assert.is_true(t:join(helper.LIMIT)) end
      assert.equal(1, tm.thread.active_count())
    end)

    it("works from another state than the maker's", function()
      local t = tm.thread { target = function(x) return x + 1 end, args = { 1 }, name = "sent" }
      assert.equal("sent", (tm.submit(function()
        t:start()
        return t.name
      end):result()))
      assert.equal(2, (t:result()))
    end)
  end)

  describe("join", function()
    it("raises before the start", function()
      local t = tm.thread { target = print, name = "new" }
      assert.matches("cannot join thread 'new': it was not started; call start", raised(t.join, t))
      assert.matches("it was not started", raised(t.result, t))
      assert.matches("it was not started", raised(t.error, t))
    end)

    it("raises where a thread would join itself", function()
      local _, e = tm.spawn(function()
        local me = tm.thread.current()
        return pcall(me.join, me, 1)
      end):result()
      assert.matches("it is the one that runs", e)
    end)

    it("may be repeated, by several", function()
      local go = tm.event()
      local t = busy(go)
      local function join() return t:join() end
      local others = { tm.spawn(join), tm.spawn(join) }
      go:set()
      assert.is_true(t:join())
      assert.is_true(t:join())
      for _, other in ipairs(others) do assert.is_true((other:result())) end
    end)

    it("gives false when the time is over, and true at once where it ended", function()
      local go = tm.event()
      local t = busy(go)
      assert.is_false(t:join(0))
      assert.is_false(t:join(helper.MOMENT))
      assert.is_true(t:is_alive())
      go:set()
      assert.is_true(t:join(helper.LIMIT))
      assert.is_true(t:join(0))
    end)

    it("refuses wrong time limits", function()
      local t = tm.spawn(function() end)
      assert.matches("negative", raised(t.join, t, -1))
      assert.matches("NaN", raised(t.join, t, 0 / 0))
      assert.matches("number expected", raised(t.join, t, "soon"))
      t:join()
    end)

    it("does not raise the thread's failure", function()
      local t = tm.spawn(function() error("boom") end)
      assert.is_true(t:join())
      assert.matches("boom", t:error())
    end)

    it("closing a circle raises, and spells it out", function()
      local go = tm.event()
      local a = tm.thread { name = "a", target = function(name)
        go:wait()
        for _, t in ipairs(tm.thread.enumerate()) do
          if t.name == name then return pcall(t.join, t) end
        end
      end, args = { "b" } }:start()
      local b = tm.thread { name = "b", target = function() return pcall(a.join, a) end }:start()
      go:set()
      local a_ok, a_said = a:result()
      local b_ok, b_said = b:result()
      assert.is_true(a_ok ~= b_ok) -- the one that closed it was told, the other went on
      assert.matches("deadlock: '[ab]' waits for the end of thread '[ab]', which waits for the end of thread '[ab]'",
        a_ok and b_said or a_said)
    end)

    it("lends the slot of an executor's task", function()
      local pool = helper.pool { max_workers = 1 }
      local outer = pool:submit(function()
        return tm.spawn(function(p) return p:submit(function() return "inner" end):result() end, pool):result()
      end)
      assert.equal("inner", (outer:result(helper.LIMIT)))
    end)

    it("is interrupted by a cancellation and by tm.timeout", function()
      local go = tm.event()
      local t = busy(go)
      assert.equal("timeout", kind(tm.timeout, helper.MOMENT, t.join, t))
      local joiner = tm.spawn(function() t:join() end)
      tm.sleep(helper.MOMENT)
      assert.is_true(joiner:cancel())
      assert.is_true(joiner:join())
      assert.is_true(t:is_alive())
      go:set()
      assert.is_true(t:join())
    end)
  end)

  describe("result and error", function()
    it("give what the function returned", function()
      local t = tm.spawn(function(...) return ... end, 1, nil, "x", nil)
      assert.same({ 1, nil, "x", nil, n = 4 }, table.pack(t:result()))
      assert.is_nil(t:error())
      assert.is_nil(t:traceback())
      local table_of = tm.spawn(function() return {} end)
      assert.equal((table_of:result()), (table_of:result()))
    end)

    it("raise the failure as it was raised", function()
      local t = tm.thread { target = function() error({ code = 7 }) end }:ignore():start()
      assert.equal(7, raised(t.result, t).code)
      assert.equal(7, t:error().code)
      assert.matches("stack traceback", t:traceback())
    end)

    it("raise when the time is over, and the thread goes on", function()
      local go = tm.event()
      local t = busy(go)
      assert.equal("timeout", kind(t.result, t, 0))
      assert.equal("timeout", kind(t.error, t, helper.MOMENT))
      go:set()
      t:result(helper.LIMIT)
    end)
  end)

  describe("cancel", function()
    it("before the start: it never starts", function()
      local t = tm.thread { target = print, args = { "never" }, name = "x" }
      assert.is_true(t:cancel())
      assert.matches("it was cancelled before its start", raised(t.start, t))
      assert.is_true(t:join())
      assert.equal("cancelled", kind(t.result, t))
    end)

    it("ends a waiting one, with its <close> variables", function()
      local closed, began = tm.event(), tm.event()
      local t = tm.spawn(function()
        local x <close> = setmetatable({}, { __close = function() closed:set() end }) -- luacheck: ignore
        began:set()
        tm.event():wait(helper.LIMIT)
      end)
      began:wait()
      assert.is_true(t:cancel())
      assert.is_true(t:join())
      assert.is_true(closed:is_set())
      assert.equal("cancelled", kind(t.result, t))
      assert.equal("cancelled", kind(t.error, t))
      assert.matches("%(cancelled%)$", tostring(t))
      assert.equal(0, #failures)
    end)

    it("ends one that computes", function()
      local t = tm.spawn(function() while true do end end)
      tm.sleep(helper.MOMENT)
      t:cancel()
      assert.is_true(t:join(helper.LIMIT))
    end)

    it("does nothing to one that ended", function()
      local t = tm.spawn(function() return 1 end)
      t:join()
      assert.is_false(t:cancel())
      assert.equal(1, (t:result()))
    end)
  end)

  describe("name, daemon, id", function()
    it("can be set before the start only, and are checked", function()
      local t = tm.thread { target = function() return tm.thread.current().name, tm.thread.current().daemon end }
      t.name, t.daemon = "renamed", true
      assert.matches("a string expected", raised(function() t.name = 5 end))
      assert.matches("true or false expected", raised(function() t.daemon = "yes" end))
      t:start()
      assert.same({ "renamed", true }, { t:result() })
      assert.matches("cannot set the daemon flag of thread 'renamed': it has been started",
        raised(function() t.daemon = false end))
      assert.matches("cannot set the name of thread 'renamed'", raised(function() t.name = "again" end))
      assert.matches("cannot set the id", raised(function() t.id = 5 end))
      assert.matches("has no field 'color'", raised(function() t.color = 1 end))
      assert.is_nil(t.color)
    end)

    it("daemon is inherited from the thread that makes it", function()
      local function child(options)
        options.target = function() end
        local t = tm.thread(options)
        return t.daemon, tm.spawn(function() return tm.thread.current().daemon end):result()
      end
      local function run(daemon, options)
        return { tm.thread { target = child, args = { options }, daemon = daemon }:start():result() }
      end
      assert.same({ true, true }, run(true, {}))
      assert.same({ false, false }, run(false, {}))
      assert.same({ false, true }, run(true, { daemon = false }))
      assert.is_false((tm.submit(function() return tm.thread { target = print }.daemon end):result()))
    end)
  end)

  describe("current", function()
    it("is the thread that runs, everywhere in it", function()
      local t = tm.thread { name = "me", target = function()
        local me = tm.thread.current()
        local nested = coroutine.wrap(function() return tm.thread.current() end)()
        local listed = tm.thread.enumerate()[2]
        return rawequal(me, nested), rawequal(me, tm.thread.current()), rawequal(me, listed), me.id
      end }:start()
      local nested, again, listed, id = t:result()
      assert.is_true(nested and again and listed)
      assert.equal(t.id, id)
    end)

    it("is main in the main chunk", function()
      local main = tm.thread.main()
      assert.is_true(rawequal(main, tm.thread.current()))
      assert.equal("main", main.name)
      assert.equal(1, main.id)
      assert.is_true(main:is_alive())
      assert.matches("cannot join 'main'", raised(main.join, main))
      assert.is_true((tm.submit(function() return tm.thread.main().name == "main" end):result()))
    end)

    it("stands for a task of an executor as long as it runs", function()
      local function task()
        local me = tm.thread.current()
        return me, rawequal(me, tm.thread.current()), me:is_alive(), pcall(me.join, me)
      end
      local pool = helper.pool()
      local f = pool:submit(task)
      local me, same, alive, ok, e = f:result()
      assert.is_true(same and alive)
      assert.is_false(ok)
      assert.matches("cannot join 'task .*': it is no thread but a task", e)
      assert.matches("^task ", me.name)
      helper.eventually(function() return not me:is_alive() end)
      assert.matches("%(ended%)$", tostring(me))
      assert.are_not.equal(me, (pool:submit(task):result()))
      for _, method in ipairs { "start", "result", "error", "cancel", "traceback", "ignore" } do
        assert.matches("use its future", raised(me[method], me))
      end
    end)

    it("stands for a callback", function()
      local name, done = nil, tm.event()
      tm.submit(function() end):on_done(function()
        name = tm.thread.current().name
        done:set()
      end)
      done:wait()
      assert.equal("callback of a future", name)
    end)
  end)

  it("enumerate and active_count have main and the started, unfinished ones", function()
    local go = tm.event()
    local unstarted = tm.thread { target = print }
    local a, d = busy(go, { name = "a" }), busy(go, { name = "d", daemon = true })
    local list = tm.thread.enumerate()
    assert.equal(3, #list)
    assert.is_true(rawequal(tm.thread.main(), list[1]) and rawequal(a, list[2]) and rawequal(d, list[3]))
    assert.equal(3, tm.thread.active_count())
    assert.is_true((tm.submit(function() return #tm.thread.enumerate() == 3 end):result()))
    go:set()
    a:join()
    d:join()
    assert.equal(1, tm.thread.active_count()) -- at once: it is gone before those who join are woken
    assert.equal(1, #tm.thread.enumerate())
    assert.is_false(unstarted:is_alive())
  end)

  describe("excepthook", function()
    it("is told of a failure, before join returns, in the state that set it", function()
      local function work() error({ code = 3 }) end
      local t = tm.thread { target = work, name = "bad" }:start()
      t:join()
      assert.equal(1, #failures)
      local e = failures[1]
      assert.equal(3, e.error.code)
      assert.matches("stack traceback.*thread_spec.lua", e.traceback)
      assert.is_true(rawequal(t, e.thread))
      assert.equal("bad", e.name)
    end)

    it("is not told where somebody waits for the outcome", function()
      local go = tm.event()
      local function fails()
        go:wait()
        error("boom")
      end
      local a, b = tm.spawn(fails), tm.spawn(fails)
      local asker = tm.spawn(function() return b:error() end)
      helper.eventually(function() return tm.thread.active_count() == 4 end)
      tm.sleep(helper.MOMENT)
      local opener = tm.spawn(function()
        tm.sleep(helper.MOMENT)
        go:set()
      end)
      assert.matches("boom", raised(a.result, a))
      assert.matches("boom", (asker:result()))
      opener:join()
      assert.equal(0, #failures)
    end)

    it("is told where the one who waited went away", function()
      local go = tm.event()
      local t = tm.spawn(function()
        go:wait()
        error("boom")
      end)
      assert.equal("timeout", kind(t.result, t, 0))
      assert.equal("timeout", kind(t.error, t, helper.MOMENT))
      go:set()
      t:join()
      assert.equal(1, #failures)
    end)

    it("is not told of cancelled and of ignored ones", function()
      local t = tm.thread { target = error, args = { "boom" } }
      assert.equal(t, t:ignore())
      t:start():join()
      assert.equal(0, #failures)
      assert.equal("boom", t:error())
    end)

    it("is told of each, one after the other, and may wait", function()
      local inside, most, seen = 0, 0, 0
      tm.thread.set_excepthook(function()
        inside = inside + 1
        most = math.max(most, inside)
        tm.sleep(0.001)
        inside, seen = inside - 1, seen + 1
      end)
      for _ = 1, 10 do tm.spawn(error, "boom") end
      helper.eventually(function() return seen == 10 end)
      assert.equal(1, most)
    end)

    it("can be set in a task, and travels nowhere", function()
      local seen = tm.counter()
      tm.spawn(function()
        tm.thread.set_excepthook(function() seen:add() end)
      end):join()
      tm.spawn(error, "boom"):join()
      helper.eventually(function() return seen:get() == 1 end)
    end)

    it("refuses what is no function", function()
      assert.matches("function expected", raised(tm.thread.set_excepthook, 5))
    end)
  end)

  describe("class", function()
    it("has instances whose fields come back at join", function()
      local FileProcessor = tm.thread.class("FileProcessor")
      function FileProcessor:init(path) self.path = path end
      function FileProcessor:run() self.lines = #self.path end
      local p = FileProcessor("x.txt")
      assert.is_nil(p.lines)
      assert.matches("^thread 'Thread%-%d+ %(FileProcessor%)' %(not started%)$", tostring(p))
      assert.equal(p, p:start())
      assert.is_true(p:join())
      assert.equal(5, p.lines)
      assert.is_false(p:is_alive())
    end)

    it("works on a copy until then", function()
      local go = tm.event()
      local Counter = tm.thread.class("Counter")
      function Counter:run()
        self.n = self.n + 1
        go:wait()
      end
      local c = Counter()
      c.n = 1
      c:start()
      c.n = 10
      assert.is_false(c:join(helper.MOMENT))
      assert.equal(10, c.n)
      go:set()
      assert.is_true(c:join())
      assert.equal(2, c.n)
      c.n = 7
      assert.is_true(c:join())
      assert.equal(7, c.n) -- once
    end)

    it("brings back tables, removed fields and itself", function()
      local C = tm.thread.class("C")
      function C:run()
        self.list[#self.list + 1] = "new"
        self.gone = nil
        self.me = self
        return "result", nil
      end
      local c = C()
      c.list, c.gone, c.kept = { "old" }, true, true
      assert.same({ "result", nil, n = 2 }, table.pack(c:start():result()))
      assert.same({ "old", "new" }, c.list)
      assert.is_nil(c.gone)
      assert.is_true(c.kept)
      assert.equal(c, c.me)
    end)

    it("has methods of its own, inherited ones, and those of a thread", function()
      local Base = tm.thread.class("Base")
      function Base:init(x) self.x = x end
      function Base:run() self.y = self:compute() end
      function Base.compute() return 1 end
      Base.__len = function() return 42 end
      local Child = tm.thread.class { name = "Child", extends = Base }
      function Child:compute() return Base.compute(self) + self.x end
      local c = Child(10)
      assert.equal(42, #c)
      c:start():join()
      assert.equal(11, c.y)
      assert.is_nil(c:error())
      assert.is_nil(c:traceback())
      assert.is_false(c:cancel())
    end)

    it("has name, daemon and id of the thread, on both sides", function()
      local C = tm.thread.class { name = "C", daemon = true }
      function C:run()
        return self.name, self.daemon, self.id, self:is_alive(), rawequal(tm.thread.current(), tm.thread.current()),
          pcall(self.join, self)
      end
      local c = C()
      c.name = "bee"
      assert.is_true(c.daemon)
      c.daemon = false
      c:start()
      local name, daemon, id, alive, _, ok, e = c:result()
      assert.same({ "bee", false, c.id, true, false }, { name, daemon, id, alive, ok })
      assert.matches("it is the one that runs", e)
      assert.matches("it has been started", raised(function() c.daemon = true end))
      assert.matches("choose another name", raised(function() c.id = 1 end))
      assert.is_nil(rawget(c, "name"))
    end)

    it("fails as threads do", function()
      local C = tm.thread.class("C")
      function C:run()
        self.x = 1
        error("boom")
      end
      local c = C():start()
      assert.is_true(c:join())
      assert.equal(1, #failures)
      assert.matches("boom", raised(c.result, c))
      assert.is_nil(c.x) -- fields come back from a run that ended well
    end)

    it("refuses what cannot be sent, naming the path", function()
      local C = tm.thread.class("C")
      function C:run() self.back = coroutine.create(print) end
      local c = C()
      c.conn = { file = io.tmpfile() }
      assert.matches("cannot send field 'conn.file'", raised(c.start, c))
      c.conn = nil
      c:start()
      c:join()
      assert.matches("cannot send field 'back'", tostring(c:error()))
    end)

    it("refuses wrong use", function()
      local C = tm.thread.class("C")
      local c = C()
      assert.matches("its class has no method 'run'", raised(c.start, c))
      assert.matches("it was not started", raised(c.join, c))
      assert.matches("unknown option 'base'", raised(tm.thread.class, { base = C }))
      assert.matches("option 'name': a string expected", raised(tm.thread.class, { name = 5 }))
      assert.matches("option 'extends': a class of tm.thread.class", raised(tm.thread.class, { extends = {} }))
      assert.matches("name or table of options", raised(tm.thread.class, 5))
      function C.run() end
      assert.matches("a copy of an instance", raised(function()
        tm.submit(function() c:join() end):result()
      end))
      assert.matches("tidemill.thread expected", raised(c.join, 5))
      c:start():join()
      assert.matches("it was started before", raised(c.start, c))
    end)
  end)
end)
