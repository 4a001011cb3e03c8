local tm = require "tidemill"
local helper = require "helper"
local LIMIT, MOMENT = helper.LIMIT, helper.MOMENT

local folder

local function sh(command, ...) assert(os.execute(("cd %s && "):format(folder) .. command:format(...))) end

--- A path in this test's folder.
local function at(name) return folder .. "/" .. name end

local function write(name, text)
  local file <close> = assert(io.open(at(name), "wb"))
  assert(file:write(text))
end

--- The error of tm.fs.read, which must fail.
local function failure(...)
  local text, err = tm.fs.read(...)
  assert.is_nil(text)
  assert.equal("table", type(err))
  return err
end

before_each(function()
  local pipe <close> = assert(io.popen("mktemp -d"))
  folder = pipe:read("l")
end)

after_each(function()
  helper.settle()
  os.execute("rm -rf " .. folder)
end)

describe("fs.read", function()
  it("gives a file as a string", function()
    for _, size in ipairs { 0, 1, 4095, 4096, 16384, 16385, 3000001 } do
      local text = ("0123456789\0\n\r\xff"):rep(size // 14 + 1):sub(1, size)
      write("f", text)
      assert.is_true(tm.fs.read(at "f") == text)
    end
  end)

  it("reads files that do not know their size", function()
    assert.truthy(tm.fs.read("/proc/self/maps"):find("tidemill", 1, true))
    assert.equal("", tm.fs.read("/dev/null"))
  end)

  it("follows links", function()
    write("f", "text")
    sh("ln -s f l && ln -s nosuch gone && ln -s loop loop")
    assert.equal("text", tm.fs.read(at "l"))
    assert.equal("not_found", failure(at "gone").kind)
    assert.equal("io", failure(at "loop").kind)
  end)

  it("says what is wrong", function()
    local err = failure(at "x.txt")
    assert.same({ kind = "not_found", errno = 2, path = at "x.txt",
      message = ("cannot read '%s': No such file or directory"):format(at "x.txt") },
      { kind = err.kind, errno = err.errno, path = err.path, message = err.message })
    assert.equal(err.message, tostring(err))
    assert.equal("is_directory", failure(folder).kind)
    write("f", "")
    assert.equal("not_directory", failure(at "f/x").kind)
    assert.equal("not_found", failure("").kind)
    assert.equal("io", failure(("x"):rep(5000)).kind)
    assert.equal("io", failure("/proc/self/mem").kind)
  end)

  it("says that it may not", function()
    write("shut", "")
    sh("chmod 0 shut")
    local path = at "shut"
    if io.open(path) then path = "/proc/sys/vm/compact_memory" end -- for root that one is open
    if select(3, io.open(path)) ~= 13 then pending("nothing here is closed to root") return end
    assert.equal("permission", failure(path).kind)
  end)

  it("refuses what is larger than allowed", function()
    write("f", "12345")
    assert.equal("12345", tm.fs.read(at "f", { max_size = 5 }))
    local err = failure(at "f", { max_size = 4 })
    assert.equal("too_large", err.kind)
    assert.equal(("cannot read '%s': it has more than 4 bytes"):format(at "f"), err.message)
    assert.equal("too_large", failure("/dev/zero", { max_size = 100000 }).kind)
    sh("truncate -s 1T sparse")
    assert.equal("too_large", failure(at "sparse").kind)
    write("empty", "")
    assert.equal("", tm.fs.read(at "empty", { max_size = 0 }))
  end)

  it("takes a path and options", function()
    assert.has_error(function() tm.fs.read() end, "bad argument #1 to 'read' (string expected, got no value)")
    assert.has_error(function() tm.fs.read(1) end, "bad argument #1 to 'read' (string expected, got number)")
    assert.has_error(function() tm.fs.read("a\0b") end, "bad argument #1 to 'read' (path has a zero byte in it)")
    assert.has_error(function() tm.fs.read("a", 1) end)
    assert.has_error(function() tm.fs.read("a", { max = 1 }) end,
      "bad argument #2 to 'read' (unknown option 'max' (known: max_size))")
    assert.has_error(function() tm.fs.read("a", { max_size = -1 }) end)
    assert.has_error(function() tm.fs.read("a", { max_size = "1" }) end)
  end)

  it("reads a thousand files at once", function()
    for i = 1, 100 do write("f" .. i, ("x"):rep(i * 100)) end
    local pool, futures = helper.pool { max_workers = 1000 }, {}
    local read = tm.fs.read
    for i = 1, 1000 do futures[i] = pool:submit(function(path) return #read(path) end, at("f" .. (i - 1) % 100 + 1)) end
    for i, f in ipairs(futures) do assert.equal(((i - 1) % 100 + 1) * 100, f:result(LIMIT)) end
  end)

  it("leaves no file open", function()
    write("f", "text")
    sh("mkfifo fifo")
    local function open() return #tm.fs.glob "/proc/self/fd/*" end
    tm.fs.read(at "f")
    local before = open()
    for _ = 1, 20 do
      tm.fs.read(at "f")
      tm.fs.read(at "f", { max_size = 1 })
      tm.fs.read(folder)
      pcall(tm.timeout, 0.001, tm.fs.read, at "fifo")
    end
    helper.eventually(function() return open() == before end)
  end)

  it("waits where Lua cannot yield, too", function()
    write("f", "b")
    assert.equal("abc", (("axc"):gsub("x", function() return tm.fs.read(at "f") end)))
    local co = coroutine.wrap(function() coroutine.yield(tm.fs.read(at "f")) end)
    assert.equal("b", co())
  end)

  it("cannot wait in a finalizer", function()
    local ok, why
    setmetatable({}, { __gc = function() ok, why = pcall(tm.fs.read, "/dev/null") end })
    collectgarbage()
    collectgarbage()
    assert.is_false(ok)
    assert.truthy(why:find("cannot wait inside a __gc finalizer", 1, true))
  end)

  it("travels inside of its table", function()
    write("f", "text")
    local fs = tm.fs
    assert.equal("text", tm.submit(function(path) return fs.read(path) end, at "f"):result(LIMIT))
    local err = select(2, tm.submit(function(path) return fs.read(path) end, at "nosuch"):result(LIMIT))
    assert.equal("not_found", err.kind)
    assert.equal(err.message, tostring(err))
  end)
end)

describe("fs.read of a FIFO", function()
  before_each(function() sh("mkfifo fifo") end)

  it("reads what comes until the writer closes it", function()
    sh("(printf one; sleep 0.05; printf two) > fifo &")
    assert.equal("onetwo", tm.fs.read(at "fifo"))
  end)

  it("ends at once where the task is cancelled or its time is over", function()
    local pool, began, path = helper.pool(), tm.event(), at "fifo"
    local futures = {}
    for i = 1, 10 do -- more than there are threads for it
      futures[i] = pool:submit(function()
        if i == 10 then began:set() end
        return tm.fs.read(path)
      end)
    end
    began:wait(LIMIT)
    tm.sleep(MOMENT)
    local before = tm.monotonic()
    for _, f in ipairs(futures) do
      assert.is_false(f:done())
      f:cancel()
    end
    for _, f in ipairs(futures) do assert.equal("cancelled", helper.kind(f.result, f, LIMIT)) end
    assert.is_true(tm.monotonic() - before < 1)
    before = tm.monotonic()
    assert.equal("timeout", helper.kind(tm.timeout, MOMENT, tm.fs.read, path))
    assert.is_true(tm.monotonic() - before < 1)
    write("f", "still reads")
    assert.equal("still reads", tm.fs.read(at "f"))
  end)
end)

describe("fs.glob", function()
  local function glob(pattern, options)
    local paths, problems = tm.fs.glob(folder .. "/" .. pattern, options)
    assert.is_nil(problems)
    for i, path in ipairs(paths) do paths[i] = path:sub(#folder + 2) end
    return table.concat(paths, " ")
  end

  before_each(function()
    sh("mkdir -p d/f d/.i k && touch a.c b.c .h.c d/e.c d/f/g.c d/.i/j.c k/l.h && ln -s .. d/up && ln -s nosuch gone")
  end)

  it("finds what matches, sorted by bytes", function()
    assert.equal("a.c b.c", glob "*.c")
    assert.equal("a.c b.c d/e.c d/f/g.c", glob "**/*.c")
    assert.equal("a.c d/e.c d/f/g.c k/l.h", glob "{a,**/[c-l]}.{c,h}")
    assert.equal("d/ k/", glob "*/")
    assert.equal("gone", glob "g???")
    assert.equal("", glob "*.x")
    sh("rm -r * && touch B a Z _ ä")
    assert.equal("B Z _ a ä", glob "?")
  end)

  it("finds hidden ones when asked", function()
    assert.equal(".h.c a.c b.c", glob("*.c", { hidden = true }))
    assert.equal("d/.i/j.c d/e.c d/f/g.c", glob("d/**/*.c", { hidden = true }))
    assert.equal(".h.c", glob ".*")
  end)

  it("goes through a link only where one is named", function()
    assert.equal("d/up/a.c d/up/b.c", glob "d/up/*.c")
    assert.equal("d/up/a.c d/up/b.c", glob "*/*/*.c":gsub("d/f/g.c ", ""))
    assert.equal("a.c b.c d/e.c d/f/g.c", glob "**/*.c")
  end)

  it("starts from the folder of the process", function()
    local function run(...)
      local pipe <close> = assert(io.popen(("cd %s && %s -e '%s'"):format(folder, os.getenv "TIDEMILL", ...)))
      return pipe:read("a")
    end
    assert.equal("a.c b.c\n", run [[print(table.concat(require "tidemill".fs.glob "*.c", " "))]])
    assert.equal("./k/l.h\n", run [[print(table.concat(require "tidemill".fs.glob "./**/*.h", " "))]])
  end)

  it("tells of folders that it could not look into", function()
    local deep = (("n"):rep(200) .. "/"):rep(15)
    sh("mkdir -p %s && mkdir -p %s && mv m* %s", deep, deep:gsub("n", "m"), deep)
    local paths, problems = tm.fs.glob(folder .. "/{n*/**,*.c}")
    assert.is_true(#paths > 15)
    assert.equal(1, #problems)
    assert.equal("io", problems[1].kind)
    assert.equal(36, problems[1].errno)
    assert.equal(("cannot look into '%s': File name too long"):format(problems[1].path), tostring(problems[1]))
  end)

  it("takes a pattern and options", function()
    assert.has_error(function() tm.fs.glob() end, "bad argument #1 to 'glob' (string expected, got no value)")
    assert.has_error(function() tm.fs.glob("a\0b") end, "bad argument #1 to 'glob' (path has a zero byte in it)")
    assert.has_error(function() tm.fs.glob("a", { hiden = true }) end,
      "bad argument #2 to 'glob' (unknown option 'hiden' (known: hidden))")
    assert.has_error(function() tm.fs.glob("a", { hidden = 1 }) end)
    assert.has_error(function() tm.fs.glob(("{a,b}"):rep(10)) end, "bad argument #1 to 'glob' (pattern is longer than "
      .. "4095 bytes, or braces in it stand for more than 1000 patterns)")
    assert.same({}, (tm.fs.glob "nosuch/**/*.c"))
    assert.same({}, (tm.fs.glob ""))
    assert.same({ "/" }, (tm.fs.glob "/"))
  end)

  it("can be cancelled", function()
    local before = tm.monotonic()
    assert.equal("timeout", helper.kind(tm.timeout, 0.002, tm.fs.glob, "/**/nosuch/../x", { hidden = true }))
    assert.is_true(tm.monotonic() - before < 1)
  end)
end)
