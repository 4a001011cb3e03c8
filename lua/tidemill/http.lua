--- tm.http: requests, retries, responses. The transfers themselves are made by the I/O thread (tidemill.core).
--- Loaded at the first use of tm.http.

local core = require("tidemill.core")
local build = require("tidemill.http_request")
local response = require("tidemill.http_response")

local transfer = core.http.transfer

local M = {}

--- The metatables of responses and of their headers; members, so that both travel between tasks.
M.Response = response.Response
M.Headers = response.Headers

--- Statuses after which a request is tried again.
local RETRY_STATUS = { [429] = true, [502] = true, [503] = true, [504] = true }

--- Kinds of failures that may not happen again. What is wrong with the request or the response itself will.
local RETRY_KIND = { dns = true, connect = true, timeout = true, closed = true }

local METHODS = { get = "GET", head = "HEAD", post = "POST", put = "PUT", patch = "PATCH", delete = "DELETE" }

local IDEMPOTENT = { GET = true, HEAD = true, PUT = true, DELETE = true, OPTIONS = true, TRACE = true }

--- One attempt: a response, or nil, err.
local function attempt(spec, url, deadline)
  local status, version, head, body, last_url, redirects, elapsed, timings, cookies = transfer(spec, url, deadline)
  if status then
    return response.new(spec, status, version, head, body, last_url, redirects, elapsed, timings, cookies)
  end
  local err = version
  err.url, err.method = url, spec.method
  return nil, err
end

--- The delay that the server asks for, in seconds; nil if it asks for none.
local function asked_delay(res)
  local value = res and res.headers["retry-after"]
  if not value then return nil end
  local seconds = tonumber(value)
  if not seconds then
    local at = response.parse_date(value)
    seconds = at and at - core.now()
  end
  return seconds and seconds >= 0 and seconds or nil
end

--- Whether an attempt is worth another one, and after how many seconds; nil, err where the server asks for too long a
--- delay.
local function next_delay(res, err, retry, n)
  if res and not RETRY_STATUS[res.status] or err and not RETRY_KIND[err.kind] then return false end
  local asked = asked_delay(res)
  if asked and asked > retry.max_retry_after then
    local message = ("%s asks for %g s of patience (Retry-After), more than max_retry_after = %g s")
      :format(res.url, asked, retry.max_retry_after)
    return nil, setmetatable({ kind = "retry_after", message = message, retry_after = asked, status = res.status,
      url = res.url }, core.error_class)
  end
  local ceiling = math.min(retry.max_backoff, retry.backoff * retry.factor ^ (n - 1))
  return math.max(asked or 0, math.random() * ceiling) -- "full jitter": Brooker, Exponential Backoff And Jitter (2015)
end

local function with_retries(spec, url, retry, over)
  local share = spec.timeout and spec.timeout / 4 -- so that one attempt that hangs leaves time for others
  local n = 0
  local res, err
  while true do
    n = n + 1
    local last = n > retry.attempts
    res, err = attempt(spec, url, over and (last and over or math.min(over, core.monotonic() + share)))
    if last then break end
    local delay, problem = next_delay(res, err, retry, n)
    if problem then
      if res then res:close() end
      problem.attempts = n
      return nil, problem
    end
    if not delay or over and core.monotonic() + delay >= over then break end
    if res and res.close then res:close() end
    core.sleep(delay)
  end
  if err then err.attempts = n else res.attempts = n end
  return res, err
end

local function perform(method, url, options, jar)
  local spec, target, retry = build(method, url, options, jar)
  local timeout = spec.timeout
  local over = timeout and core.monotonic() + timeout
  local res, err
  if retry and (IDEMPOTENT[spec.method] or retry.unsafe) then
    res, err = with_retries(spec, target, retry, over)
  else
    res, err = attempt(spec, target, over)
  end
  if res and jar then jar.lines = res._cookies end
  return res, err
end

--- Makes a request and waits for its response; `url` and `method` stand among the options.
---@param options tidemill.http.request_options
---@return tidemill.http.Response? response
---@return tidemill.http.error? err
function M.request(options)
  if type(options) ~= "table" then
    error(("bad argument #1 to 'request' (table expected, got %s)"):format(type(options)), 2)
  end
  return perform(options.method or "GET", options.url, options)
end

for name, method in pairs(METHODS) do
  M[name] = function(url, options) return perform(method, url, options) end
end

--- Downloads to a file, which appears under its name when it is complete.
---@param url string
---@param path string
---@param options? tidemill.http.options
---@return tidemill.http.Response? response without a body
---@return tidemill.http.error? err kind "status" for a response that is no success; then err.response is that
function M.download(url, path, options)
  if type(path) ~= "string" or path == "" or path:find("\0", 1, true) then
    error(("bad argument #2 to 'download' (path expected, got %s)"):format(path == "" and "''" or type(path)), 2)
  end
  if options ~= nil and type(options) ~= "table" then
    error(("bad argument #3 to 'download' (table of options expected, got %s)"):format(type(options)), 2)
  end
  local with_path = { path = path }
  for key, value in pairs(options or {}) do with_path[key] = value end
  local res, err = perform("GET", url, with_path)
  if not res then return nil, err end
  if res.status >= 300 then return nil, response.status_error(res) end
  return res
end

--- Bounds the transfers that run at once, over all tasks; those above wait for their turn.
---@param options? { connections?: integer, per_host?: integer } 1 or more each
---@return { connections: integer, per_host: integer } limits what holds from now on
function M.limits(options)
  if options ~= nil and type(options) ~= "table" then
    error(("bad argument #1 to 'limits' (table expected, got %s)"):format(type(options)), 2)
  end
  local connections, per_host = core.http.limits()
  for key, value in pairs(options or {}) do
    if key ~= "connections" and key ~= "per_host" then
      error(("bad argument #1 to 'limits' (unknown option '%s' (known: connections per_host))")
        :format(tostring(key)), 2)
    end
    if math.type(value) ~= "integer" or value < 1 or value > 100000 then
      error(("bad argument #1 to 'limits' (option '%s': an integer from 1 to 100000 expected, got %s)"):format(key,
        tostring(value)), 2)
    end
    if key == "connections" then connections = value else per_host = value end
  end
  if options then core.http.limits(connections, per_host) end
  return { connections = connections, per_host = per_host }
end

--- What is under way now: transfers that run, that wait for a place, and all operations of the I/O thread.
---@return { running: integer, waiting: integer, operations: integer }
function M.stats()
  local running, waiting, operations = core.http.counts()
  return { running = running, waiting = waiting, operations = operations }
end

---@class tidemill.http.Session
local Session = {}
Session.__index = Session
Session.__name = "tidemill.http.session"
M.Session = Session

--- A session: options for all its requests, and the cookies that servers set. It belongs to the task that made it; a
--- task that it is sent to gets a copy.
---@param options? tidemill.http.options
---@return tidemill.http.Session
function M.session(options)
  build("GET", "http://localhost/", options) -- complains of what is wrong with them now
  return setmetatable({ options = options or {}, jar = { lines = "" } }, Session)
end

--- Makes a request with the session's options; those given here win, and headers are joined.
---@param method string
---@param url string
---@param options? tidemill.http.options
function Session:request(method, url, options)
  if options ~= nil and type(options) ~= "table" then return perform(method, url, options) end -- which complains
  local joined = {}
  for key, value in pairs(self.options) do joined[key] = value end
  for key, value in pairs(options or {}) do joined[key] = value end
  if self.options.headers and options and options.headers then
    joined.headers = {}
    for key, value in pairs(self.options.headers) do joined.headers[key] = value end
    for key, value in pairs(options.headers) do joined.headers[key] = value end
  end
  return perform(method, url, joined, self.jar)
end

for name, method in pairs(METHODS) do
  Session[name] = function(self, url, options) return Session.request(self, method, url, options) end
end

--- The cookies that the session holds, by name.
---@return table<string, string>
function Session:cookies()
  return response.cookie_table(self.jar.lines)
end

return M
