local sitelinks = require "tidemill.sitelinks"

local function resolve(from, link)
  local path, fragment = sitelinks.resolve(from, link)
  return path and (fragment == "" and path or path .. "#" .. fragment)
end

describe("sitelinks.resolve", function()
  it("follows links from the page's folder", function()
    assert.equal("library/io.html", resolve("library/os.html", "io.html"))
    assert.equal("glossary.html", resolve("library/os.html", "../glossary.html"))
    assert.equal("c/api.html#x", resolve("library/os.html", "../c/./api.html#x"))
    assert.equal("a/b/c.html", resolve("index.html", "a//b/c.html"))
  end)

  it("takes a leading slash for the top of the folder", function()
    assert.equal("a.html", resolve("library/os.html", "/a.html"))
  end)

  it("stays on the page for a fragment, a query or nothing", function()
    assert.equal("library/os.html#x", resolve("library/os.html", "#x"))
    assert.equal("library/os.html", resolve("library/os.html", "?sort=up"))
    assert.equal("library/os.html", resolve("library/os.html", ""))
  end)

  it("leaves out queries and text fragments", function()
    assert.equal("a.css", resolve("x.html", "a.css?v=2"))
    assert.equal("a.html#y", resolve("x.html", "a.html?q=#y"))
    assert.equal("a.html#y", resolve("x.html", "a.html#y:~:text=hello"))
    assert.equal("a.html", resolve("x.html", "a.html#:~:text=hello"))
  end)

  it("decodes %XX", function()
    assert.equal("a b.html#ö%", resolve("x.html", "a%20b.html#%c3%B6%"))
  end)

  it("keeps folders apart from files", function()
    assert.equal("library/", resolve("library/os.html", "./"))
    assert.equal("", resolve("library/os.html", "../"))
    assert.equal("c/", resolve("library/os.html", "../c/"))
  end)

  it("keeps what leads above the folder", function()
    assert.equal("../x.html", resolve("a.html", "../x.html"))
    assert.equal("../../x.html", resolve("b/a.html", "../../../x.html"))
  end)

  it("does not follow other sites", function()
    local others = { "https://example.org/", "mailto:a@example.org", "//example.org/x", "file:///etc", "data:,x" }
    for _, link in ipairs(others) do assert.is_false(resolve("a.html", link)) end
    assert.equal("a:b.html", resolve("x.html", "./a:b.html"))
  end)
end)

describe("sitelinks.dead", function()
  local function check(texts, others)
    local files, pages, dead = {}, {}, {}
    for file, text in pairs(texts) do
      files[#files + 1], pages[file] = file, sitelinks.read(file, text)
    end
    for _, file in ipairs(others or {}) do files[#files + 1] = file end
    local known = sitelinks.known(files)
    for _, page in pairs(pages) do
      for _, item in ipairs(sitelinks.dead(page, pages, function(path) return known[path] end)) do
        dead[#dead + 1] = page.file .. ": " .. item.target .. ": " .. item.why
      end
    end
    table.sort(dead)
    return dead
  end

  it("finds files and anchors that are not there", function()
    local expected = {
      "a.html: a.html#z: no such anchor", "a.html: b.html#w: no such anchor", "a.html: c.html: no such file",
    }
    assert.same(expected, check {
      ["a.html"] = "<a href=b.html><a href=b.html#v><a href=b.html#w><a href=c.html#x><a href='#z'>",
      ["b.html"] = "<p id=v><a href=a.html>",
    })
  end)

  it("is content with files that are no pages, and with folders", function()
    assert.same({ "a.html: e.css: no such file" }, check({
      ["a.html"] = "<img src=i/j/k.png><a href=i/><a href=i/j><a href=sub/><a href=sub#x>"
        .. "<a href=d.css#any><a href=e.css>",
      ["sub/index.html"] = "<a href='../'><a href=../a.html><p id=x>",
    }, { "i/j/k.png", "d.css" }))
  end)

  it("takes # and #top as the top of a page", function()
    assert.same({}, check { ["a.html"] = "<a href='#'><a href='#top'><a href='#Top'>" })
  end)

  it("heeds a base", function()
    assert.same({ "s/a.html: s/b.html: no such file" }, check {
      ["s/a.html"] = "<base href=..><a href=b.html><a href=s/b.html>", ["b.html"] = "",
    })
    assert.same({ "a.html: a.html#x: no such anchor" }, check {
      ["a.html"] = "<base href='https://example.org/'><a href=b.html><a href='#x'>",
    })
  end)

  it("does not judge anchors of a page that could not be read", function()
    local page = sitelinks.read("a.html", "<a href=b.html#x>")
    local pages = { ["a.html"] = page, ["b.html"] = { file = "b.html", error = "b.html: Permission denied" } }
    assert.same({}, sitelinks.dead(page, pages, function() return false end))
  end)
end)

describe("sitelinks.summary", function()
  it("adds up and groups by target", function()
    local a = sitelinks.read("a.html", "<h1>x</h1><a href=no.html><a href=https://example.org>")
    local b = sitelinks.read("b.html", "<a href=no.html>")
    local c = { file = "c.html", error = "c.html: Permission denied" }
    local pages, dead = { ["a.html"] = a, ["b.html"] = b }, {}
    for i, page in ipairs { a, b } do dead[i] = sitelinks.dead(page, pages, function() return false end) end
    dead[3] = {}
    local sum, groups, unreadable = sitelinks.summary({ a, b, c }, dead)
    assert.same({ files = 2, bytes = a.bytes + b.bytes, headings = 1, links = 3, external = 1, dead_links = 2,
      dead_anchors = 0 }, sum)
    assert.equal(1, #groups)
    assert.equal("no.html", groups[1].target)
    assert.equal("a.html", groups[1].page)
    assert.equal(2, groups[1].count)
    assert.same({ c }, unreadable)
  end)
end)
