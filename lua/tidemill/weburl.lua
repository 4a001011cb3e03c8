--- weburl.lua - addresses of pages: where a link leads, written in one way only (RFC 3986).
---
--- Only http and https, as nothing else is a page. What browsers forgive is forgiven: blanks, line breaks, `\`.

local find, gsub, lower, match, upper = string.find, string.gsub, string.lower, string.match, string.upper

---@class tidemill.weburl.parts
---@field scheme "http"|"https"
---@field host string  lower case; IPv6 in brackets
---@field port integer
---@field path string  begins with "/"
---@field query string?  what follows the "?"

---@class tidemill.weburl
local M = {}

local DEFAULT_PORT = { http = 80, https = 443 }

---@param hex string
local function unescaped(hex)
  local char = string.char(tonumber(hex, 16))
  return find(char, "[%w%-._~]") and char or "%" .. upper(hex)
end

--- One spelling of a path or query for what means the same: `%7e` is `~`, `%c3` is `%C3`, a blank is `%20`, a lone `%`
--- is `%25`.
---@param text string
---@return string
function M.escape(text)
  if not find(text, "[^%w%-._~/?&=:@!$'()*+,;]") then return text end
  text = gsub(text, "%%(%x?%x?)", function(hex) return #hex == 2 and unescaped(hex) or "%25" .. hex end)
  return (gsub(text, '[%c "<>\\^`{|}\x7F-\xFF]', function(c) return ("%%%02X"):format(c:byte()) end))
end

--- Takes "." and ".." out of a path that begins with "/" (RFC 3986, 5.2.4).
---@param path string
---@return string
local function without_dots(path)
  if not find(path, "/.", 1, true) then return path end
  local kept, n = {}, 0
  local last
  for segment in path:gmatch("/([^/]*)") do
    last = segment
    if segment == ".." then
      n = math.max(n - 1, 0)
    elseif segment ~= "." then
      n = n + 1
      kept[n] = segment
    end
  end
  local folder = (last == "." or last == "..") and "/" or ""
  return n > 0 and "/" .. table.concat(kept, "/", 1, n) .. folder or "/"
end

--- Takes host and port out of "user@host:port".
---@param authority string
---@param scheme string
---@return string? host  nil if it is none
---@return integer? port
local function read_authority(authority, scheme)
  local address = match(authority, "@([^@]*)$") or authority
  local host, port = match(address, "^(%[[%x:.]+%])(.*)$")
  if not host then host, port = match(address, "^([^:%[%]]*)(.*)$") end
  if not host or host == "" or find(host, "[%s%c%%<>^|\"\\`{}]") or not utf8.len(host) then return nil end
  if port == "" or port == ":" then return lower(host), DEFAULT_PORT[scheme] end
  local number = tonumber(match(port, "^:(%d+)$"))
  if not number or number > 65535 then return nil end
  return lower(host), math.tointeger(number)
end

--- Blanks around a link and line breaks within it do not count.
---@param text string
local function tidy(text)
  if find(text, "[%c ]") then text = gsub(match(text, "^[%c ]*(.-)[%c ]*$"), "[\t\r\n]", "") end
  return text
end

--- Takes an absolute http or https URL apart; its fragment, a name and a password are dropped.
---@param url string
---@return tidemill.weburl.parts? parts  nil if it is none
function M.parse(url)
  local scheme, rest = match(tidy(url), "^(%a+):[/\\][/\\](.*)$")
  scheme = scheme and lower(scheme)
  if not DEFAULT_PORT[scheme] then return nil end
  rest = match(rest, "^[^#]*")
  local authority, tail = match(rest, "^([^/?\\]*)(.*)$")
  local host, port = read_authority(authority, scheme)
  if not host then return nil end
  local path, query = match(tail, "^([^?]*)%??(.*)$")
  path = M.escape(gsub(path, "\\", "/"))
  return {
    scheme = scheme, host = host, port = port, path = path == "" and "/" or without_dots(path),
    query = find(tail, "?", 1, true) and M.escape(query) or nil,
  }
end

--- Scheme, host and port: what makes two URLs the same site.
---@param parts tidemill.weburl.parts
---@return string
function M.origin(parts)
  local port = parts.port == DEFAULT_PORT[parts.scheme] and "" or ":" .. parts.port
  return parts.scheme .. "://" .. parts.host .. port
end

--- Writes a URL in the one way that all its spellings share.
---@param parts tidemill.weburl.parts
---@return string
function M.format(parts)
  return M.origin(parts) .. parts.path .. (parts.query and "?" .. parts.query or "")
end

--- The one spelling of an absolute URL, without its fragment.
---@param url string
---@return string? normal  nil if it is no http or https URL
function M.normalise(url)
  local parts = M.parse(url)
  return parts and M.format(parts)
end

--- Finds out where a link of a page leads (RFC 3986, 5.2).
---@param base tidemill.weburl.parts  the page, or what its `<base>` says
---@param link string
---@return tidemill.weburl.parts? target  nil if it is no page of the web: `mailto:`, `javascript:`, ...
function M.resolve(base, link)
  link = match(tidy(link), "^[^#]*")
  local scheme, rest = match(link, "^(%a[%w+.-]*):(.*)$")
  if scheme then
    -- "http:page.html" has no host of its own; old pages mean their own
    if lower(scheme) ~= base.scheme or find(rest, "^[/\\][/\\]") then return M.parse(link) end
    link = rest
  end
  if find(link, "^[/\\][/\\]") then return M.parse(base.scheme .. ":" .. link) end

  local path, query = match(link, "^([^?]*)%??(.*)$")
  local has_query = find(link, "?", 1, true)
  local target = { scheme = base.scheme, host = base.host, port = base.port }
  target.query = has_query and M.escape(query) or nil
  if path == "" then
    target.path = base.path
    if not has_query then target.query = base.query end
    return target
  end
  path = M.escape(gsub(path, "\\", "/"))
  if not find(path, "^/") then path = match(base.path, "^.*/") .. path end
  target.path = without_dots(path)
  return target
end

return M
