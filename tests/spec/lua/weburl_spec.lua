local weburl = require "tidemill.weburl"

local function resolve(base, link)
  local target = weburl.resolve(weburl.parse(base), link)
  return target and weburl.format(target)
end

describe("weburl.normalise", function()
  it("writes all spellings of a URL in one way", function()
    local spellings = { "HTTP://Example.ORG:80/~a", "http://example.org/%7ea#top", " http://example.org/x/../~a\n" }
    for _, url in ipairs(spellings) do
      assert.equal("http://example.org/~a", weburl.normalise(url))
    end
    assert.equal("https://x/", weburl.normalise("https://x:443"))
    assert.equal("https://x:80/?", weburl.normalise("https://x:80/?"))
    assert.equal("http://[::1]:8080/x", weburl.normalise("http://[::1]:8080/x"))
    assert.equal("http://x/y/z", weburl.normalise([[http://x\y\z]]))
  end)

  it("escapes what may not stand in a URL, once", function()
    assert.equal("http://x/a%20b/%C3%A4?q=%C3%B6%22", weburl.normalise('http://x/a b/ä?q=ö"'))
    assert.equal("http://x/a%20b%2F%C3", weburl.normalise("http://x/a%20b%2f%c3"))
    assert.equal("http://x/100%25", weburl.normalise("http://x/100%"))
    assert.equal("http://x/%252", weburl.normalise("http://x/%2"))
  end)

  it("drops name and password", function()
    assert.equal("http://x/", weburl.normalise("http://user:secret@x"))
  end)

  it("refuses what is no page of the web", function()
    local others = { "", "x", "/x", "ftp://x/", "mailto:a@x", "http:", "http:///x", "http://a b/", "http://x:99999/",
      "http://x:y/", "http://\xff/", "http://[x]/" }
    for _, url in ipairs(others) do assert.is_nil(weburl.normalise(url)) end
  end)
end)

describe("weburl.resolve", function()
  -- RFC 3986, 5.4; without the fragments
  local examples = {
    ["g"] = "http://a/b/c/g", ["./g"] = "http://a/b/c/g", ["g/"] = "http://a/b/c/g/", ["/g"] = "http://a/g",
    ["//g"] = "http://g/", ["?y"] = "http://a/b/c/d;p?y", ["g?y"] = "http://a/b/c/g?y", ["#s"] = "http://a/b/c/d;p?q",
    ["g#s"] = "http://a/b/c/g", ["g?y#s"] = "http://a/b/c/g?y", [";x"] = "http://a/b/c/;x",
    ["g;x"] = "http://a/b/c/g;x", ["g;x?y#s"] = "http://a/b/c/g;x?y", [""] = "http://a/b/c/d;p?q",
    ["."] = "http://a/b/c/", ["./"] = "http://a/b/c/", [".."] = "http://a/b/", ["../"] = "http://a/b/",
    ["../g"] = "http://a/b/g", ["../.."] = "http://a/", ["../../"] = "http://a/", ["../../g"] = "http://a/g",
    ["../../../g"] = "http://a/g", ["../../../../g"] = "http://a/g", ["/./g"] = "http://a/g", ["/../g"] = "http://a/g",
    ["g."] = "http://a/b/c/g.", [".g"] = "http://a/b/c/.g", ["g.."] = "http://a/b/c/g..", ["..g"] = "http://a/b/c/..g",
    ["./../g"] = "http://a/b/g", ["./g/."] = "http://a/b/c/g/", ["g/./h"] = "http://a/b/c/g/h",
    ["g/../h"] = "http://a/b/c/h", ["g;x=1/./y"] = "http://a/b/c/g;x=1/y", ["g;x=1/../y"] = "http://a/b/c/y",
    ["g?y/./x"] = "http://a/b/c/g?y/./x", ["g?y/../x"] = "http://a/b/c/g?y/../x",
    ["http:g"] = "http://a/b/c/g", ["http://x/y"] = "http://x/y",
  }
  it("does what the RFC says", function()
    for link, target in pairs(examples) do assert.equal(target, resolve("http://a/b/c/d;p?q", link)) end
  end)

  it("forgives blanks and line breaks", function()
    assert.equal("http://a/xy", resolve("http://a/", " \n x\ny\t "))
    assert.equal("http://a/x%20y", resolve("http://a/", "x y"))
  end)

  it("does not follow other schemes", function()
    for _, link in ipairs { "mailto:a@b", "javascript:void(0)", "data:,x", "tel:1", "https:x", "ftp://a/" } do
      assert.is_nil(resolve("http://a/", link))
    end
    assert.equal("http://a/x:y", resolve("http://a/", "./x:y"))
  end)
end)

describe("weburl.origin", function()
  it("tells sites apart", function()
    local function origin(url) return weburl.origin(weburl.parse(url)) end
    assert.equal("http://a", origin("http://a:80/x"))
    assert.not_equal(origin("http://a/"), origin("https://a/"))
    assert.not_equal(origin("http://a/"), origin("http://a:81/"))
    assert.not_equal(origin("http://a/"), origin("http://www.a/"))
  end)
end)
