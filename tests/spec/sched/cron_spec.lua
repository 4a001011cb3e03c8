-- What scripts see. Expressions, zones and every change of clocks are tested in C: tests/unit/test_cron.c, test_zone.c.

local tm = require "tidemill"
local helper = require "helper"
local LIMIT = helper.LIMIT

after_each(helper.settle)

--- What a script of its own prints, with these variables in its environment.
local function run(environment, code)
  local pipe <close> = assert(io.popen(("env %s %s -e '%s' 2>&1"):format(environment, os.getenv "TIDEMILL", code)))
  return (pipe:read("a"):gsub("\n$", ""))
end

local UTC, ZURICH = { zone = "UTC" }, { zone = "Europe/Zurich" }

describe("cron.next", function()
  it("gives the next instant, an integer", function()
    local instant = tm.cron.next("0 * * * *", 1, nil, UTC)
    assert.equal("integer", math.type(instant))
    assert.equal(3600, instant)
  end)

  it("gives a list where a number is asked for", function()
    assert.same({ 3600, 7200, 10800 }, tm.cron.next("0 * * * *", 0, 3, UTC))
    assert.same({ 3600 }, tm.cron.next("0 * * * *", 0, 1, UTC))
    assert.equal(100000, #tm.cron.next("* * * * * *", 0, 100000, UTC))
  end)

  it("is strictly behind the other instant", function()
    assert.equal(60, tm.cron.next("* * * * *", 0, nil, UTC))
    assert.equal(60, tm.cron.next("* * * * *", 59.999, nil, UTC))
    assert.equal(120, tm.cron.next("* * * * *", 60, nil, UTC))
    assert.equal(120, tm.cron.next("* * * * *", 60.0, nil, UTC))
    assert.equal(0, tm.cron.next("* * * * *", -0.5, nil, UTC))
    assert.equal(-60, tm.cron.next("* * * * *", -61, nil, UTC))
  end)

  it("begins now", function()
    local before = tm.now()
    local instant = tm.cron.next "* * * * * *"
    assert.is_true(instant > before and instant <= tm.now() + 1)
  end)

  it("knows local times, gaps, and times that come twice", function()
    assert.same({ 1774659600, 1774746000, 1774828800 }, tm.cron.next("0 2 * * *", 1774656000, 3, ZURICH))
    assert.same({ 1792888200, 1792978200 }, tm.cron.next("30 2 * * *", 1792886400, 2, ZURICH))
    assert.same({ 1792888200, 1792891800 }, tm.cron.next("30 * * * *", 1792886400, 2, ZURICH))
  end)

  it("raises for a wrong expression, with its place", function()
    local text = helper.raised(function() tm.cron.next "0 0 * FOO *" end)
    assert.equal("tests/spec/sched/cron_spec.lua:52: cron expression: month: 'FOO' is no month\n"
      .. "    0 0 * FOO *\n          ^\n"
      .. "allowed here: 1-12 or JAN-DEC; *, lists a,b, ranges a-b, steps */n a-b/n a/n", text)
    assert.matches("zero byte", helper.raised(tm.cron.next, "* * * * *\0"))
  end)

  it("raises for a zone that is not there", function()
    local text = helper.raised(tm.cron.next, "@daily", 0, 1, { zone = "Europe/Zurch" })
    assert.matches("no time zone 'Europe/Zurch' in .*/usr/share/zoneinfo.*tzdata", text)
    assert.matches("no time zone ''", helper.raised(tm.cron.next, "@daily", 0, 1, { zone = "" }))
  end)

  it("raises for wrong arguments", function()
    local function wrong(pattern, ...) assert.matches(pattern, helper.raised(tm.cron.next, ...)) end
    wrong("#1.*string expected, got no value")
    wrong("#1.*string expected, got number", 5)
    wrong("#2.*number expected, got table", "@daily", {})
    wrong("#2.*time is NaN", "@daily", 0 / 0)
    wrong("#2.*too far away", "@daily", math.huge)
    wrong("#2.*too far away", "@daily", -1e15)
    wrong("#3.*1 to 100000", "@daily", 0, 0)
    wrong("#3.*1 to 100000", "@daily", 0, 100001)
    wrong("#3.*integer", "@daily", 0, 1.5)
    wrong("#4.*table expected", "@daily", 0, 1, "UTC")
    wrong("#4.*unknown option 'tz' %(known: zone%)", "@daily", 0, 1, { tz = "UTC" })
    wrong("#4.*'zone': a string expected", "@daily", 0, 1, { zone = 1 })
  end)

  it("travels to other states, and is the same there", function()
    local pool, futures = helper.pool { max_workers = 4 }, {}
    local zones = { { zone = "Asia/Kathmandu" }, { zone = "Pacific/Apia" }, { zone = "Africa/Casablanca" } }
    for i = 1, 40 do futures[i] = pool:submit(tm.cron.next, "0 0 1 1 *", i, 5, zones[i % 3 + 1]) end
    for i, future in ipairs(futures) do
      assert.same(tm.cron.next("0 0 1 1 *", i, 5, zones[i % 3 + 1]), future:result(LIMIT))
    end
  end)
end)

describe("cron.check", function()
  it("tells whether an expression is right", function()
    assert.is_true(tm.cron.check "*/5 * * * *")
    assert.is_true(tm.cron.check("@daily", UTC))
    local ok, problem = tm.cron.check "0 0 30 2 *"
    assert.is_nil(ok)
    assert.matches("^cron expression: day%-of%-month: never due", problem)
    ok, problem = tm.cron.check("", UTC)
    assert.is_nil(ok)
    assert.matches("0 fields", problem)
    assert.matches("zero byte", select(2, tm.cron.check "\0"))
  end)

  it("tells whether a zone is there", function()
    assert.is_true(tm.cron.check("@daily", ZURICH))
    local ok, problem = tm.cron.check("@daily", { zone = "../../etc/passwd" })
    assert.is_nil(ok)
    assert.matches("no time zone '../../etc/passwd'", problem)
  end)

  it("raises for wrong arguments", function()
    assert.matches("#1.*string expected", helper.raised(tm.cron.check))
    assert.matches("unknown option", helper.raised(tm.cron.check, "@daily", { zones = 1 }))
  end)
end)

describe("the local zone", function()
  local code = [[print(require("tidemill").cron.next("0 0 * * *", 0))]]

  it("is what TZ says", function()
    assert.equal("82800", run("TZ=Europe/Zurich", code))
    assert.equal("82800", run("TZ=:Europe/Zurich", code))
    assert.equal("82800", run("TZ=/usr/share/zoneinfo/Europe/Zurich", code))
    assert.equal("82800", run("TZ=CET-1CEST,M3.5.0,M10.5.0/3", code))
    assert.equal("18000", run("TZ=EST5EDT", code))
    assert.equal("20700", run("TZ=\"<-0545>5:45\"", code))
    assert.equal("86400", run("TZ=", code))
    assert.equal("86400", run("TZ=UTC", code))
    assert.equal("86400", run("TZ=UTC0", code))
  end)

  it("is that of the system without TZ", function()
    local pipe <close> = assert(io.popen("env -u TZ date -d @86400 +%H:%M:%S"))
    local hour, minute = pipe:read("a"):match "(%d+):(%d+)"
    assert.equal("86400", run("-u TZ", ([[print(require("tidemill").cron.next("%d %d * * *", 86399))]])
      :format(minute, hour)))
  end)

  it("is an error where TZ says nonsense", function()
    assert.matches("no time zone 'No/Where' in .*TZ", run("TZ=No/Where", code))
    assert.matches("no time zone '/no/such' in .*TZ", run("TZ=/no/such", code))
    assert.matches("no time zone", run("TZ=/dev/zero", code))
    assert.matches("no time zone file", run("TZ=/usr/share/zoneinfo/zone.tab", code))
  end)

  it("is the default", function()
    assert.equal(run("TZ=Asia/Kathmandu", code),
      tostring(tm.cron.next("0 0 * * *", 0, nil, { zone = "Asia/Kathmandu" })))
  end)
end)
