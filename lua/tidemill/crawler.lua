--- crawler.lua - follows the links of a site: each page is fetched once, so many at a time.
---
--- One task, the one that calls `run`, knows which pages were seen and which are waiting. Each page is fetched and read
--- by a task of its own (webpage.lua), of which there are never more than `parallel`; only what it found comes back.

local tm = require "tidemill"
local robots = require "tidemill.robots"
local webpage = require "tidemill.webpage"
local weburl = require "tidemill.weburl"

local MAX_HOPS = 10 -- redirects one behind the other
local SLOWEST = 5   -- pages that are remembered for that
local MAX_DELAY = 10 -- seconds: more is not granted to a Crawl-delay

---@class tidemill.crawler.options: tidemill.webpage.options
---@field parallel integer  pages at a time
---@field max_pages integer?
---@field max_depth integer?
---@field delay number  seconds between two requests; a Crawl-delay of robots.txt can make it more
---@field ignore_robots boolean?
---@field also string[]?  URLs whose sites belong to it, too

---@class tidemill.crawler.entry
---@field url string
---@field depth integer  links from the start
---@field hops integer  redirects just before

---@class tidemill.crawler.failure
---@field url string
---@field why string
---@field from string?  the first page that links it
---@field links integer  how many pages do

---@class tidemill.crawler.sum
---@field fetched integer  responses and failures
---@field pages integer  HTML, read
---@field files integer  all else that is there
---@field redirects integer
---@field bytes integer
---@field links integer  to follow or not, of all pages
---@field statuses table<integer, integer>
---@field slowest tidemill.webpage[]
---@field failures tidemill.crawler.failure[]
---@field unanswered integer  those of them that did not get a whole response, but an error
---@field left_out { depth: integer, robots: integer, pages: integer }  links that were not followed
---@field notes string[]
---@field seconds number

---@class tidemill.crawler
---@field sum tidemill.crawler.sum
---@field stopped boolean
---@field running tidemill.future[]
---@field private options tidemill.crawler.options
---@field private pool tidemill.executor
---@field private rules table<string, tidemill.robots>  by origin
---@field private entries table<tidemill.future, tidemill.crawler.entry>
---@field private queue tidemill.crawler.entry[]  from `first` to `last`
---@field private first integer
---@field private last integer
---@field private started integer
---@field private level integer  the depth of what was started last
---@field private due number  when the next request may be made
---@field private from table<string, string>  each URL that was seen: the first page that links it
---@field private times table<string, integer>  pages that link it, where they are several
---@field private target table<string, string>  of each redirect
---@field private too_deep table<string, true>
local Crawler = { __name = "tidemill.crawler" }
Crawler.__index = Crawler

---@class tidemill.crawler.module
local M = {}

--- Puts a page into the queue unless it was there before, is too deep, or robots.txt keeps it out.
---@param entry tidemill.crawler.entry
---@param from string
function Crawler:add(entry, from)
  local url = entry.url
  if self.from[url] then
    self.times[url] = (self.times[url] or 1) + 1
    return
  end
  if entry.depth > (self.options.max_depth or math.huge) then
    self.too_deep[url] = true
    return
  end
  self.from[url], self.too_deep[url] = from, nil
  local parts = weburl.parse(url) --[[@as tidemill.weburl.parts]]
  local path = parts.path .. (parts.query and "?" .. parts.query or "")
  if not self.rules[weburl.origin(parts)]:allows(path) then
    self.sum.left_out.robots = self.sum.left_out.robots + 1
  elseif entry.hops > 0 then
    self.first = self.first - 1 -- in front, where the page stood that leads here
    self.queue[self.first] = entry
  else
    self.last = self.last + 1
    self.queue[self.last] = entry
  end
end

--- Takes a site in: from now on its links are followed, as far as its robots.txt says.
---@param url string
function Crawler:add_site(url)
  local origin = weburl.origin(weburl.parse(url))
  if self.rules[origin] then return end
  local rules = robots.parse("", "*")
  if not self.options.ignore_robots then
    local future = self.pool:submit(robots.fetch, origin, self.options)
    self.running[#self.running + 1] = future -- for stop
    tm.wait({ future })
    self.running[#self.running] = nil
    if future:cancelled() then return end
    local problem
    rules, problem = future:result()
    if problem then table.insert(self.sum.notes, problem .. ", so nothing of that site may be fetched") end
    if (rules.delay or 0) > self.options.delay then
      self.options.delay = math.min(rules.delay, MAX_DELAY)
      table.insert(self.sum.notes, ("%s/robots.txt asks for %g s between requests"):format(origin, rules.delay))
    end
  end
  self.rules[origin], self.options.sites[origin] = rules, true
end

--- The page to fetch next; nil if none may be fetched now.
---@return tidemill.crawler.entry?
function Crawler:next()
  local entry, options = self.queue[self.first], self.options
  if not entry or self.stopped or self.started >= (options.max_pages or math.huge) then return nil end
  -- where depth decides, no page may be reached on a longer way just because the shorter one is slow
  if options.max_depth and entry.depth > self.level and #self.running > 0 then return nil end
  self.queue[self.first] = nil
  self.first = self.first + 1
  return entry
end

--- Has a page fetched by a task.
---@param entry tidemill.crawler.entry
function Crawler:start(entry)
  if self.options.delay > 0 then
    tm.sleep(math.max(0, self.due - tm.monotonic()))
    self.due = tm.monotonic() + self.options.delay
  end
  self.started, self.level = self.started + 1, entry.depth
  local future = self.pool:submit(webpage.fetch, entry.url, self.options)
  self.running[#self.running + 1], self.entries[future] = future, entry
  if self.stopped then future:cancel() end
end

--- Follows a redirect, as a link of its own: so its target is fetched once, whoever leads there.
---@param page tidemill.webpage
---@param entry tidemill.crawler.entry
function Crawler:follow(page, entry)
  self.target[entry.url] = page.redirect
  local at = page.redirect
  for _ = 1, MAX_HOPS do at = at ~= entry.url and self.target[at] or at end
  if not weburl.parse(page.redirect) then
    page.error = "a redirect to no page: " .. page.redirect
  elseif at == entry.url then
    page.error = "redirects that go round in a circle"
  elseif entry.hops == MAX_HOPS then
    page.error = ("more than %d redirects"):format(MAX_HOPS)
  else
    if self.from[entry.url] == "" then self:add_site(page.redirect) end -- "example.org" may be "www.example.org"
    local origin = weburl.origin(weburl.parse(page.redirect))
    if not self.options.sites[origin] then return end
    local from = self.from[entry.url] == "" and "" or entry.url
    self:add({ url = page.redirect, depth = entry.depth, hops = entry.hops + 1 }, from)
  end
end

---@param page tidemill.webpage
function Crawler:count(page)
  local sum = self.sum
  sum.fetched, sum.bytes, sum.links = sum.fetched + 1, sum.bytes + (page.bytes or 0), sum.links + page.link_count
  if page.status then sum.statuses[page.status] = (sum.statuses[page.status] or 0) + 1 end
  local kind = page.redirect and "redirects" or page.html and "pages" or "files"
  if page.error and not page.redirect then sum.unanswered = sum.unanswered + 1 end
  if page.error or page.status >= 400 then
    table.insert(sum.failures, { url = page.url, why = page.error or "status " .. page.status, from = page.from })
  else
    sum[kind] = sum[kind] + 1
  end
  local place = #sum.slowest + 1
  while place > 1 and page.seconds > sum.slowest[place - 1].seconds do place = place - 1 end
  table.insert(sum.slowest, place, { url = page.url, seconds = page.seconds })
  sum.slowest[SLOWEST + 1] = nil
end

--- Waits for one page at least, and takes all that have come.
---@param on_page fun(page: tidemill.webpage)
function Crawler:collect(on_page)
  local done
  done, self.running = tm.wait(self.running, { return_when = "FIRST_COMPLETED" })
  for _, future in ipairs(done) do
    local entry = self.entries[future]
    self.entries[future] = nil
    if future:cancelled() then
      self.sum.left_out.pages = self.sum.left_out.pages + 1
    else
      local page = future:result() --[[@as tidemill.webpage]]
      if page.redirect then self:follow(page, entry) end
      for _, link in ipairs(page.links) do self:add({ url = link, depth = entry.depth + 1, hops = 0 }, page.url) end
      page.depth, page.from = entry.depth, self.from[page.url] ~= "" and self.from[page.url] or nil
      self:count(page)
      on_page(page)
    end
  end
end

--- Fetches all pages that the start leads to.
---@param start string  a URL
---@param on_page fun(page: tidemill.webpage)  called for each, in the order in which they arrive
---@return tidemill.crawler.sum
function Crawler:run(start, on_page)
  local began = tm.monotonic()
  for _, url in ipairs { start, table.unpack(self.options.also or {}) } do self:add_site(url) end
  if not self.stopped then self:add({ url = weburl.normalise(start), depth = 0, hops = 0 }, "") end
  while true do
    while #self.running < self.options.parallel do
      local entry = self:next()
      if not entry then break end
      self:start(entry)
    end
    if #self.running == 0 then break end
    self:collect(on_page)
  end

  local sum = self.sum
  for _ in pairs(self.too_deep) do sum.left_out.depth = sum.left_out.depth + 1 end
  sum.left_out.pages = sum.left_out.pages + self:waiting()
  for _, failure in ipairs(sum.failures) do failure.links = self.times[failure.url] or 1 end
  sum.seconds = tm.monotonic() - began
  return sum
end

--- How many pages are waiting for their turn.
---@return integer
function Crawler:waiting() return self.last - self.first + 1 end

--- Ends `run` soon: nothing more is started, what runs is cancelled. May be called from a handler of signals.
function Crawler:stop()
  self.stopped = true
  for _, future in ipairs(self.running) do future:cancel() end
end

--- A crawl that has not begun.
---@param options tidemill.crawler.options
---@return tidemill.crawler
function M.new(options)
  local own = { sites = {} }
  for key, value in pairs(options) do own[key] = value end
  local limits = tm.http.limits()
  tm.http.limits({
    per_host = math.max(limits.per_host, options.parallel),
    connections = math.max(limits.connections, options.parallel),
  })
  return setmetatable({
    options = own, pool = tm.executor({ max_workers = options.parallel, name = "crawler" }), stopped = false,
    running = {}, entries = {}, rules = {}, queue = {}, first = 1, last = 0, started = 0, level = 0, due = 0,
    from = {}, times = {}, target = {}, too_deep = {},
    sum = {
      fetched = 0, pages = 0, files = 0, redirects = 0, bytes = 0, links = 0, statuses = {}, slowest = {},
      failures = {}, unanswered = 0, left_out = { depth = 0, robots = 0, pages = 0 }, notes = {}, seconds = 0,
    },
  }, Crawler)
end

return M
