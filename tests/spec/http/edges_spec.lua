-- What few scripts do with tm.http, and must not go wrong all the same.

local helper = require "helper"
local tm = require "tidemill"
local web = require "http.web"

local http = tm.http

describe("at the edges of tm.http,", function()
  after_each(web.settle)

  it("a stream that is not retried for too long a Retry-After is closed", function()
    local res, err = http.get(web.fault .. "/retry?key=edges-close&fail=9&after=1000", { stream = true, retries = 3 })
    assert.is_nil(res)
    assert.equal("retry_after", err.kind)
    assert.equal(1000, err.retry_after)
    assert.equal(1, err.attempts)
    helper.eventually(function() return http.stats().running == 0 end)
  end)

  it("a cookie that was given for https is not told to http", function()
    local build = require("tidemill.http_request")
    local lines = build("GET", "HTTPS://Example.com:8443/", { cookies = { a = "1" } }).cookies
    assert.equal("example.com\tFALSE\t/\tTRUE\t0\ta\t1", lines)
    lines = build("GET", "http://u:p@[::1]:80/", { cookies = { a = "1" } }).cookies
    assert.equal("::1\tFALSE\t/\tFALSE\t0\ta\t1", lines)
  end)

  it("cookies that a response sets are told without a session", function()
    assert.same({ a = "1", b = "2" }, assert(http.get(web.fault .. "/set-cookie?a=1&b=2")).cookies)
    assert.same({}, assert(http.get(web.fault .. "/no-content")).cookies)
  end)

  it("options that are no table are refused", function()
    assert.error_matches(function() http.download(web.fault .. "/big", "x", 5) end,
      "bad argument #3 to 'download' %(table of options expected, got number%)")
  end)

  it("a limit may be for ever", function()
    local huge = math.huge
    local res = http.get(web.fault .. "/status", { timeout = huge, connect_timeout = huge, stall_timeout = huge })
    assert.equal(200, res.status)
  end)

  it("an international name is one", function()
    assert.equal("dns", (web.failure(http.get("http://b\u{fc}cher.invalid/"))))
    assert.equal("url", (web.failure(http.get("http://\xff\xfe/"))))
  end)

  it("a script may end while libcurl is being loaded", function()
    local command = ([['%s' -e 'local http = require("tidemill").http']]):format(os.getenv("TIDEMILL") or arg[-1])
    for _ = 1, 5 do assert.equal(0, (select(3, os.execute(command)))) end
  end)

  it("with few descriptors requests wait for one", function()
    local script = ([[
      local tm = require "tidemill"
      tm.http.limits({ per_host = 1000 })
      local futures = {}
      for i = 1, 60 do
        futures[i] = tm.submit(function() return assert(tm.http.get("%s/slow?seconds=0.02")).status end)
      end
      for _, status in ipairs(tm.gather(futures)) do assert(status == 200) end
      os.exit(tm.http.limits().connections < 40 and 7 or 8)]]):format(web.fault)
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local file <close> = assert(io.open(path, "w"))
    file:write(script)
    file:close()
    local _, _, code = os.execute(("ulimit -n 40; '%s' %s"):format(os.getenv("TIDEMILL") or arg[-1], path))
    assert.equal(7, code)
  end)
end)
