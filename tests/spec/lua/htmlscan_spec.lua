local htmlscan = require "tidemill.htmlscan"

local function links(html) return htmlscan.parse(html).links end

local function anchors(html)
  local names = {}
  for name in pairs(htmlscan.parse(html).anchors) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function headings(html)
  local texts = {}
  for i, heading in ipairs(htmlscan.parse(html).headings) do texts[i] = heading.level .. " " .. heading.text end
  return texts
end

describe("htmlscan.parse", function()
  it("finds nothing in nothing", function()
    assert.same({ headings = {}, links = {}, anchors = {} }, htmlscan.parse(""))
    assert.same({ headings = {}, links = {}, anchors = {} }, htmlscan.parse("just text, 1 < 2 & 3 > 2"))
  end)

  it("refuses what is no string", function()
    assert.has_error(function() htmlscan.parse(nil) end,
      "bad argument #1 to 'parse' (string expected, got nil)")
  end)

  it("reads a page as people write them", function()
    local page = htmlscan.parse([[
      <!DOCTYPE html>
      <html><head><title>
        Cats &amp; dogs
      </title><link rel="stylesheet" href="style.css"></head>
      <body id="top"><h1>Cats</h1><p>See <a href="dogs.html#big">dogs</a>.</p>
      <h2 id='more'>More <em>cats</em><a class="headerlink" href="#more">¶</a></h2>
      <img src="cat.png" alt="a > b"></body></html>]])
    assert.equal("Cats & dogs", page.title)
    assert.same({ { level = 1, text = "Cats" }, { level = 2, text = "More cats" } }, page.headings)
    assert.same({ "style.css", "dogs.html#big", "#more", "cat.png" }, page.links)
    assert.same({ top = true, more = true }, page.anchors)
  end)

  describe("attributes", function()
    it("may be quoted either way or not at all", function()
      assert.same({ "a b", "c", "d/" }, links [[<a href="a b"><a href='c'><a href=d/>]])
    end)

    it("may have spaces and line ends around the equals sign", function()
      assert.same({ "a", "b" }, links "<a\n href\n=\t'a'\n><a href = b >")
    end)

    it("are found in any letter case", function()
      assert.same({ "a" }, links [[<A CLASS=x HREF="a">]])
      assert.same({ "X" }, anchors [[<P ID=X>]])
    end)

    it("may hold a > in quotes", function()
      assert.same({ "a", "b" }, links [[<a title="x > y" href=a><a title='">' href=b>]])
    end)

    it("may stand together without a space", function()
      assert.same({ "a" }, links [[<a class="x"href="a"id='i'>]])
      assert.same({ "i" }, anchors [[<a class="x"href="a"id='i'>]])
    end)

    it("count once: the first of two wins", function()
      assert.same({ "a" }, links [[<a href="a" href="b">]])
    end)

    it("may have no value", function()
      assert.same({ "a" }, links [[<a download href="a" hidden>]])
      assert.same({ "" }, links [[<a href>]])
    end)

    it("are not mistaken for others that end alike", function()
      assert.same({}, links [[<a data-href="a" xhref="b"><p href="c">]])
      assert.same({}, anchors [[<a data-id="a"><input name="b"><meta name="c">]])
    end)

    it("survive stray quotes, slashes and equals signs", function()
      assert.same({ "a" }, links [[<a " / = href="a" / >]])
      assert.same({ "it's" }, links [[<a href=it's>]])
    end)
  end)

  describe("links", function()
    it("stand once each, in order of appearance", function()
      assert.same({ "b", "a" }, links "<a href=b><a href=a><a href=b>")
    end)

    it("are decoded and trimmed", function()
      assert.same({ "?a=1&b=2", "x" }, links [[<a href="?a=1&amp;b=2"><a href=" x
      ">]])
    end)

    it("come from every element that has one", function()
      assert.same({ "1", "2", "3", "4", "5", "6" },
        links "<link href=1><area href=2><script src=3></script><video src=4><source src=5><iframe src=6></iframe>")
    end)

    it("leave out the base, which is told apart", function()
      local page = htmlscan.parse "<base href=/docs/><a href=x>"
      assert.equal("/docs/", page.base)
      assert.same({ "x" }, page.links)
    end)
  end)

  it("takes ids, and the names of a, as anchors", function()
    assert.same({ "a", "b", "c&d" }, anchors [[<a name=a></a><p id=b><h1 id="c&amp;d">]])
  end)

  describe("what is no tag", function()
    it("skips comments, whatever is in them", function()
      assert.same({ "b" }, links [[<!-- <a href="a"> -- > --><a href=b>]])
      assert.same({ "a", "b" }, links "<!--><a href=a><!---><a href=b>")
    end)

    it("takes an unfinished comment to reach to the end", function()
      assert.same({ "a" }, links "<a href=a><!-- <a href=b>")
    end)

    it("skips declarations and processing instructions", function()
      assert.same({ "a" }, links [=[<?xml version="1.0"?><!DOCTYPE html><![CDATA[x]]></><a href=a>]=])
    end)

    it("skips scripts and style sheets up to their own end tag", function()
      assert.same({ "b" }, links [[<script>document.write("<a href='a'></a>" + "</scripty>")</SCRIPT ><a href=b>]])
      assert.same({ "b" }, links "<style><a href=a></style><a href=b>")
      assert.same({ "b" }, links "<textarea><a href=a></textarea><a href=b>")
    end)

    it("ends where a script has no end", function()
      assert.same({ "a" }, links "<a href=a><script>var x = '<a href=b>'")
    end)

    it("ignores a tag that the text ends in", function()
      assert.same({ "a" }, links "<a href=a><a href='b")
      assert.same({ "a" }, links "<a href=a><a href=b ")
      assert.same({ "a" }, links "<a href=a><")
    end)
  end)

  describe("headings", function()
    it("keep their text without tags, spaces made single", function()
      assert.same({ "1 a b c", "6 f" }, headings "<h1>\n a <b>b</b>\n<!-- no -->c </h1><h6>f</h6><h7>g</h7>")
    end)

    it("keep a < that is mere text", function()
      assert.same({ "2 1 < 2 & 3" }, headings "<h2>1 < 2 &amp; 3</h2>")
    end)

    it("may lack their end tag", function()
      assert.same({ "1 a", "2 b", "3 c" }, headings "<h1>a<h2>b</h3>x<h3>c")
    end)
  end)

  it("takes the first title", function()
    assert.equal("a <b> c", htmlscan.parse("<title>a <b> c</title><svg><title>d</title></svg>").title)
    assert.equal("open", htmlscan.parse("<title>open").title)
    assert.is_nil(htmlscan.parse("<p>").title)
  end)

  it("reads any bytes", function()
    local seed = 42
    math.randomseed(seed)
    local parts = { "<", ">", "a", "href", "=", '"', "'", "/", " ", "!", "--", "&#", "\0", "\xFF", "h1", "script" }
    for _ = 1, 2000 do
      local text = {}
      for i = 1, 40 do text[i] = parts[math.random(#parts)] end
      htmlscan.parse(table.concat(text))
    end
  end)

  it("takes time in proportion to the text", function()
    local function seconds(html)
      local start = os.clock()
      htmlscan.parse(html)
      return os.clock() - start
    end
    for _, piece in ipairs { "<", "<a ", "<!--", "</", '<a href="', "<a href='x' ", "<title>", "<h1>", "&#", " " } do
      local limit = 50 * seconds(("<p class=x>"):rep(20000)) + 1
      assert.is_true(seconds(piece:rep(200000 // #piece)) < limit, "slow on many " .. piece)
    end
    assert.is_true(seconds("<a href='" .. (" "):rep(100000) .. "x'>") < 1)
  end)
end)

describe("htmlscan.decode", function()
  it("knows names", function()
    assert.equal([[<a href="x"> & ' é ÿ – …]],
      htmlscan.decode "&lt;a href=&quot;x&quot;&gt; &amp; &apos; &eacute; &yuml; &ndash; &hellip;")
  end)

  it("knows numbers", function()
    assert.equal("A—é€", htmlscan.decode "&#65;&#x2014;&#XE9;&#8364")
    assert.equal("Axyz", htmlscan.decode "&#65xyz")
  end)

  it("reads the numbers of old pages as those meant", function()
    assert.equal("“x” – €", htmlscan.decode "&#147;x&#148; &#150; &#128;")
  end)

  it("puts the replacement character for what is none", function()
    assert.equal(("\u{FFFD}"):rep(4), htmlscan.decode "&#0;&#xD800;&#x110000;&#99999999999999;")
  end)

  it("leaves alone what it does not know", function()
    assert.equal("&nosuch; & &; AT&T &#x; &amp", htmlscan.decode "&nosuch; & &; AT&T &#x; &amp")
  end)

  it("decodes once", function()
    assert.equal("&lt;", htmlscan.decode "&amp;lt;")
    assert.equal("&lt;", htmlscan.decode "&#38;lt;")
  end)
end)
