local robots = require "tidemill.robots"

local function allowed(text, path, agent) return robots.parse(text, agent or "mill/1.0"):allows(path) end

describe("robots.parse", function()
  it("allows all where nothing is said", function()
    assert.is_true(allowed("", "/"))
    assert.is_true(allowed("User-agent: *\nDisallow:", "/x"))
    assert.is_true(allowed("<html>no robots here</html>", "/x"))
    assert.is_true(allowed("Disallow: /", "/x")) -- belongs to no group
  end)

  it("takes the group of the agent, else that of *", function()
    local text = "User-agent: *\nDisallow: /\n\nUSER-AGENT: Mill # we\nDisallow: /private\r\n"
    assert.is_true(allowed(text, "/x"))
    assert.is_false(allowed(text, "/private/x"))
    assert.is_false(allowed(text, "/x", "other"))
  end)

  it("joins groups of the same agent, and agents of the same group", function()
    local text = "User-agent: a\nUser-agent: mill\nDisallow: /a\n\nUser-agent: mill\nDisallow: /b"
    assert.is_false(allowed(text, "/a"))
    assert.is_false(allowed(text, "/b"))
    assert.is_true(allowed(text, "/b", "a"))
  end)

  it("lets the longest rule decide, and of two the one that allows", function()
    local text = "User-agent: *\nDisallow: /a\nAllow: /a/b\nDisallow: /a/b/c\nAllow: /p\nDisallow: /p"
    assert.is_false(allowed(text, "/a/x"))
    assert.is_true(allowed(text, "/a/b/x"))
    assert.is_false(allowed(text, "/a/b/cd"))
    assert.is_true(allowed(text, "/p"))
  end)

  it("knows * and $", function()
    local text = "User-agent: *\nDisallow: /*.pdf$\nDisallow: /x*y\nDisallow: /a.b+c"
    assert.is_false(allowed(text, "/d/e.pdf"))
    assert.is_true(allowed(text, "/d/e.pdf?x"))
    assert.is_false(allowed(text, "/x--y-"))
    assert.is_false(allowed(text, "/a.b+c"))
    assert.is_true(allowed(text, "/aXb+c"))
    assert.is_false(allowed("User-agent: *\nDisallow: /$", "/"))
    assert.is_true(allowed("User-agent: *\nDisallow: /$", "/x"))
    assert.is_true(allowed("User-agent: *\nDisallow: /ab*ba$", "/aba"))
    assert.is_false(allowed("User-agent: *\nDisallow: /ab*", "/ab"))
    assert.is_false(allowed("User-agent: *\nDisallow: *x", "/ax"))
    assert.is_false(allowed("User-agent: *\nDisallow: /ä/", "/%C3%A4/"))
  end)

  it("lets robots.txt itself be read, and knows a delay", function()
    assert.is_true(allowed("User-agent: *\nDisallow: /", "/robots.txt"))
    assert.equal(1.5, robots.parse("User-agent: *\nCrawl-delay: 1.5", "mill").delay)
    assert.is_nil(robots.parse("User-agent: *\nCrawl-delay: soon", "mill").delay)
  end)

  it("does not mind many stars", function()
    local text = "User-agent: *\nDisallow: /" .. ("a*"):rep(5000) .. "z"
    assert.is_true(allowed(text, "/" .. ("a"):rep(10000)))
  end)
end)
