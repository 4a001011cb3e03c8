-- What tm.http makes of a response, and where redirects lead.

local tm = require "tidemill"
local web = require "http.web"

local http = tm.http

local function get(path, options)
  return assert(http.get(web.fault .. path, options))
end

describe("a response", function()
  after_each(web.settle)

  it("tells how it went", function()
    local res = get("/status?code=404")
    assert.equal(404, res.status)
    assert.equal("Not Found", res.reason)
    assert.equal("1.1", res.version)
    assert.equal(web.fault .. "/status?code=404", res.url)
    assert.equal(0, res.redirects)
    assert.matches("response 404 of http://127", tostring(res))
    assert.is_true(res.elapsed > 0 and res.timings.total > 0 and res.timings.first_byte <= res.timings.total)
  end)

  it("has headers in any case, repeated ones all", function()
    local res = get("/set-cookie?a=1&b=2")
    assert.equal(res.headers["CONTENT-LENGTH"], res.headers["content-length"])
    assert.same({ "a=1", "b=2" }, res.headers:get_all("Set-Cookie"))
    assert.equal("a=1, b=2", res.headers["set-cookie"])
    assert.is_nil(res.headers["x-missing"])
    local names = {}
    for name, value in pairs(res.headers) do names[name] = value end
    assert.equal("b=2", names["Set-Cookie"])
  end)

  it("raises for a status when asked", function()
    local res = get("/status?code=503")
    local ok, e = pcall(res.raise_for_status, res)
    assert.is_false(ok)
    assert.equal("status", e.kind)
    assert.equal(503, e.status)
    assert.equal(res, e.response)
    assert.matches("GET http://.*: status 503 Service Unavailable", tostring(e))
    res = get("/status?code=201")
    assert.equal(res, res:raise_for_status())
  end)

  it("is JSON, or says why not", function()
    assert.equal("GET", get("/echo"):json().method)
    local value, err = get("/status?code=200"):json()
    assert.is_nil(value)
    assert.equal("json", err.kind)
  end)

  it("travels between tasks", function()
    local url = web.fault .. "/set-cookie?a=1"
    local res = tm.submit(function() return assert(tm.http.get(url)) end):result()
    assert.equal(200, res.status)
    assert.equal("a=1", res.headers["set-cookie"])
    assert.is_string(res.body)
    assert.equal(res, res:raise_for_status())
  end)

  it("may be empty", function()
    assert.equal("", get("/no-content").body)
    assert.equal(204, get("/no-content").status)
    assert.equal("", assert(http.head(web.fault .. "/big?bytes=100")).body)
  end)

  it("comes after what was on the way", function()
    local res = get("/1xx")
    assert.equal(200, res.status)
    assert.is_nil(res.headers.link)
  end)

  it("is decoded, unless told not to", function()
    if not web.nginx then pending("nginx is not installed") end
    local res = assert(http.get(web.nginx .. "/text.txt"))
    assert.equal("gzip", res.headers["content-encoding"])
    local raw = assert(http.get(web.nginx .. "/text.txt", { decode = false }))
    assert.equal(raw.body, res.body)
    raw = assert(http.get(web.nginx .. "/text.txt", { decode = false, headers = { ["Accept-Encoding"] = "gzip" } }))
    assert.equal("\31\139", raw.body:sub(1, 2))
    if web.httpbin then
      assert.is_true(assert(http.get(web.httpbin .. "/gzip")):json().gzipped)
      assert.is_true(assert(http.get(web.httpbin .. "/deflate")):json().deflated)
    end
  end)

  it("may have a body of any size and form", function()
    assert.equal(1048576, #get("/big?bytes=1048576").body)
    assert.equal(1000 * 100, #get("/chunked?n=1000&size=100").body)
    assert.equal(100000, #get("/huge-header?size=100000").headers["x-huge"])
  end)
end)

describe("a redirect", function()
  after_each(web.settle)

  local function to(code, options, target)
    options = options or {}
    options.query = { url = target or "/echo", code = code }
    options.url = web.fault .. "/redirect-to"
    return assert(http.request(options))
  end

  it("is followed", function()
    local res = get("/redirect-chain?n=4")
    assert.equal("the end\n", res.body)
    assert.equal(4, res.redirects)
    assert.matches("redirect%-chain%?n=0$", res.url)
  end)

  it("is a response like any other where it is not wanted", function()
    assert.equal(302, get("/redirect-chain", { redirects = false }).status)
    assert.equal(302, get("/redirect-no-location").status)
  end)

  it("changes the method as browsers do", function()
    for code, expected in pairs({ [301] = "GET", [302] = "GET", [303] = "GET", [307] = "POST", [308] = "POST" }) do
      local got = to(code, { method = "POST", body = "data", headers = { ["Content-Type"] = "text/x" } }):json()
      assert.equal(expected, got.method, code)
      assert.equal(expected == "POST" and "data" or "", got.body or "")
      for _, pair in ipairs(got.headers) do
        assert.is_false(expected == "GET" and pair[1]:lower() == "content-type")
      end
    end
    assert.equal("PUT", to(302, { method = "PUT", body = "x" }):json().method)
    assert.equal("GET", to(303, { method = "PUT", body = "x" }):json().method)
    assert.equal(200, to(303, { method = "HEAD" }).status)
  end)

  it("takes secrets along to the same place only", function()
    local options = { auth = { "user", "pass" }, headers = { Cookie = "c=1", ["X-Kept"] = "1" } }
    local function names(got)
      local found = {}
      for _, pair in ipairs(got.headers) do found[pair[1]:lower()] = true end
      return found
    end
    local same = names(to(302, options):json())
    assert.is_true(same.authorization and same.cookie and same["x-kept"])
    local elsewhere = names(to(302, options, web.fault:gsub("127.0.0.1", "ok.test") .. "/echo"):json())
    assert.is_nil(elsewhere.authorization)
    assert.is_nil(elsewhere.cookie)
    assert.is_true(elsewhere["x-kept"])
  end)

  it("keeps the cookies that are set on the way", function()
    if not web.httpbin then pending("httpbin is not installed") end
    local res = assert(http.get(web.httpbin .. "/cookies/set?a=1"))
    assert.same({ a = "1" }, res:json().cookies)
  end)

  it("is no circle", function()
    local kind, err = web.failure(http.get(web.fault .. "/redirect-loop"))
    assert.equal("redirects", kind)
    assert.matches("more than 10 redirects", tostring(err))
    kind = web.failure(http.get(web.fault .. "/redirect-chain?n=4", { redirects = 3 }))
    assert.equal("redirects", kind)
    assert.equal(3, get("/redirect-chain?n=3", { redirects = 3 }).redirects)
  end)

  it("has to lead somewhere", function()
    local kind, err = web.failure(http.get(web.fault .. "/redirect-bad-location"))
    assert.equal("redirects", kind)
    assert.matches("bad URL", tostring(err))
    kind = web.failure(http.request({ url = web.fault .. "/redirect-to", query = { url = "ftp://127.0.0.1/x" } }))
    assert.equal("redirects", kind)
    kind = web.failure(http.request({ url = web.fault .. "/redirect-to", query = { url = "file:///etc/passwd" } }))
    assert.equal("redirects", kind)
  end)
end)

describe("a session", function()
  after_each(web.settle)

  it("keeps cookies and options", function()
    local session = http.session({ headers = { ["X-App"] = "1" }, timeout = 30 })
    assert(session:get(web.fault .. "/set-cookie?a=1&b=2"))
    assert.same({ a = "1", b = "2" }, session:cookies())
    local got = assert(session:get(web.fault .. "/echo", { headers = { ["X-More"] = "2" } })):json()
    local found = {}
    for _, pair in ipairs(got.headers) do found[pair[1]] = pair[2] end
    assert.equal("1", found["X-App"])
    assert.equal("2", found["X-More"])
    assert.matches("a=1", found.Cookie)
    assert.matches("b=2", found.Cookie)
  end)

  it("forgets a cookie that the server takes back", function()
    local session = http.session()
    assert(session:get(web.fault .. "/set-cookie?a=1"))
    assert.same({ a = "1" }, session:cookies())
    assert(session:get(web.fault .. "/set-cookie", { query = { a = "; Max-Age=0" } }))
    assert.same({}, session:cookies())
  end)

  it("keeps the cookies of a stream, which come with its head", function()
    local session = http.session()
    local res = assert(session:get(web.fault .. "/set-cookie?a=1", { stream = true }))
    assert.same({ a = "1" }, session:cookies())
    assert.same({ a = "1" }, res.cookies)
    res:close()
    assert.equal("a=1", assert(session:get(web.fault .. "/set-cookie")):json().cookie)
  end)

  it("keeps to its hosts", function()
    local session = http.session()
    assert(session:get(web.fault .. "/set-cookie?a=1"))
    local got = assert(session:get(web.fault:gsub("127.0.0.1", "ok.test") .. "/set-cookie?b=2")):json()
    assert.is_true(got.cookie == nil or got.cookie == "" or got.cookie == tm.json.null)
  end)

  it("complains at once", function()
    assert.has_error(function() http.session({ tiemout = 1 }) end)
  end)
end)
