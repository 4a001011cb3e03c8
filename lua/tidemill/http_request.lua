--- From the arguments of a call of tm.http to what the I/O thread is asked for. Everything that can be wrong with them
--- is told here, as an error at the caller of tm.http.

local core = require("tidemill.core")

local known = {
  url = true, method = true, query = true, headers = true, body = true, json = true, form = true, auth = true,
  cookies = true, redirects = true, verify = true, ca = true, decode = true, http_version = true, timeout = true,
  connect_timeout = true, stall_timeout = true, max_body = true, retries = true, stream = true, proxy = true,
  path = true,
}

local CONNECT_S, STALL_S = 10, 30
local MAX_BODY = 256 * 1024 * 1024
local MAX_REDIRECTS = 10
local MAX_INTEGER = math.maxinteger

local function complain(format, ...)
  local message = format:format(...)
  local level = 2 -- of the first function that is not of tm.http
  local info = debug.getinfo(level, "S")
  while info and info.source:find("tidemill.http", 1, true) do
    level = level + 1
    info = debug.getinfo(level, "S")
  end
  error("bad argument to tm.http: " .. message, level)
end

local function expect(key, value, kind)
  if type(value) ~= kind then complain("option '%s': %s expected, got %s", key, kind, type(value)) end
  return value
end

local function seconds(options, key, absent)
  local value = options[key]
  if value == nil then return absent end
  if type(value) ~= "number" or value <= 0 or value ~= value then
    complain("option '%s': a number of seconds > 0 expected, got %s", key, tostring(value))
  end
  return value
end

local function integer(options, key, least, absent)
  local value = options[key]
  if value == nil then return absent end
  local whole = type(value) == "number" and math.tointeger(value)
  if not whole or whole < least then
    complain("option '%s': an integer >= %d expected, got %s", key, least, tostring(value))
  end
  return whole
end

local function boolean(options, key, absent)
  local value = options[key]
  if value == nil then return absent end
  return expect(key, value, "boolean")
end

local function text(options, key)
  local value = options[key]
  if value ~= nil and (type(value) ~= "string" or value:find("\0", 1, true)) then
    complain("option '%s': a string without NUL expected, got %s", key, type(value))
  end
  return value
end

--- Percent-encodes all but the unreserved characters of RFC 3986, section 2.3.
local function escape(value)
  return (value:gsub("[^%w%-._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function scalar(option, key, value)
  local kind = type(value)
  if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
    complain("option '%s': the value of '%s' is a %s; strings, numbers, booleans and lists of them can be sent", option,
      tostring(key), kind)
  end
  return tostring(value)
end

local function sorted_keys(option, t)
  local keys = {}
  for key in pairs(t) do
    if type(key) ~= "string" then complain("option '%s': names are strings, got a %s", option, type(key)) end
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

--- "a=1&b=2&b=3", names sorted; a list makes its name appear several times.
local function encode_pairs(option, t)
  local parts = {}
  for _, key in ipairs(sorted_keys(option, t)) do
    local value = t[key]
    for _, each in ipairs(type(value) == "table" and value or { value }) do
      parts[#parts + 1] = escape(key) .. "=" .. escape(scalar(option, key, each))
    end
  end
  return table.concat(parts, "&")
end

local function with_query(url, query)
  if query == nil then return url end
  if type(query) ~= "string" then query = encode_pairs("query", expect("query", query, "table")) end
  if query == "" then return url end
  local base, fragment = url:match("^([^#]*)(.*)$")
  local joint = base:find("?", 1, true) and (base:find("[?&]$") and "" or "&") or "?"
  return base .. joint .. query .. fragment
end

--- RFC 9110, section 5.6.2: what names of headers are made of.
local TOKEN = "^[%w!#$%%&'*+%-.^_`|~]+$"

local function header_line(name, value)
  if not name:find(TOKEN) then complain("option 'headers': '%s' is no name of a header", name) end
  value = scalar("headers", name, value)
  if value:find("[\r\n\0]") then complain("option 'headers': the value of '%s' has a line break or NUL in it", name) end
  return value == "" and name .. ";" or name .. ": " .. value
end

--- The lines, and the set of lower-case names.
local function header_lines(headers)
  local lines, has = {}, {}
  for _, name in ipairs(sorted_keys("headers", headers)) do
    local value = headers[name]
    has[name:lower()] = true
    for _, each in ipairs(type(value) == "table" and value or { value }) do
      lines[#lines + 1] = header_line(name, each)
    end
  end
  return lines, has
end

local function set_body(spec, options, has)
  local given
  for _, key in ipairs({ "body", "json", "form" }) do
    if options[key] ~= nil then
      if given then complain("options '%s' and '%s': one of them", given, key) end
      given = key
    end
  end
  local type_header
  if given == "body" then
    spec.body = expect("body", options.body, "string")
  elseif given == "json" then
    spec.body, type_header = core.json.encode(options.json), "application/json"
  elseif given == "form" then
    spec.body = encode_pairs("form", expect("form", options.form, "table"))
    type_header = "application/x-www-form-urlencoded"
  end
  if type_header and not has["content-type"] then spec.headers[#spec.headers + 1] = "Content-Type: " .. type_header end
end

local function set_auth(spec, auth, has)
  if auth == nil then return end
  expect("auth", auth, "table")
  if auth.bearer then
    local line = header_line("Authorization", "Bearer " .. auth.bearer)
    if not has.authorization then spec.headers[#spec.headers + 1] = line end
    return
  end
  local user, password = auth.user or auth[1], auth.password or auth[2] or ""
  if type(user) ~= "string" or type(password) ~= "string" then
    complain("option 'auth': { user, password }, { user=, password=, scheme= } or { bearer= } expected")
  end
  if (user .. password):find("\0", 1, true) then complain("option 'auth': a name or password with NUL in it") end
  if auth.scheme and auth.scheme ~= "basic" and auth.scheme ~= "digest" then
    complain("option 'auth': scheme 'basic' or 'digest' expected, got '%s'", tostring(auth.scheme))
  end
  spec.user, spec.password, spec.digest = user, password, auth.scheme == "digest"
end

--- Takes a name and a password out of a URL: they would stand in errors, in res.url and so in logs. `auth` comes first.
local function split_secrets(url)
  local scheme, secrets, rest = url:match("^(%a[%w+.-]*://)([^/?#]*)@([^/?#@]*.*)$")
  if not scheme then return url end
  local user, password = secrets:match("^([^:]*):?(.*)$")
  local function plain_text(s) return (s:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)) end
  return scheme .. rest, { plain_text(user), plain_text(password) }
end

--- "host\tsubdomains\tpath\tsecure\texpires\tname\tvalue", as browsers of old kept them; for libcurl.
local function set_cookies(spec, url, cookies, jar)
  local lines = { jar and jar.lines ~= "" and jar.lines:gsub("\n$", "") or nil }
  if cookies ~= nil then
    local host = url:match("^%a[%w+.-]*://[^/?#]*"):gsub("^.*//", ""):gsub("^.*@", ""):gsub(":%d*$", ""):lower()
    host = host:match("^%[(.*)%]$") or host
    -- a redirect to http does not tell them
    local secure = url:find("^[hH][tT][tT][pP][sS]:") and "TRUE" or "FALSE"
    for _, name in ipairs(sorted_keys("cookies", expect("cookies", cookies, "table"))) do
      local value = scalar("cookies", name, cookies[name])
      if (name .. value):find("[%c;]") or name:find("[=%s]") or name == "" then
        complain("option 'cookies': '%s' has characters that no cookie may have", name)
      end
      lines[#lines + 1] = table.concat({ host, "FALSE", "/", secure, "0", name, value }, "\t")
    end
  end
  if jar or cookies ~= nil then spec.cookies = table.concat(lines, "\n") end
end

--- The proxy that the environment names for this URL, as curl reads it; a script's own choice comes first.
local function environment_proxy(url)
  local scheme, host = url:match("^(%a+)://([^/?#]*)")
  if not scheme then return nil end
  host = host:gsub("^.*@", ""):gsub(":%d*$", ""):lower()
  for each in (os.getenv("no_proxy") or os.getenv("NO_PROXY") or ""):gmatch("[^%s,]+") do
    local domain = each:lower():gsub("^%.", "")
    if each == "*" or host == domain or host:sub(-#domain - 1) == "." .. domain then return nil end
  end
  local proxy = os.getenv(scheme:lower() .. "_proxy") or scheme:lower() == "https" and os.getenv("HTTPS_PROXY") or
    os.getenv("all_proxy") or os.getenv("ALL_PROXY")
  if not proxy or proxy == "" then return nil end
  return proxy:find("://", 1, true) and proxy or "http://" .. proxy
end

local uses_proxies = false
for _, name in ipairs({ "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" }) do
  uses_proxies = uses_proxies or os.getenv(name) ~= nil
end

local retry_keys = {
  attempts = true, backoff = true, factor = true, max_backoff = true, max_retry_after = true, unsafe = true,
}

local function read_retries(retries)
  if retries == nil or retries == 0 then return nil end
  if type(retries) == "number" then retries = { attempts = retries } end
  expect("retries", retries, "table")
  for key in pairs(retries) do
    if not retry_keys[key] then
      complain("option 'retries': unknown key '%s' (known: attempts backoff factor max_backoff max_retry_after unsafe)",
        tostring(key))
    end
  end
  local factor = retries.factor or 2
  if type(factor) ~= "number" or factor < 1 or factor ~= factor then
    complain("option 'retries': factor: a number >= 1 expected, got %s", tostring(factor))
  end
  return {
    attempts = integer(retries, "attempts", 0, 3),
    backoff = seconds(retries, "backoff", 0.5),
    factor = factor,
    max_backoff = seconds(retries, "max_backoff", 30),
    max_retry_after = seconds(retries, "max_retry_after", 60),
    unsafe = boolean(retries, "unsafe", false),
  }
end

local http_versions = { ["1.1"] = 1, ["2"] = 2 }

local function read_http_version(version)
  if version == nil then return 0 end
  local number = http_versions[version]
  if not number then complain("option 'http_version': '1.1' or '2' expected, got %s", tostring(version)) end
  return number
end

--- Most requests have no options at all. Without a proxy they differ in nothing but their URL.
local constant = {}

local function plain(method, url)
  local spec = constant[method]
  if spec then return spec end
  spec = {
    method = method, constant = not uses_proxies, verify = true, decode = true, max_redirects = MAX_REDIRECTS,
    connect_timeout = CONNECT_S, stall_timeout = STALL_S, max_body = MAX_BODY,
    proxy = uses_proxies and environment_proxy(url) or nil,
  }
  if spec.constant then constant[method] = spec end
  return spec
end

--- What core.http.transfer wants, and the retries or nil.
---@return table spec
---@return string url
---@return table? retries
return function(method, url, options, jar)
  if type(url) ~= "string" or url == "" then
    complain("a URL (a string) expected, got %s", url == "" and "''" or type(url))
  end
  if url:find("\0", 1, true) or url:find("\n", 1, true) then complain("the URL has a line break or NUL in it") end
  local auth
  if url:find("@", 1, true) then url, auth = split_secrets(url) end
  if options == nil and not jar and not auth then return plain(method, url), url end
  options = options == nil and {} or options
  if type(options) ~= "table" then complain("a table of options expected, got %s", type(options)) end
  for key in pairs(options) do
    if not known[key] then
      local names = {}
      for name in pairs(known) do names[#names + 1] = name end
      table.sort(names)
      complain("unknown option '%s' (known: %s)", tostring(key), table.concat(names, " "))
    end
  end
  if type(method) ~= "string" or not method:find(TOKEN) then
    complain("option 'method': a word like GET expected, got %s", tostring(method))
  end
  local target = with_query(url, options.query)
  local spec = {
    method = method:upper(),
    verify = boolean(options, "verify", true),
    ca = text(options, "ca"),
    decode = boolean(options, "decode", true) and options.path == nil, -- a file gets what the server has
    http = read_http_version(options.http_version),
    timeout = seconds(options, "timeout"),
    connect_timeout = seconds(options, "connect_timeout", CONNECT_S),
    stall_timeout = seconds(options, "stall_timeout", STALL_S),
    path = text(options, "path"),
    stream = boolean(options, "stream", false),
    proxy = text(options, "proxy") or uses_proxies and environment_proxy(url) or nil,
  }
  local endless = spec.path or spec.stream
  spec.max_body = integer(options, "max_body", 0, endless and MAX_INTEGER or MAX_BODY)
  local redirects = options.redirects
  if redirects == nil or redirects == true then
    spec.max_redirects = MAX_REDIRECTS
  elseif redirects == false then
    spec.max_redirects = 0
  else
    spec.max_redirects = integer(options, "redirects", 0)
  end
  local has = {}
  spec.headers = {}
  if options.headers ~= nil then spec.headers, has = header_lines(expect("headers", options.headers, "table")) end
  set_body(spec, options, has)
  set_auth(spec, options.auth == nil and auth or options.auth, has)
  if spec.proxy == "" then spec.proxy = nil end
  if (options.cookies ~= nil or jar) and target:find("^%a[%w+.-]*://") then
    set_cookies(spec, target, options.cookies, jar)
  end
  return spec, target, read_retries(options.retries)
end
