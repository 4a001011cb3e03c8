#!/usr/bin/env tidemill
--- crawl.lua - follows every link of a web site once, many pages at a time, and tells what is there and what is dead.

local tm = require "tidemill"
local arguments = require "tidemill.arguments"
local crawler = require "tidemill.crawler"
local htmlscan = require "tidemill.htmlscan"
local screen = require "tidemill.screen"
local weburl = require "tidemill.weburl"

local SHOWN = 10 -- items of a list on the screen
local MAX_BODY = 10 * 1024 * 1024

local USAGE = [[
usage: tidemill crawl.lua URL [options]

Fetches URL and every page of its site (same scheme, host and port) that can be
reached from it, each once. Writes one line of JSON for each, and a table at the
end. Links to other sites are counted, not followed.

  -n N                 fetch N pages at a time (50)
  -o FILE              where the lines of JSON go (crawl.jsonl); - for stdout
  --also URL           a further site that belongs to it; may be repeated
  --include PATTERN    follow only links that match a pattern of Lua, and ...
  --exclude PATTERN    ... none that match this one; both may be repeated
  --max-pages N        fetch no more than N
  --max-depth N        follow no more than N links from URL
  --delay SECONDS      leave so much time between two requests (0)
  --timeout SECONDS    give a page so much time, retries included (30)
  --retries N          try again so often (2)
  --user-agent TEXT    who we say we are (tidemill-crawl)
  --no-robots          fetch what robots.txt asks robots not to fetch, too
  --fail               dead links give exit code 1, too
  --compare            then crawl one page at a time, for the speed-up
  --help               show this

Exit codes: 0 done, and dead links are told; 1 an address gave no answer, or
nothing was found at all; 2 the command line is wrong; 130 Ctrl-C, after the
table of what was found until then.]]

local OPTIONS = {
  ["-n"] = { key = "parallel", read = arguments.whole(1, 10000) },
  ["-o"] = { key = "out", read = arguments.text },
  ["--also"] = { key = "also", read = arguments.text, list = true },
  ["--include"] = { key = "include", read = arguments.pattern, list = true },
  ["--exclude"] = { key = "exclude", read = arguments.pattern, list = true },
  ["--max-pages"] = { key = "max_pages", read = arguments.whole(1) },
  ["--max-depth"] = { key = "max_depth", read = arguments.whole(0) },
  ["--delay"] = { key = "delay", read = arguments.seconds(0) },
  ["--timeout"] = { key = "timeout", read = arguments.seconds(0.001) },
  ["--retries"] = { key = "retries", read = arguments.whole(0) },
  ["--user-agent"] = { key = "user_agent", read = arguments.text },
  ["--no-robots"] = { key = "ignore_robots" },
  ["--fail"] = { key = "fail" },
  ["--compare"] = { key = "compare" },
  ["--help"] = { key = "help" },
}

local DEFAULTS = {
  parallel = 50, out = "crawl.jsonl", delay = 0, timeout = 30, retries = 2, user_agent = "tidemill-crawl",
  max_body = MAX_BODY,
}

---@param message string
---@param code integer
local function fail(message, code)
  io.stderr:write("crawl: ", message, "\n")
  os.exit(code)
end

--- The options and the URL; ends the program if they are wrong.
local function read_arguments()
  local options, words = arguments.parse(arg, OPTIONS, DEFAULTS)
  if not options then fail(words .. "\n\n" .. USAGE, 2) end
  if options.help then
    print(USAGE)
    os.exit(0)
  end
  if #words ~= 1 then fail((#words == 0 and "a URL is needed" or "one URL at a time") .. "\n\n" .. USAGE, 2) end
  for _, url in ipairs { words[1], table.unpack(options.also or {}) } do
    if not weburl.parse(url) then fail(("'%s' is no http:// or https:// URL"):format(url), 2) end
  end
  return options, words[1]
end

---@param page tidemill.webpage
local function json_line(page)
  local null = tm.json.null
  return tm.json.encode({
    url = page.url, depth = page.depth, from = page.from or null, status = page.status or null,
    error = page.error and htmlscan.utf8(page.error) or null, redirect = page.redirect or null,
    title = page.title or null, bytes = page.bytes or null, links = page.link_count,
    seconds = tonumber(("%.4f"):format(page.seconds)),
  }, { sort_keys = true }) .. "\n"
end

--- Statuses and how often they came: "200: 530, 404: 2".
---@param statuses table<integer, integer>
local function status_list(statuses)
  local codes, parts = {}, {}
  for code in pairs(statuses) do codes[#codes + 1] = code end
  table.sort(codes)
  for i, code in ipairs(codes) do parts[i] = ("%d: %s"):format(code, screen.thousands(statuses[code])) end
  return table.concat(parts, ", ")
end

--- The closing table.
---@param out file*
---@param sum tidemill.crawler.sum
---@param one_at_a_time number?  the seconds that took
local function show(out, sum, one_at_a_time)
  local left, thousands = sum.left_out, screen.thousands
  screen.row(out, "pages", thousands(sum.pages), ("and %s other files, %s redirects"):format(thousands(sum.files),
    thousands(sum.redirects)))
  screen.row(out, "errors", thousands(#sum.failures))
  screen.row(out, "statuses", "", status_list(sum.statuses))
  screen.row(out, "links", thousands(sum.links), "those to other sites counted")
  screen.row(out, "bytes", ("%.1f MB"):format(sum.bytes / 1e6))
  screen.row(out, "wall time", ("%.2f s"):format(sum.seconds))
  screen.row(out, "pages/s", ("%.0f"):format(sum.pages / sum.seconds),
    ("%.0f/s with all other files"):format(sum.fetched / sum.seconds))
  if one_at_a_time then
    screen.row(out, "speed-up", ("%.2f x"):format(one_at_a_time / sum.seconds),
      ("over one page at a time, %.2f s in this run"):format(one_at_a_time))
  end
  local function not_followed(count, why)
    if count > 0 then screen.row(out, "not followed", thousands(count), why) end
  end
  not_followed(left.robots, "robots.txt asks for that")
  not_followed(left.depth, "too deep, see --max-depth")
  not_followed(left.pages, "waiting or under way when it ended")
  screen.list(out, "Slowest:", sum.slowest, SHOWN, function(page)
    return ("%.3f s  %s"):format(page.seconds, page.url)
  end)
  screen.list(out, "Dead:", sum.failures, SHOWN, function(failure)
    local linked = failure.from and "; linked from " .. failure.from or ""
    local more = failure.links > 1 and (" and %d more"):format(failure.links - 1) or ""
    return failure.url .. "  " .. failure.why .. linked .. more
  end)
  screen.list(out, "Notes:", sum.notes, SHOWN, function(note) return note end)
end

--- Has Ctrl-C and SIGTERM end the crawl in order. The second one ends the program as ever.
---@param crawl tidemill.crawler
---@return fun(): integer?  the exit code, if one came
local function stop_at_signals(crawl)
  local code
  for name, number in pairs { INT = 2, TERM = 15 } do
    tm.on_signal(name, function()
      tm.on_signal("INT", nil)
      tm.on_signal("TERM", nil)
      code = 128 + number
      crawl:stop()
    end)
  end
  return function() return code end
end

local function cannot_write(why, code)
  fail(("cannot write the results (%s): choose another file with -o"):format(why), code)
end

local function main()
  local options, start = read_arguments()
  local out, why = io.stdout, nil
  if options.out ~= "-" then out, why = io.open(options.out, "w") end
  if not out then cannot_write(why, 2) end
  out:setvbuf("line") -- so that each line is there as a whole, whatever happens

  local crawl, progress = crawler.new(options), screen.progress()
  local exit_code = stop_at_signals(crawl)
  local sum = crawl:run(start, function(page)
    local ok, problem = out:write(json_line(page))
    if not ok then cannot_write(problem, 1) end
    progress:show("%d fetched, %d running, %d waiting, %d errors", crawl.sum.fetched, #crawl.running, crawl:waiting(),
      #crawl.sum.failures)
  end)
  local one_at_a_time
  if options.compare and not exit_code() then
    options.parallel = 1
    local second = crawler.new(options)
    exit_code = stop_at_signals(second)
    local seconds = second:run(start, function()
      progress:show("%d fetched, one at a time", second.sum.fetched)
    end).seconds
    one_at_a_time = not exit_code() and seconds or nil
  end
  progress:clear()

  local text = options.out == "-" and io.stderr or io.stdout
  show(text, sum, one_at_a_time)
  if options.out ~= "-" then text:write(("\nOne line of JSON per page is in %s\n"):format(options.out)) end
  local found = sum.pages + sum.files > 0
  if not found then text:write("\nNothing was found.\n") end
  local failed = not found or sum.unanswered > 0 or options.fail and #sum.failures > 0
  os.exit(exit_code() or failed and 1 or 0)
end

main()
