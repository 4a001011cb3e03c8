local webpage = require "tidemill.webpage"

local function read(url, html, options)
  options = options or {}
  options.sites = options.sites or { ["http://a"] = true }
  return webpage.read(url, html, options)
end

describe("webpage.read", function()
  it("finds title and links, each once", function()
    local title, links, count = read("http://a/b/c.html", [[<title>T &amp; M</title>
      <a href="d.html">1</a> <a href="d.html#x">2</a> <a href="./d.html">3</a> <a href="/e?q#y">4</a>
      <a href="#z">5</a>]])
    assert.equal("T & M", title)
    assert.same({ "http://a/b/d.html", "http://a/e?q" }, links)
    assert.equal(2, count)
  end)

  it("counts links to other sites and other schemes, but leaves them out", function()
    local _, links, count = read("http://a/", '<a href="http://b/">b</a><a href="mailto:x@y">m</a><a href="c">c</a>')
    assert.same({ "http://a/c" }, links)
    assert.equal(3, count)
  end)

  it("knows several sites", function()
    local sites = { ["http://a"] = true, ["https://b:8443"] = true }
    local _, links = read("http://a/", '<a href="https://b:8443/x">x</a>', { sites = sites })
    assert.same({ "https://b:8443/x" }, links)
  end)

  it("follows what <base> says", function()
    local _, links = read("http://a/b/c.html", '<base href="../d/"><a href="e">e</a>')
    assert.same({ "http://a/d/e" }, links)
    _, links = read("http://a/b/c.html", '<base href="http://other/"><a href="e">e</a>')
    assert.same({}, links)
    _, links = read("http://a/b/c.html", '<base href="data:,x"><a href="e">e</a>')
    assert.same({ "http://a/b/e" }, links)
  end)

  it("takes old titles for Latin-1", function()
    assert.equal("Café", (read("http://a/", "<title>Caf\xe9</title>")))
  end)

  it("keeps to include and exclude", function()
    local html = '<a href="a.html">a</a><a href="b.html">b</a><a href="pic.png">p</a>'
    local _, links = read("http://a/", html, { include = { "%.html$" }, exclude = { "/b" } })
    assert.same({ "http://a/a.html" }, links)
  end)
end)
