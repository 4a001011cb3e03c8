-- Bodies that are read as they come, and bodies that go to files.

local helper = require "helper"
local tm = require "tidemill"
local web = require "http.web"

local http = tm.http

local function open(path, options)
  options = options or {}
  options.stream = true
  return assert(http.get(web.fault .. path, options))
end

describe("a stream", function()
  after_each(web.settle)

  it("gives the body piece by piece", function()
    local size = 0
    local res = open("/big?bytes=5000000")
    assert.is_nil(res.body)
    for piece in res:chunks() do size = size + #piece end
    assert.equal(5000000, size)
    assert.is_nil((res:read()))
  end)

  it("gives lines", function()
    local res, n = open("/lines?n=1000"), 0
    for line in res:lines() do
      n = n + 1
      assert.equal("line " .. n, line)
    end
    assert.equal(1000, n)
  end)

  it("is there before its end", function()
    local res = open("/stall")
    assert.equal(200, res.status)
    assert.equal(500, #res:read())
    res:close()
    res:close()
  end)

  it("pauses where nobody reads", function()
    local res <close> = open("/big?bytes=10000000000")
    local first = #res:read()
    tm.sleep(0.3)
    local piece = #res:read()
    assert.is_true(first + piece < 4 * 1024 * 1024, first + piece)
    for _ = 1, 100 do assert.is_true(#res:read() > 0) end
  end)

  it("fails in the middle", function()
    local res = open("/close-early")
    local ok, e = pcall(function() for _ in res:chunks() do end end)
    assert.is_false(ok)
    assert.equal("closed", e.kind)
  end)

  it("that is dropped ends its transfer", function()
    do
      local res <close> = open("/stall")
      assert.equal(1, http.stats().operations)
      assert.equal(200, res.status)
    end
    web.in_progress(0)
    assert.equal(200, open("/stall").status) -- and forgotten
    web.settle()
  end)

  it("has a limit for lines", function()
    local res <close> = open("/gzip-bomb?mb=1")
    local e = helper.raised(function() for _ in res:lines(10000) do end end)
    assert.equal("too_large", e.kind)
  end)

  it("can be read by another task", function()
    local stream = rawget(open("/big?bytes=1000000"), "_stream")
    local size = tm.submit(function()
      local n = 0
      for piece in function() return stream:read() end do n = n + #piece end
      return n
    end):result()
    assert.equal(1000000, size)
  end)

  it("is read by many tasks at once, each its own", function()
    local url = web.fault .. "/big?bytes=2000000"
    local pool <close> = helper.pool({ max_workers = 20 })
    local futures = {}
    for i = 1, 20 do
      futures[i] = pool:submit(function()
        local n = 0
        for piece in assert(tm.http.get(url, { stream = true })):chunks() do n = n + #piece end
        return n
      end)
    end
    for _, size in ipairs(tm.gather(futures)) do assert.equal(2000000, size) end
  end)

  it("arrives whole in virtual time, where pieces are let in later", function()
    local script = os.tmpname()
    finally(function() os.remove(script) end)
    local file = assert(io.open(script, "w"))
    file:write([[
      local tm = require "tidemill"
      local futures = {}
      for i = 1, 20 do
        futures[i] = tm.submit(function(url)
          local res, n = assert(tm.http.get(url, { stream = true })), 0
          while true do
            local piece, err = res:read()
            if not piece then return err and err.kind or n end
            n = n + #piece
            for _ = 1, 3 do tm.sleep(0) end
          end
        end, arg[1])
      end
      for _, future in ipairs(futures) do assert(future:result() == 5000, future:result()) end
    ]])
    file:close()
    local command = "'%s' --timeout 100 --virtual-time %s '%s/chunked?n=50&size=100&every=0.002'"
    assert.is_true(os.execute(command:format(os.getenv("TIDEMILL") or arg[-1], script, web.fault)))
  end)

  it("is no stream unless asked", function()
    local res = assert(http.get(web.fault .. "/status"))
    assert.matches("ask with stream = true", helper.raised(res.read, res))
    assert.matches("no body in memory", helper.raised(function() return open("/status"):json() end))
  end)
end)

describe("a download", function()
  local path

  before_each(function() path = os.tmpname() end)
  after_each(function()
    os.remove(path)
    os.remove(path .. ".part")
    web.settle()
  end)

  local function content(name)
    local file <close> = io.open(name, "rb")
    return file and file:read("a")
  end

  it("ends in a file of that name", function()
    local res = assert(http.download(web.fault .. "/big?bytes=5000000", path))
    assert.equal(200, res.status)
    assert.is_nil(res.body)
    assert.equal(path, res.path)
    assert.equal(content(path), assert(http.get(web.fault .. "/big?bytes=5000000")).body)
    assert.is_nil(content(path .. ".part"))
  end)

  it("takes the place of a file, never of a device or a pipe", function()
    os.remove(path)
    assert.is_true(os.execute("mkfifo " .. path))
    local kind, err = web.failure(http.download(web.fault .. "/status", path))
    assert.equal("file", kind)
    assert.matches("not supported", err.message)
    assert.is_true(os.execute("test -p " .. path))
    assert.is_nil(content(path .. ".part"))
  end)

  it("may be empty", function()
    os.remove(path)
    assert(http.download(web.fault .. "/big?bytes=0", path))
    assert.equal("", content(path))
  end)

  it("may be cancelled at any moment", function()
    local pool <close> = helper.pool({ max_workers = 20 })
    local url, futures = web.fault .. "/big?bytes=20000", {}
    for i = 1, 200 do
      local name = path .. i % 20 -- some of them after another to the same name, some of them at once
      futures[i] = pool:submit(function()
        return pcall(tm.timeout, (i * 7 % 41) / 2000, function() return tm.http.download(url, name) ~= nil end)
      end)
      if i % 5 == 0 then futures[i - 3]:cancel() end
    end
    tm.wait(futures)
    web.all_ended()
    for i = 0, 19 do
      local name = path .. i
      assert.is_nil(content(name .. ".part"))
      local there = content(name)
      assert.is_true(there == nil or #there == 20000)
      os.remove(name)
    end
  end)

  it("to one name after another, and at once, is whole each time", function()
    local url = web.fault .. "/big?bytes=20000"
    for _ = 1, 20 do
      pcall(tm.timeout, 0.003, function() return http.download(url, path) end)
      assert(http.download(url, path))
      assert.equal(20000, #content(path))
    end
    local pool <close> = helper.pool({ max_workers = 10 })
    local futures = {}
    for i = 1, 10 do futures[i] = pool:submit(function() return assert(tm.http.download(url, path)).status end) end
    for _, status in ipairs(tm.gather(futures)) do assert.equal(200, status) end
    assert.equal(20000, #content(path))
  end)

  it("that fails leaves nothing behind", function()
    os.remove(path)
    assert.equal("closed", (web.failure(http.download(web.fault .. "/close-early", path))))
    assert.equal("timeout", (web.failure(http.download(web.fault .. "/stall", path, { timeout = 0.2 }))))
    helper.eventually(function() return http.stats().operations == 0 end)
    assert.is_nil(content(path))
    assert.is_nil(content(path .. ".part"))
  end)

  it("of an error page is an error", function()
    os.remove(path)
    local kind, err = web.failure(http.download(web.fault .. "/status?code=404", path))
    assert.equal("status", kind)
    assert.equal(404, err.status)
    assert.matches("404", err.response.body)
    assert.is_nil(content(path))
  end)

  it("to where nothing can be written says so", function()
    local kind, err = web.failure(http.download(web.fault .. "/big?bytes=100", "/nowhere/at/all"))
    assert.equal("file", kind)
    assert.matches("cannot write '/nowhere/at/all': No such file", tostring(err))
    kind, err = web.failure(http.download(web.fault .. "/big?bytes=5000000", "/dev/full/x"))
    assert.equal("file", kind)
    assert.matches("Not a directory", tostring(err))
  end)

  it("is one of many", function()
    local url = web.fault .. "/big?bytes=3000000"
    local pool <close> = helper.pool({ max_workers = 8 })
    local futures = {}
    local function fetch(name) return assert(tm.http.download(url, name)).status end
    for i = 1, 8 do futures[i] = pool:submit(fetch, path .. i) end
    for i, status in ipairs(tm.gather(futures)) do
      assert.equal(200, status)
      assert.equal(3000000, #content(path .. i))
      os.remove(path .. i)
    end
  end)
end)
