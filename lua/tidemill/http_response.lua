--- Responses of tm.http: their headers, bodies, errors.

local core = require("tidemill.core")

local M = {}

---@class tidemill.http.Headers
local Headers = { __name = "tidemill.http.headers" }
M.Headers = Headers

local methods = {}

--- All values of a header, in order.
---@param name string in any case
---@return string[]
function methods.get_all(self, name)
  local wanted, values = name:lower(), {}
  for i = 1, #self, 2 do
    if self[i]:lower() == wanted then values[#values + 1] = self[i + 1] end
  end
  return values
end

--- headers["Content-Type"], in any case; several values are joined as RFC 9110, section 5.2, says.
function Headers.__index(self, name)
  if methods[name] then return methods[name] end
  if type(name) ~= "string" then return nil end
  local values = methods.get_all(self, name)
  if #values > 0 then return table.concat(values, ", ") end
  return nil
end

--- for name, value in pairs(headers): as they came.
function Headers.__pairs(self)
  local i = -1
  return function()
    i = i + 2
    return rawget(self, i), rawget(self, i + 1)
  end
end

local function parse_headers(head)
  local headers = {}
  for name, value in head:gmatch("\n([^:\r\n]+):[ \t]*([^\r\n]*)") do
    headers[#headers + 1] = name
    headers[#headers + 1] = value:match("^(.-)[ \t]*$")
  end
  return setmetatable(headers, Headers)
end

---@class tidemill.http.Response fields: lua/meta/http.lua
local Response = { __name = "tidemill.http.response" }
M.Response = Response

local response_methods = {}

--- Fields that few ask for are made of the head at their first use.
local lazy = {}

function lazy.headers(self)
  return parse_headers(self._head)
end

function lazy.reason(self)
  return self._head:match("^%S+ %d+ ([^\r\n]*)") or ""
end

function lazy.timings(self)
  local packed = self._timings or rawget(self, "_stream") and self._stream:timings()
  if not packed then return nil end
  local queue, dns, connect, tls, first_byte, total = ("dddddd"):unpack(packed)
  return { queue = queue, dns = dns, connect = connect, tls = tls, first_byte = first_byte, total = total }
end

function lazy.cookies(self)
  return M.cookie_table(self._cookies)
end

function Response.__index(self, key)
  local method = response_methods[key]
  if method then return method end
  local make = lazy[key]
  if not make then return nil end
  local value = make(self)
  if value ~= nil then rawset(self, key, value) end
  return value
end

function Response:__tostring()
  return ("response %d of %s"):format(self.status, self.url)
end

--- By name and value, from libcurl's lines.
function M.cookie_table(lines)
  local cookies = {}
  for line in lines:gmatch("[^\n]+") do
    local name, value = line:match("([^\t]*)\t([^\t]*)$")
    if name then cookies[name] = value end
  end
  return cookies
end

local months = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11,
  Dec = 12 }

--- Days from 1970-01-01 to a date of the Gregorian calendar.
local function days(year, month, day)
  if month <= 2 then
    year, month = year - 1, month + 12
  end
  return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719469
end

--- Seconds since the epoch for "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, section 5.6.7); nil if it is none.
function M.parse_date(value)
  local day, month, year, hour, minute, second = value:match("^%a+, (%d+) (%a+) (%d+) (%d+):(%d+):(%d+) GMT$")
  if not months[month] then return nil end
  return days(tonumber(year), months[month], tonumber(day)) * 86400 + hour * 3600 + minute * 60 + second
end

local versions = { [10] = "1.0", [11] = "1.1", [20] = "2" }

--- From what core.http.transfer returned.
function M.new(spec, status, version, head, body, url, redirects, elapsed, timings, cookies)
  local stream = spec.stream and body or nil
  return setmetatable({
    status = status, version = versions[version], url = url, redirects = redirects, elapsed = elapsed,
    _timings = timings,
    body = not stream and (not spec.path or status >= 300) and body or nil,
    path = spec.path, method = spec.method, _head = head, _cookies = cookies, _stream = stream,
  }, Response)
end

function M.status_error(res)
  local message = ("%s %s: status %d %s"):format(res.method, res.url, res.status, res.reason)
  return setmetatable({ kind = "status", message = message:gsub("%s+$", ""), status = res.status, url = res.url,
    response = res }, core.error_class)
end

--- The body as JSON; nil, err (kind "json") where it is none.
---@return any value
---@return table? err
function response_methods:json(options)
  if not self.body then error("this response has no body in memory (it is a stream, or went to a file)", 2) end
  return core.json.decode(self.body, options)
end

--- Raises an error of kind "status" for a status of 400 or more; else returns the response.
---@return tidemill.http.Response
function response_methods:raise_for_status()
  if self.status >= 400 then error(M.status_error(self), 2) end
  return self
end

local function stream_of(res)
  local stream = rawget(res, "_stream")
  if not stream then error("this response is no stream: ask with stream = true", 3) end
  return stream
end

--- The next piece of the body; nil at its end; nil, err for a failure.
---@return string? piece
---@return tidemill.http.error? err
function response_methods:read()
  return stream_of(self):read()
end

--- Iterates over the body in pieces as they come; a failure is raised.
---@return fun(): string?
function response_methods:chunks()
  local stream = stream_of(self)
  return function()
    local piece, err = stream:read()
    if err then error(err, 2) end
    return piece
  end
end

--- Iterates over the lines of the body, without their ends ("\n" or "\r\n"); a failure is raised. A line of more than
--- `max_line` bytes (1 MiB) is one, too.
---@param max_line? integer bytes
---@return fun(): string?
function response_methods:lines(max_line)
  local stream = stream_of(self)
  local rest, from, over = "", 1, false
  max_line = max_line or 1024 * 1024
  return function()
    local parts
    while true do
      local at = rest:find("\n", from, true)
      if at then
        local line = rest:sub(from, at - 1)
        from = at + 1
        if parts then
          parts[#parts + 1] = line
          line = table.concat(parts)
        end
        return (line:gsub("\r$", ""))
      end
      if over then return nil end
      parts = parts or { size = 0 }
      parts[#parts + 1] = rest:sub(from)
      parts.size = parts.size + #parts[#parts]
      if parts.size > max_line then
        local message = ("a line of %s has more than %d bytes"):format(self.url, max_line)
        error(setmetatable({ kind = "too_large", message = message }, core.error_class), 2)
      end
      local piece, err = stream:read()
      if err then error(err, 2) end
      rest, from = piece or "", 1
      if not piece then
        over = true
        local last = table.concat(parts)
        if last ~= "" then return (last:gsub("\r$", "")) end
        return nil
      end
    end
  end
end

--- Ends a stream; what was not read is lost. Twice does no harm.
function response_methods:close()
  local stream = rawget(self, "_stream")
  if stream then stream:close() end
end

Response.__close = response_methods.close

return M
