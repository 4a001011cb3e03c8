-- Names, TLS, HTTP/2. The names in .test are those of tests/servers/stub_resolver.c, which the program runs with.

local helper = require "helper"
local tm = require "tidemill"
local web = require "http.web"

local http = tm.http
local port = web.fault:match("%d+$")

local function named(host, path)
  return ("http://%s:%s%s"):format(host, port, path or "/status")
end

describe("a name", function()
  after_each(web.settle)

  it("is looked up", function()
    assert.equal(200, assert(http.get(named("ok.test"))).status)
    assert.equal(200, assert(http.get(named("OK.test"))).status)
    assert.equal(200, assert(http.get(named("localhost"))).status)
    assert.equal(200, assert(http.get(named("any.localhost"))).status)
  end)

  it("that is slow is looked up once for all", function()
    local start = tm.monotonic()
    local pool <close> = helper.pool({ max_workers = 20 })
    local futures = {}
    local function status(url) return assert(tm.http.get(url)).status end
    for i = 1, 20 do futures[i] = pool:submit(status, named("slow.test")) end
    tm.gather(futures)
    local first = tm.monotonic() - start
    assert.equal(200, assert(http.get(named("slow.test"))).status)
    assert.is_true(first >= 0.3)
    assert.is_true(tm.monotonic() - start - first < 0.25)
  end)

  it("with two addresses is tried at both", function()
    assert.equal(200, assert(http.get(named("two.test"))).status)
  end)

  it("that does not exist fails with its name", function()
    local kind, err = web.failure(http.get(named("missing.test")))
    assert.equal("dns", kind)
    assert.matches("cannot resolve 'missing.test': ", tostring(err))
    assert.equal("dns", (web.failure(http.get(named("temporary.test")))))
  end)

  it("that hangs holds up neither a cancellation nor others", function()
    local url = named("hang.test")
    local pool <close> = helper.pool({ max_workers = 10 })
    local futures = {}
    for i = 1, 10 do futures[i] = pool:submit(function() return tm.http.get(url) end) end
    helper.eventually(function() return http.stats().running == 10 end)
    assert.equal(200, assert(http.get(named("ok.test"))).status)
    local start = tm.monotonic()
    for _, future in ipairs(futures) do future:cancel() end
    tm.wait(futures)
    assert.is_true(tm.monotonic() - start < 2)
    assert.equal("timeout", (web.failure(http.get(url, { timeout = 0.1 }))))
    local kind, err = web.failure(http.get(url, { connect_timeout = 0.3 }))
    assert.equal("timeout", kind)
    assert.matches("look%-up of 'hang.test'", tostring(err))
  end)

  it("that hangs does not hold up the end of the program", function()
    local script = ("local tm = require 'tidemill' tm.submit(function() return tm.http.get('%s') end):ignore() " ..
      "tm.sleep(0.2) os.exit(3)"):format(named("hang.test"))
    local start = tm.monotonic()
    local _, _, code = os.execute(("'%s' -e \"%s\""):format(os.getenv("TIDEMILL") or arg[-1], script))
    assert.equal(3, code)
    assert.is_true(tm.monotonic() - start < 10)
  end)
end)

describe("TLS", function()
  if not web.tls then
    pending("nginx is not installed")
    return
  end
  after_each(web.settle)

  it("checks who answers", function()
    assert.equal(200, assert(http.get(web.tls .. "/1k.txt", { ca = web.ca })).status)
    local kind, err = web.failure(http.get(web.tls .. "/1k.txt"))
    assert.equal("tls", kind)
    assert.matches("certificate", tostring(err))
    assert.equal("tls", (web.failure(http.get(web.url("NGINX_BAD_TLS") .. "/1k.txt", { ca = web.ca }))))
    assert.equal("tls", (web.failure(http.get(web.url("NGINX_EXPIRED_TLS") .. "/1k.txt", { ca = web.ca }))))
    assert.equal("tls", (web.failure(http.get(web.tls .. "/1k.txt", { ca = "/nowhere/ca.pem" }))))
  end)

  it("checks nothing where told so", function()
    assert.equal(200, assert(http.get(web.url("NGINX_BAD_TLS") .. "/1k.txt", { verify = false })).status)
    -- afterwards, too
    assert.equal("tls", (web.failure(http.get(web.url("NGINX_BAD_TLS") .. "/1k.txt", { ca = web.ca }))))
  end)

  it("speaks HTTP/2, or 1.1 where told so", function()
    local res = assert(http.get(web.tls .. "/protocol", { ca = web.ca }))
    assert.equal("2", res.version)
    assert.matches("HTTP/2", res.body)
    res = assert(http.get(web.tls .. "/protocol", { ca = web.ca, http_version = "1.1" }))
    assert.equal("1.1", res.version)
    assert.matches("HTTP/1.1", res.body)
  end)

  it("carries many at once", function()
    local url, ca = web.tls .. "/1k.txt", web.ca
    local pool <close> = helper.pool({ max_workers = 50 })
    local futures = {}
    for i = 1, 200 do futures[i] = pool:submit(function() return #assert(tm.http.get(url, { ca = ca })).body end) end
    for _, size in ipairs(tm.gather(futures)) do assert.equal(992, size) end
  end)
end)

describe("a proxy", function()
  after_each(web.settle)

  it("gets the request", function() -- fault.py takes absolute URLs, as a proxy does
    local got = assert(http.get("http://elsewhere.invalid/echo", { proxy = web.fault })):json()
    assert.equal("http://elsewhere.invalid/echo", got.target)
  end)

  it("has to be one", function()
    assert.equal("url", (web.failure(http.get(web.fault .. "/echo", { proxy = "socks5://127.0.0.1:1" }))))
    assert.equal("dns", (web.failure(http.get(web.fault .. "/echo", { proxy = "http://missing.test:1" }))))
    assert.equal("connect", (web.failure(http.get(web.fault .. "/echo", { proxy = "http://127.0.0.1:1" }))))
  end)
end)
