--- What the specs of tm.http share: where the servers are, and that no transfer is left behind.

local assert = require "luassert"
local helper = require "helper"
local tm = require "tidemill"

local M = {}

--- The value of TIDEMILL_<name>; nil where that server is not installed.
function M.url(name)
  return os.getenv("TIDEMILL_" .. name .. "_URL")
end

M.fault = M.url("FAULT") or error("run these with tests/servers/with-servers.py")
M.nginx, M.tls, M.httpbin = M.url("NGINX"), M.url("NGINX_TLS"), M.url("HTTPBIN")
M.ca = os.getenv("TIDEMILL_TEST_CA")

--- The failure of a request that must fail: its kind and the whole error.
function M.failure(res, err)
  if res then error("a failure was expected, got " .. tostring(res), 2) end
  return err.kind, err
end

local function collect()
  collectgarbage()
  collectgarbage()
end

--- Waits until the I/O thread does nothing any more. A stream that a task left open goes with the garbage of its
--- worker, so all collect theirs.
function M.all_ended()
  collect()
  helper.eventually(function()
    if tm.http.stats().operations == 0 then return true end
    local futures = {}
    for i = 1, 8 do futures[i] = tm.submit(collect) end
    tm.wait(futures)
  end)
end

--- For after_each: nothing that the I/O thread does may outlive its test.
function M.settle()
  M.all_ended()
  helper.settle()
end

--- Waits until fault.py has that many requests in progress.
function M.in_progress(count)
  local res = assert(tm.http.get(M.fault .. "/wait-connections", { query = { in_progress = count, seconds = 20 } }))
  assert.equal(count, res:json().in_progress)
end

return M
