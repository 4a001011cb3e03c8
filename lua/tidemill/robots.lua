--- robots.lua - what a site asks of robots in its robots.txt (RFC 9309).

local tm = require "tidemill"
local weburl = require "tidemill.weburl"

---@class tidemill.robots.rule
---@field allow boolean
---@field pieces string[]  of its path, between the `*`
---@field whole boolean  the last piece is the path's end
---@field length integer  of the path as written: the longest that matches wins

---@class tidemill.robots
---@field rules tidemill.robots.rule[]
---@field delay number?  seconds between two requests (Crawl-delay, which the RFC does not have)
local Robots = { __name = "tidemill.robots" }
Robots.__index = Robots

local MAX_BYTES = 512 * 1024 -- what the RFC wants to be read at least, and a little

---@class tidemill.robots.module
local M = { Robots = Robots }

--- A rule for all paths that match: `*` is any text, `$` at the end is the end.
---@param allow boolean
---@param path string
---@return tidemill.robots.rule
local function new_rule(allow, path)
  local rule = { allow = allow, length = #path, whole = path:find("%$$") ~= nil, pieces = {} }
  for piece in weburl.escape(path:gsub("%$$", "")):gmatch("[^*]*") do rule.pieces[#rule.pieces + 1] = piece end
  return rule
end

--- Whether the pieces of a rule stand in a path one behind the other. In one go: a pattern with many `*` could take for
--- ever.
---@param rule tidemill.robots.rule
---@param path string
local function matches(rule, path)
  local pieces, pos = rule.pieces, 1
  for i, piece in ipairs(pieces) do
    local first, last = path:find(piece, pos, true)
    if rule.whole and i == #pieces then
      first = math.max(pos, #path - #piece + 1)
      last = path:sub(first) == piece and #path
    end
    if not last or i == 1 and first > 1 then return false end
    pos = last + 1
  end
  return true
end

--- Reads the text. The groups of this agent count; where there is none, those of `*`.
---@param text string
---@param agent string  as in User-Agent: what stands before its first "/" or blank is its name
---@return tidemill.robots
function M.parse(text, agent)
  local name = agent:match("^[^/%s]*"):lower()
  local groups = { [name] = { rules = {} }, ["*"] = { rules = {} } }
  local found = false
  local current, in_agents = {}, false -- the groups that a line belongs to
  for line in text:gsub("^\xEF\xBB\xBF", ""):gmatch("[^\r\n]+") do
    local field, value = line:gsub("#.*", ""):match("^%s*([%a-]+)%s*:%s*(.-)%s*$")
    field = field and field:lower()
    if field == "user-agent" then
      if not in_agents then current, in_agents = {}, true end
      local who = value:match("^[^/%s]*"):lower()
      current[#current + 1] = groups[who]
      found = found or who == name
    elseif field then
      in_agents = in_agents and field ~= "allow" and field ~= "disallow" and field ~= "crawl-delay"
      for _, group in ipairs(current) do
        if (field == "allow" or field == "disallow") and value ~= "" then
          table.insert(group.rules, new_rule(field == "allow", value))
        elseif field == "crawl-delay" then
          group.delay = tonumber(value)
        end
      end
    end
  end
  return setmetatable(found and groups[name] or groups["*"], Robots)
end

--- Whether a page may be fetched. The longest rule that matches decides, and of two as long the one that allows.
---@param path string  with its query: "/find?q=tide"
---@return boolean
function Robots:allows(path)
  local allowed, longest = true, -1
  for _, rule in ipairs(self.rules) do
    local decides = rule.length > longest or rule.length == longest and rule.allow
    if decides and matches(rule, path) then allowed, longest = rule.allow, rule.length end
  end
  return allowed or path == "/robots.txt"
end

--- Fetches robots.txt of a site. As the RFC has it: where there is none all is allowed, where the server fails nothing.
---@param origin string  "https://example.org"
---@param options { user_agent: string, timeout: number?, retries: integer? }
---@return tidemill.robots rules
---@return string? problem  why nothing is allowed
function M.fetch(origin, options)
  local res = tm.http.get(origin .. "/robots.txt", {
    timeout = options.timeout, retries = options.retries, max_body = MAX_BYTES,
    headers = { ["User-Agent"] = options.user_agent },
  })
  if res and res.status >= 500 then
    return M.parse("User-agent: *\nDisallow: /", "*"), ("%s/robots.txt: status %d"):format(origin, res.status)
  end
  -- a server that is not there at all is told by the page that is asked for next
  return M.parse(res and res.status < 300 and res.body or "", options.user_agent)
end

return M
