--- sitelinks.lua - says where the links of a folder of HTML pages lead, and which of them lead nowhere.
---
--- A page is known by its path below the folder, "library/os.html". Nothing here opens a file.

local htmlscan = require "tidemill.htmlscan"

---@class tidemill.sitelinks.page
---@field file string  its path below the folder
---@field bytes integer
---@field title string?
---@field headings tidemill.htmlscan.heading[]
---@field anchors table<string, true>
---@field links string[]  as written in the page, decoded
---@field paths (string|false)[]  for each link the file it leads to; false for one that leads out of the site
---@field fragments string[]  for each link what follows its #, or ""
---@field error string?  why the page could not be read; then all else is missing

---@class tidemill.sitelinks.dead
---@field link string
---@field target string  the file, or file#anchor, that is not there
---@field why "no such file"|"no such anchor"

---@class tidemill.sitelinks.group
---@field target string
---@field why string
---@field page string  the first page with such a link
---@field count integer

---@class tidemill.sitelinks.sum
---@field files integer
---@field bytes integer
---@field headings integer
---@field links integer
---@field external integer
---@field dead_links integer
---@field dead_anchors integer

---@class tidemill.sitelinks
local M = {}

---@param hex string
local function percent(hex) return string.char(tonumber(hex, 16)) end

--- Decodes the %XX in a part of a URL.
---@param text string
---@return string
local function unescape(text)
  if not text:find("%", 1, true) then return text end
  return (text:gsub("%%(%x%x)", percent))
end

--- Takes ".", ".." and empty parts out of a path; a ".." that leads above the folder stays, at its front.
---@param path string
---@return string
local function normalise(path)
  if not (path:find("./", 1, true) or path:find("//", 1, true) or path:find("%.$")) then return path end
  local kept = {}
  for segment in path:gmatch("[^/]+") do
    if segment == ".." and #kept > 0 and kept[#kept] ~= ".." then
      kept[#kept] = nil
    elseif segment ~= "." then
      kept[#kept + 1] = segment
    end
  end
  local folder = path:find("/$") or path:find("/%.%.?$") or path == "." or path == ".."
  return table.concat(kept, "/") .. (folder and #kept > 0 and "/" or "")
end

--- Finds out where a link leads. Links with a scheme (`https:`, `mailto:`) or a host lead out of the site.
---@param from string  the page, or what its `<base>` says, that the link is relative to
---@param link string
---@return string|false path  below the folder; with ".." in front if it leads above it
---@return string fragment  what follows the #, or ""
function M.resolve(from, link)
  if link:find("^%a[%w+.-]*:") or link:find("^//") then return false, "" end
  local address, fragment = link:match("^([^#]*)#?(.*)$")
  local path = unescape(address:match("^[^?]*"))
  if path == "" then
    path = from
  elseif path:byte() == 47 then -- /
    path = path:match("^/+(.*)")
  else
    path = (from:match("^.*/") or "") .. path
  end
  return normalise(path), unescape((fragment:gsub(":~:.*", "")))
end

--- Reads a page: what the scanner finds in it, and where its links lead.
---@param file string
---@param html string
---@return tidemill.sitelinks.page
function M.read(file, html)
  local found = htmlscan.parse(html)
  local from, outside = file, false
  if found.base then
    local base = M.resolve(file, found.base)
    from, outside = base or file, not base
  end
  local paths, fragments = {}, {}
  for i, link in ipairs(found.links) do
    if outside and link:byte() ~= 35 then -- #
      paths[i], fragments[i] = false, ""
    else
      paths[i], fragments[i] = M.resolve(from, link)
    end
  end
  return {
    file = file, bytes = #html, title = found.title, headings = found.headings, anchors = found.anchors,
    links = found.links, paths = paths, fragments = fragments,
  }
end

--- A folder's files, and every folder above one of them, as a set.
---@param files string[]  paths below the folder
---@return table<string, true>
function M.known(files)
  local known = { [""] = true }
  for _, file in ipairs(files) do
    known[file] = true
    local folder = file:match("^(.*)/")
    while folder and not known[folder] do
      known[folder], known[folder .. "/"] = true, true
      folder = folder:match("^(.*)/")
    end
  end
  return known
end

---@param pages table<string, tidemill.sitelinks.page>
---@param path string
---@return tidemill.sitelinks.page?
local function page_at(pages, path)
  return pages[path] or pages[path .. "index.html"] or pages[path .. "/index.html"]
end

--- Finds the links of a page that lead to no file or to no anchor.
---@param page tidemill.sitelinks.page
---@param pages table<string, tidemill.sitelinks.page>  every page by its path
---@param exists fun(path: string): boolean  tells whether a file or folder is there
---@return tidemill.sitelinks.dead[]
function M.dead(page, pages, exists)
  local dead = {}
  for i, path in ipairs(page.paths) do
    if path then
      local fragment = page.fragments[i]
      local target = page_at(pages, path)
      if not target and not exists(path) then
        dead[#dead + 1] = { link = page.links[i], target = path, why = "no such file" }
      elseif target and target.anchors and fragment ~= "" and fragment:lower() ~= "top"
        and not target.anchors[fragment] then
        dead[#dead + 1] = { link = page.links[i], target = target.file .. "#" .. fragment, why = "no such anchor" }
      end
    end
  end
  return dead
end

--- Adds up what the pages hold and groups the dead links by target, in order of appearance.
---@param pages tidemill.sitelinks.page[]
---@param dead tidemill.sitelinks.dead[][]  what `dead` found in each page
---@return tidemill.sitelinks.sum sum
---@return tidemill.sitelinks.group[] groups
---@return tidemill.sitelinks.page[] unreadable
function M.summary(pages, dead)
  local sum = { files = 0, bytes = 0, links = 0, external = 0, headings = 0, dead_links = 0, dead_anchors = 0 }
  local groups, by_target, unreadable = {}, {}, {}
  for i, page in ipairs(pages) do
    if page.error then
      unreadable[#unreadable + 1] = page
    else
      sum.files, sum.bytes = sum.files + 1, sum.bytes + page.bytes
      sum.links, sum.headings = sum.links + #page.links, sum.headings + #page.headings
      for _, path in ipairs(page.paths) do
        if not path then sum.external = sum.external + 1 end
      end
    end
    for _, item in ipairs(dead[i]) do
      local field = item.why == "no such file" and "dead_links" or "dead_anchors"
      sum[field] = sum[field] + 1
      local group = by_target[item.target]
      if not group then
        group = { target = item.target, why = item.why, page = page.file, count = 0 }
        by_target[item.target], groups[#groups + 1] = group, group
      end
      group.count = group.count + 1
    end
  end
  return sum, groups, unreadable
end

return M
