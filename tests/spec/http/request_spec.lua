-- What tm.http sends.

local tm = require "tidemill"
local web = require "http.web"

local http = tm.http

local function echo(method, options)
  options = options or {}
  options.method, options.url = method, options.url or web.fault .. "/echo"
  return assert(http.request(options)):raise_for_status():json()
end

-- The values of a header, in order.
local function sent(got, name)
  local values = {}
  for _, pair in ipairs(got.headers) do
    if pair[1]:lower() == name:lower() then values[#values + 1] = pair[2] end
  end
  return values
end

describe("a request", function()
  after_each(web.settle)

  it("is a GET unless told", function()
    assert.equal("GET", assert(http.get(web.fault .. "/echo")):json().method)
    assert.equal("GET", assert(http.request({ url = web.fault .. "/echo" })):json().method)
  end)

  it("has the method that is named, in upper case", function()
    for _, name in ipairs({ "post", "put", "patch", "delete" }) do
      assert.equal(name:upper(), assert(http[name](web.fault .. "/echo")):json().method)
    end
    assert.equal("PURGE", echo("purge").method)
    assert.equal(200, assert(http.head(web.fault .. "/echo")).status)
  end)

  it("says who asks, and what it can decode", function()
    local got = echo("GET")
    assert.same({ "tidemill/" .. tm.version }, sent(got, "User-Agent"))
    assert.same({ "gzip, deflate" }, sent(got, "Accept-Encoding"))
    assert.same({}, sent(echo("GET", { decode = false }), "Accept-Encoding"))
    assert.same({ "me" }, sent(echo("GET", { headers = { ["user-agent"] = "me" } }), "User-Agent"))
  end)

  it("has a query of sorted names, lists repeated, all encoded", function()
    assert.equal("/echo?a=1&b=x%20y&b=%26&c=true&%C3%A4=%2F",
      echo("GET", { query = { b = { "x y", "&" }, a = 1, c = true, ["ä"] = "/" } }).target)
    assert.equal("/echo?x=1&y=2", echo("GET", { url = web.fault .. "/echo?x=1", query = { y = 2 } }).target)
    assert.equal("/echo?raw=a+b", echo("GET", { query = "raw=a+b" }).target)
    assert.equal("/echo", echo("GET", { query = {} }).target)
  end)

  it("leaves the fragment at home, and encodes what has to be", function()
    assert.equal("/echo?q=1", echo("GET", { url = web.fault .. "/echo?q=1#part" }).target)
    assert.equal("/echo?x=%c3%a4", echo("GET", { url = web.fault .. "/echo?x=ä" }).target)
  end)

  it("has the headers that are given, repeated and empty ones, too", function()
    local got = echo("GET", { headers = { ["X-One"] = 1, ["X-Many"] = { "a", "b" }, ["X-Empty"] = "" } })
    assert.same({ "1" }, sent(got, "X-One"))
    assert.same({ "a", "b" }, sent(got, "X-Many"))
    assert.same({ "" }, sent(got, "X-Empty"))
  end)

  it("carries a body as it is", function()
    local bytes = "a\0b\r\n\255"
    local res = assert(http.post(web.fault .. "/upload-count", { body = bytes }))
    assert.equal(#bytes, res:json().bytes)
    local got = echo("POST", { body = "plain" })
    assert.equal("plain", got.body)
    assert.same({}, sent(got, "Content-Type"))
    assert.same({ "5" }, sent(got, "Content-Length"))
    assert.same({}, sent(got, "Expect"))
    assert.equal("with", echo("GET", { body = "with" }).body)
  end)

  it("says that a POST without a body has none", function()
    assert.same({ "0" }, sent(echo("POST"), "Content-Length"))
    assert.same({ "0" }, sent(echo("PUT"), "Content-Length"))
    assert.same({}, sent(echo("DELETE"), "Content-Length"))
  end)

  it("carries a large body", function()
    local body = ("0123456789abcdef"):rep(512 * 1024) -- 8 MiB
    local got = assert(http.put(web.fault .. "/upload-count", { body = body })):json()
    assert.equal(#body, got.bytes)
    assert.equal(tm.hash and tm.hash.sha256(body) or got.sha256, got.sha256)
  end)

  it("carries JSON and forms", function()
    local got = echo("POST", { json = { list = { 1, 2 } } })
    assert.same({ list = { 1, 2 } }, tm.json.decode(got.body))
    assert.same({ "application/json" }, sent(got, "Content-Type"))
    got = echo("POST", { form = { b = "x y&", a = { 1, 2 } } })
    assert.equal("a=1&a=2&b=x%20y%26", got.body)
    assert.same({ "application/x-www-form-urlencoded" }, sent(got, "Content-Type"))
    got = echo("POST", { json = {}, headers = { ["content-type"] = "application/vnd.x+json" } })
    assert.same({ "application/vnd.x+json" }, sent(got, "Content-Type"))
  end)

  it("knows who it is", function()
    assert.same({ "Basic dXNlcjpwYXNz" }, sent(echo("GET", { auth = { "user", "pass" } }), "Authorization"))
    assert.same({ "Bearer t0ken" }, sent(echo("GET", { auth = { bearer = "t0ken" } }), "Authorization"))
    local url = web.fault:gsub("//", "//u:p@") .. "/echo"
    local res = assert(http.get(url))
    assert.equal(web.fault .. "/echo", res.url)
    local _, err = http.get("http://user:secret@127.0.0.1:1/")
    assert.is_nil(tostring(err):find("secret", 1, true) or err.url:find("secret", 1, true))
    assert.same({ "Basic dTpw" }, sent(echo("GET", { url = url }), "Authorization"))
  end)

  it("answers a digest challenge", function()
    if not web.httpbin then pending("httpbin is not installed") end
    local url = web.httpbin .. "/digest-auth/auth/user/pass"
    assert.equal(200, assert(http.get(url, { auth = { user = "user", password = "pass", scheme = "digest" } })).status)
    assert.equal(401, assert(http.get(url, { auth = { user = "user", password = "no", scheme = "digest" } })).status)
    assert.equal(200, assert(http.get(web.httpbin .. "/basic-auth/u/p", { auth = { "u", "p" } })).status)
    assert.equal(401, assert(http.get(web.httpbin .. "/basic-auth/u/p")).status)
  end)

  it("carries cookies", function()
    assert.same({ "b=two; a=1" }, sent(echo("GET", { cookies = { a = 1, b = "two" } }), "Cookie"))
    assert.same({}, sent(echo("GET"), "Cookie"))
  end)
end)

describe("bad arguments:", function()
  local function refused(...)
    local ok, e = pcall(...)
    assert.is_false(ok)
    return tostring(e)
  end

  after_each(web.settle)

  it("the place is the caller's", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local message = refused(function() http.get("x", { tiemout = 1 }) end)
    assert.matches("request_spec.lua:" .. line .. ": bad argument", message)
  end)

  it("URLs", function()
    assert.matches("URL %(a string%) expected, got nil", refused(http.get))
    assert.matches("URL %(a string%) expected, got table", refused(http.get, {}))
    assert.matches("line break", refused(http.get, "http://a/\r\nX: y"))
    assert.matches("table expected, got string", refused(http.request, "http://a"))
    for _, url in ipairs({ "nothing", "http://", "ftp://a/b", "http://a:99999/", "http://[::1", "mailto:x@y.z" }) do
      local kind, err = web.failure(http.get(url))
      assert.equal("url", kind, url)
      assert.matches("bad URL", tostring(err))
    end
  end)

  it("options", function()
    local url = web.fault .. "/echo"
    assert.matches("unknown option 'tiemout' %(known: auth body", refused(http.get, url, { tiemout = 1 }))
    assert.matches("table of options expected, got number", refused(http.get, url, 3))
    for _, bad in ipairs({ 0, -1, "x", 0 / 0 }) do
      assert.matches("'timeout': a number of seconds > 0 expected", refused(http.get, url, { timeout = bad }))
    end
    assert.matches("'max_body': an integer >= 0", refused(http.get, url, { max_body = 1.5 }))
    assert.matches("'redirects': an integer", refused(http.get, url, { redirects = "x" }))
    assert.matches("'verify': boolean expected", refused(http.get, url, { verify = 1 }))
    assert.matches("'http_version': '1.1' or '2'", refused(http.get, url, { http_version = "3" }))
    assert.matches("'body': string expected, got table", refused(http.post, url, { body = {} }))
    assert.matches("options 'body' and 'json'", refused(http.post, url, { body = "", json = 1 }))
    assert.matches("'query': the value of 'f' is a function", refused(http.get, url, { query = { f = print } }))
    assert.matches("'retries': unknown key 'max'", refused(http.get, url, { retries = { max = 1 } }))
    assert.matches("'retries': factor", refused(http.get, url, { retries = { factor = 0 } }))
    assert.matches("'method': a word", refused(http.request, { url = url, method = "GE T" }))
    assert.matches("unknown option 'x'", refused(http.limits, { x = 1 }))
    assert.matches("an integer from 1", refused(http.limits, { per_host = 0 }))
    assert.matches("path expected", refused(http.download, url))
    assert.matches("'limits' %(table expected, got number", refused(http.limits, 3))
    assert.matches("table of options expected, got string", refused(http.session().get, http.session(), url, "x"))
  end)

  it("headers that would smuggle", function()
    local url = web.fault .. "/echo"
    assert.matches("line break", refused(http.get, url, { headers = { A = "b\r\nC: d" } }))
    assert.matches("no name of a header", refused(http.get, url, { headers = { ["A: b\r\nC"] = "d" } }))
    assert.matches("names are strings", refused(http.get, url, { headers = { "x" } }))
    assert.matches("no cookie may have", refused(http.get, url, { cookies = { a = "b;c" } }))
    assert.matches("'auth'", refused(http.get, url, { auth = { 1 } }))
    assert.matches("'auth': a name or password with NUL", refused(http.get, url, { auth = { "a\0b", "c" } }))
    assert.matches("line break", refused(http.get, url, { auth = { bearer = "a\nb" } }))
  end)
end)
