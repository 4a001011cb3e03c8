--- webpage.lua - fetches one page of the web and reads where its links lead. Runs in tasks, on all workers: only what
--- was found travels back.

local tm = require "tidemill"
local htmlscan = require "tidemill.htmlscan"
local weburl = require "tidemill.weburl"

local SMALL = 64 * 1024 -- bytes of a file that is read, though it is no page, as the connection can be used again then

---@class tidemill.webpage.options
---@field sites table<string, true>  the origins whose links are wanted
---@field include string[]?  patterns of Lua: of links one must match
---@field exclude string[]?  ... none of these may
---@field timeout number  seconds for a page, retries included
---@field retries integer
---@field max_body integer  bytes of a page
---@field user_agent string

---@class tidemill.webpage
---@field url string
---@field status integer?  nil if there was no response
---@field title string?
---@field bytes integer?  of the body; nil for a file that was not read and did not say
---@field html boolean  a page: its links were read
---@field links string[]  the pages that it links, once each, and only those that are wanted
---@field link_count integer  all links, those of other sites included
---@field redirect string?  where a redirect leads to
---@field seconds number  from the request to the end of the body
---@field error string?  why there is no page
---@field depth integer?  links from the start, on the way on which the crawler found it
---@field from string?  the page on which the crawler found it

---@class tidemill.webpage.module
local M = {}

local REDIRECT = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

--- Whether a link is one to follow.
---@param url string
---@param options { include: string[]?, exclude: string[]? }
---@return boolean
function M.wanted(url, options)
  for _, pattern in ipairs(options.exclude or {}) do
    if url:find(pattern) then return false end
  end
  if not options.include or #options.include == 0 then return true end
  for _, pattern in ipairs(options.include) do
    if url:find(pattern) then return true end
  end
  return false
end

--- Finds title and links in the text of a page.
---@param url string  of the page
---@param html string
---@param options tidemill.webpage.options
---@return string? title
---@return string[] links  those that are wanted, in order of appearance
---@return integer count  all links: addresses that differ in more than what follows their "#"
function M.read(url, html, options)
  local found = htmlscan.parse(html)
  local here = assert(weburl.parse(url))
  local base = found.base and weburl.resolve(here, found.base) or here
  local links, count, seen, targets = {}, 0, {}, {}
  for _, link in ipairs(found.links) do
    local address = link:match("^[^#]*")
    if address ~= "" and not seen[address] then -- many links of a page differ in their fragments only
      seen[address] = true
      local target = weburl.resolve(base, address)
      local text = target and weburl.format(target)
      count = count + (text and targets[text] and 0 or 1)
      if text and not targets[text] then
        targets[text] = true
        if options.sites[weburl.origin(target)] and M.wanted(text, options) then links[#links + 1] = text end
      end
    end
  end
  return found.title and htmlscan.utf8(found.title), links, count
end

---@param res tidemill.http.Response
local function is_html(res)
  local kind = (res.headers["content-type"] or ""):lower():match("^%s*([^;%s]*)")
  return kind == "text/html" or kind == "application/xhtml+xml"
end

--- The whole body of a stream. Raises if it breaks off.
---@param res tidemill.http.Response
local function body_of(res)
  local pieces = {}
  for piece in res:chunks() do pieces[#pieces + 1] = piece end
  return table.concat(pieces)
end

--- What a response tells; the text of a page is returned.
---@param page tidemill.webpage
---@param res tidemill.http.Response
---@return string? html
local function read_response(page, res)
  local length = math.tointeger(tonumber(res.headers["content-length"]))
  local location = REDIRECT[res.status] and res.headers.location
  if location then
    local target = weburl.resolve(weburl.parse(page.url), location)
    page.redirect = target and weburl.format(target) or location
  end
  page.html = not location and res.status < 300 and is_html(res)
  if not page.html and (length or math.huge) > SMALL then
    page.bytes = length
    return nil
  end
  local body = body_of(res)
  page.bytes = #body
  return page.html and body or nil
end

--- The message of an error, without the URL that it begins with.
---@param err any
---@param url string
local function message_of(err, url)
  local text = tostring(err)
  return text:sub(1, #url + 2) == url .. ": " and text:sub(#url + 3) or text
end

--- Fetches a page. Never raises for what a server does.
---@param url string
---@param options tidemill.webpage.options
---@return tidemill.webpage
function M.fetch(url, options)
  local page = { url = url, html = false, links = {}, link_count = 0 } ---@type tidemill.webpage
  local started = tm.monotonic()
  local res <close>, err = tm.http.get(url, {
    stream = true, redirects = false, timeout = options.timeout, retries = options.retries,
    max_body = options.max_body, headers = { ["User-Agent"] = options.user_agent, Accept = "text/html,*/*;q=0.5" },
  })
  if not res then
    page.error, page.seconds = message_of(err, url), tm.monotonic() - started
    return page
  end
  page.status = res.status
  local ok, html = pcall(read_response, page, res)
  page.seconds = tm.monotonic() - started
  if not ok then
    page.error = message_of(html, url)
  elseif html then
    page.title, page.links, page.link_count = M.read(page.url, html, options)
  end
  return page
end

return M
