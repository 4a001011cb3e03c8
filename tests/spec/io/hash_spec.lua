local tm = require "tidemill"
local helper = require "helper"
local LIMIT = helper.LIMIT

local path

before_each(function() path = os.tmpname() end)

after_each(function()
  helper.settle()
  os.execute("rm -rf " .. path)
end)

local function write(text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

--- What one of the system's programs says of the file.
local function sum_of(program)
  local pipe <close> = assert(io.popen(program .. " < " .. path))
  return pipe:read("a"):match("^%x+")
end

describe("hash", function()
  it("knows the examples of its standards", function()
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", tm.hash.sha256 "abc")
    assert.equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", tm.hash.sha256 "")
    assert.equal("248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
      tm.hash.sha256 "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
    assert.equal("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0", tm.hash.sha256(("a"):rep(1000000)))
    assert.equal("900150983cd24fb0d6963f7d28e17f72", tm.hash.digest("md5", "abc"))
    assert.equal("a9993e364706816aba3e25717850c26c9cd0d89d", tm.hash.digest("sha1", "abc"))
    assert.equal(tm.hash.sha256 "abc", tm.hash.digest("sha256", "abc"))
    assert.equal("cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
      .. "8086072ba1e7cc2358baeca134c825a7", tm.hash.digest("sha384", "abc"))
    assert.equal("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
      .. "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f", tm.hash.digest("sha512", "abc"))
  end)

  it("of a file is that of its bytes", function()
    local text = ("0123456789\0\n\r\xff"):rep(300000)
    for _, size in ipairs { 0, 1, 16384, 262143, 262144, 262145, 524288, 524289, #text } do
      write(text:sub(1, size))
      assert.equal(tm.hash.sha256(text:sub(1, size)), tm.hash.file(path))
    end
    for _, name in ipairs { "md5", "sha1", "sha256", "sha384", "sha512" } do
      assert.equal(sum_of(name .. "sum"), tm.hash.file(path, name))
      assert.equal(sum_of(name .. "sum"), tm.hash.digest(name, text))
    end
  end)

  it("says what is wrong with a file", function()
    local sum, err = tm.hash.file(path .. ".nosuch")
    assert.is_nil(sum)
    assert.equal("not_found", err.kind)
    assert.equal(("cannot read '%s.nosuch': No such file or directory"):format(path), tostring(err))
    assert.equal("is_directory", select(2, tm.hash.file("/")).kind)
  end)

  it("takes strings and the names of algorithms", function()
    assert.has_error(function() tm.hash.sha256() end, "bad argument #1 to 'sha256' (string expected, got no value)")
    assert.has_error(function() tm.hash.sha256(1) end, "bad argument #1 to 'sha256' (string expected, got number)")
    assert.has_error(function() tm.hash.digest("crc", "") end, "bad argument #1 to 'digest' (invalid option 'crc')")
    assert.has_error(function() tm.hash.digest("md5") end,
      "bad argument #2 to 'digest' (string expected, got no value)")
    assert.has_error(function() tm.hash.file(path, "crc") end, "bad argument #2 to 'file' (invalid option 'crc')")
    assert.has_error(function() tm.hash.file("a\0b") end)
  end)

  it("of a long string lets other tasks have their turn", function()
    local script = [[
      local tm = require "tidemill"
      local began, done, turns = tm.event(), tm.event(), tm.counter()
      tm.submit(function()
        began:wait()
        while not done:is_set() do turns:add() tm.sleep(0) end
      end)
      tm.submit(function()
        local text = ("x"):rep(20000000)
        began:set()
        tm.hash.sha256(text)
        done:set()
      end):result()
      print(turns:get())
    ]]
    local pipe <close> = assert(io.popen(("%s --workers 1 -e '%s'"):format(os.getenv "TIDEMILL", script)))
    local turns = pipe:read("n")
    assert.is_true(turns >= 20)
  end)

  it("of a long string can be cancelled", function()
    local text = ("x"):rep(100000000)
    local before = tm.monotonic()
    assert.equal("timeout", helper.kind(tm.timeout, 0.01, tm.hash.sha256, text))
    assert.is_true(tm.monotonic() - before < 1)
  end)

  it("of a file can be cancelled", function()
    os.execute("rm " .. path .. " && mkfifo " .. path)
    local before = tm.monotonic()
    assert.equal("timeout", helper.kind(tm.timeout, 0.01, tm.hash.file, path))
    assert.is_true(tm.monotonic() - before < 1)
  end)

  it("of many files by many tasks", function()
    write("abc")
    local pool, futures = helper.pool { max_workers = 500 }, {}
    for i = 1, 1000 do futures[i] = pool:submit(tm.hash.file, path, i % 2 == 0 and "md5" or "sha1") end
    for i, f in ipairs(futures) do
      assert.equal(i % 2 == 0 and "900150983cd24fb0d6963f7d28e17f72" or "a9993e364706816aba3e25717850c26c9cd0d89d",
        f:result(LIMIT))
    end
  end)

  it("works where Lua cannot yield", function()
    local text = ("x"):rep(2000000)
    assert.equal(tm.hash.sha256(text), (("x"):gsub("x", function() return tm.hash.sha256(text) end)))
  end)
end)
