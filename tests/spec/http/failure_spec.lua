-- Servers that misbehave, limits, and what a cancellation leaves behind.

local helper = require "helper"
local tm = require "tidemill"
local web = require "http.web"

local http = tm.http

local function kind(path, options)
  return (web.failure(http.get(web.fault .. path, options)))
end

describe("a server that", function()
  after_each(web.settle)

  local expected = {
    { "/close-early", "closed" }, { "/close-at-once", "closed" }, { "/close-in-headers", "closed" },
    { "/reset", "closed" },
    { "/reset?bytes=100", "closed" }, { "/chunk-cut", "closed" }, { "/gzip-cut", "closed protocol" },
    { "/length-negative", "protocol" }, { "/length-twice", "protocol closed" }, { "/endless-headers", "too_large" },
    { "/bad-chunks", "protocol closed" }, { "/bad-gzip", "protocol" }, { "/bad-status-line", "protocol" },
    { "/http09", "protocol" },
  }
  for _, each in ipairs(expected) do
    it("answers " .. each[1] .. " fails the request", function()
      local res, err = http.get(web.fault .. each[1], { timeout = 30 })
      assert.is_nil(res)
      assert.matches(err.kind, each[2])
      assert.equal(web.fault .. each[1], err.url)
      assert.equal("GET", err.method)
      assert.matches(web.fault, tostring(err), 1, true)
    end)
  end

  it("sends more than it said is taken at its word", function()
    assert.equal(5, #assert(http.get(web.fault .. "/length-lies-short")).body)
    assert.equal(200, assert(http.get(web.fault .. "/status")).status) -- and the rest is no answer to the next
  end)

  it("is not there fails the request", function()
    local k, err = web.failure(http.get("http://127.0.0.1:1/"))
    assert.equal("connect", k)
    assert.matches("127.0.0.1:1", tostring(err))
  end)

  it("has closed an idle connection costs nothing", function()
    for _ = 1, 3 do assert.equal(200, assert(http.get(web.fault .. "/close-after")).status) end
  end)
end)

describe("a time limit", function()
  after_each(web.settle)

  it("holds for all of it", function()
    for _, path in ipairs({ "/never", "/stall", "/trickle?bytes=1000&every=0.05", "/slow?seconds=60" }) do
      local start = tm.monotonic()
      assert.equal("timeout", kind(path, { timeout = 0.2 }))
      assert.is_true(tm.monotonic() - start < 10)
    end
    web.in_progress(0)
  end)

  it("holds for a stall", function()
    assert.equal("timeout", kind("/never", { stall_timeout = 0.3 }))
    assert.equal("timeout", kind("/stall", { stall_timeout = 0.3 }))
    assert.equal(10, #assert(http.get(web.fault .. "/trickle?bytes=10&every=0.1", { stall_timeout = 5 })).body)
  end)

  it("may be a tm.timeout around it", function()
    local e = helper.raised(tm.timeout, 0.1, function() return http.get(web.fault .. "/never") end)
    assert.equal("timeout", e.kind)
    web.in_progress(0)
  end)
end)

describe("a limit of size", function()
  after_each(web.settle)

  it("holds for bodies, told or not", function()
    assert.equal("too_large", kind("/big?bytes=10000000000", { max_body = 1000 }))
    assert.equal("too_large", kind("/chunked?n=1000&size=1000", { max_body = 1000 }))
    assert.equal("too_large", kind("/gzip-bomb?mb=100", { max_body = 1024 * 1024 }))
    assert.equal("too_large", kind("/big?bytes=10000000000")) -- 256 MiB unless told
    assert.equal(1000, #assert(http.get(web.fault .. "/big?bytes=1000", { max_body = 1000 })).body)
  end)
end)

describe("cancelling", function()
  after_each(web.settle)

  it("aborts a transfer at once", function()
    local url = web.fault .. "/never"
    local pool <close> = helper.pool({ max_workers = 50 })
    local futures = {}
    for i = 1, 50 do futures[i] = pool:submit(function() return tm.http.get(url) end) end
    web.in_progress(50)
    assert.equal(50, http.stats().running)
    local start = tm.monotonic()
    for _, future in ipairs(futures) do future:cancel() end
    tm.wait(futures)
    web.in_progress(0)
    assert.is_true(tm.monotonic() - start < 5)
    assert.equal(0, http.stats().running)
  end)

  it("reaches those that wait for their turn", function()
    local url, before = web.fault .. "/never", http.limits()
    http.limits({ per_host = 2 })
    finally(function() http.limits(before) end)
    local pool <close> = helper.pool({ max_workers = 10 })
    local futures = {}
    for i = 1, 10 do futures[i] = pool:submit(function() return tm.http.get(url) end) end
    helper.eventually(function() return http.stats().waiting == 8 end)
    assert.equal(2, http.stats().running)
    for _, future in ipairs(futures) do future:cancel() end
    tm.wait(futures)
  end)

  it("collides with everything", function()
    local pool <close> = helper.pool({ max_workers = 16 })
    local paths = { "/status", "/slow?seconds=0.01", "/redirect-chain?n=2", "/never", "/big?bytes=100000",
      "/chunked?n=20&size=100&every=0.001", "/close-early", "/gzip-bomb?mb=1" }
    local futures = {}
    for i = 1, 400 do
      local url, limit, stream = web.fault .. paths[i % #paths + 1], (i * 7 % 31) / 1000, i % 3 == 0
      futures[i] = pool:submit(function()
        return pcall(tm.timeout, limit, function()
          local res = tm.http.get(url, { stream = stream, timeout = 10 })
          if res and stream then for _ in res:chunks() do end end
          return res and res.status
        end)
      end)
      if i % 5 == 0 then futures[i - 2]:cancel() end
    end
    tm.wait(futures)
    web.all_ended()
    web.in_progress(0)
  end)
end)

describe("limits of connections", function()
  after_each(web.settle)

  it("make requests wait, not fail", function()
    local url, before = web.fault .. "/slow?seconds=0.02", http.limits()
    http.limits({ per_host = 3 })
    finally(function() http.limits(before) end)
    local pool <close> = helper.pool({ max_workers = 30 })
    local most = tm.counter()
    local statuses = pool:map(function()
      local running = tm.http.stats().running
      if running > most:get() then most:set(running) end
      return assert(tm.http.get(url)).status
    end, { table.unpack({}, 1, 30) }, {}):collect()
    assert.equal(0, #statuses)
    local futures = {}
    for i = 1, 30 do
      futures[i] = pool:submit(function()
        local running = tm.http.stats().running
        if running > 3 then error("too many at once: " .. running) end
        return assert(tm.http.get(url)).status
      end)
    end
    for _, status in ipairs(tm.gather(futures)) do assert.equal(200, status) end
  end)

  it("reuse connections over all workers", function()
    local url = web.fault .. "/keep-alive-count"
    local pool <close> = helper.pool({ max_workers = 4 })
    local futures, connections, count = {}, {}, 0
    for i = 1, 40 do futures[i] = pool:submit(function() return tm.http.get(url):json().connection end) end
    for _, connection in ipairs(tm.gather(futures)) do
      count = count + (connections[connection] and 0 or 1)
      connections[connection] = true
    end
    assert.is_true(count <= 8, count)
  end)
end)

describe("retries", function()
  after_each(web.settle)

  local key = 0
  local function retry(query, options)
    key = key + 1
    query.key = ("%d-%.0f"):format(key, tm.monotonic() * 1e6)
    options.query = query
    options.url = web.fault .. "/retry"
    return http.request(options)
  end

  it("try again until it works", function()
    local res = assert(retry({ fail = 2 }, { retries = { attempts = 3, backoff = 0.01 } }))
    assert.equal(200, res.status)
    assert.equal(3, res.attempts)
    assert.equal(3, res:json().count)
  end)

  it("give up with the last response", function()
    local res = assert(retry({ fail = 9 }, { retries = { attempts = 2, backoff = 0.01 } }))
    assert.equal(503, res.status)
    assert.equal(3, res.attempts)
  end)

  it("are for idempotent methods, unless told", function()
    assert.equal(503, assert(retry({ fail = 1 }, { method = "POST", retries = { backoff = 0.01 } })).status)
    local unsafe = { backoff = 0.01, unsafe = true }
    assert.equal(200, assert(retry({ fail = 1 }, { method = "POST", retries = unsafe })).status)
    assert.equal(200, assert(retry({ fail = 1 }, { method = "PUT", retries = { backoff = 0.01 } })).status)
    assert.equal(503, assert(retry({ fail = 1 }, {})).status)
    assert.equal(404, assert(retry({ fail = 1, code = 404 }, { retries = { backoff = 0.01 } })).status)
  end)

  it("wait as long as the server asks, up to a limit", function()
    local start = tm.monotonic()
    assert.equal(200, assert(retry({ fail = 1, after = 1 }, { retries = { backoff = 0.01 } })).status)
    assert.is_true(tm.monotonic() - start >= 1)
    local k, err = web.failure(retry({ fail = 1, after = 3600 }, { retries = { backoff = 0.01 } }))
    assert.equal("retry_after", k)
    assert.equal(3600, err.retry_after)
  end)

  it("are for failures of the network, too", function()
    local k, err = web.failure(http.get("http://127.0.0.1:1/", { retries = { attempts = 2, backoff = 0.01 } }))
    assert.equal("connect", k)
    assert.equal(3, err.attempts)
  end)

  it("stay within the time limit, of which one attempt takes a quarter", function()
    local start = tm.monotonic()
    local retries = { attempts = 9, backoff = 0.01 }
    local k, err = web.failure(http.get(web.fault .. "/never", { timeout = 1, retries = retries }))
    local took = tm.monotonic() - start
    assert.equal("timeout", k)
    assert.is_true(took < 20)
    assert.is_true(err.attempts >= 2)
  end)
end)
