#!/usr/bin/env tidemill
--- poll.lua - asks URLs for their JSON again and again, and tells what changed.

local tm = require "tidemill"
local arguments = require "tidemill.arguments"
local jsondiff = require "tidemill.jsondiff"

local MAX_BODY = 16 * 1024 * 1024
local LONGEST_PAUSE = 300 -- seconds between two attempts while a URL fails; the interval, where that is more

local USAGE = [[
usage: tidemill poll.lua [options] URL...

Asks each URL for its JSON every few seconds and prints what changed:

  12:00:05  + items[3]: {"id":7}       was added
  12:00:05  - items[1].note: "old"     was removed
  12:00:05  items[2].price: 3 -> 4     changed

Items are counted from 1, as in Lua. Where the server names a version (ETag,
Last-Modified) it is asked for newer ones only. A URL that fails is asked more
and more seldom until it answers again.

  -i SECONDS           the interval (5); delays do not add up
  -n N                 ask each URL so often, then end (for ever)
  --json               print lines of JSON
  --timeout SECONDS    give an answer so much time (10)
  --header 'NAME: V'   send this header, too; may be repeated
  --help               show this

Exit codes: 0 the last answer of every URL was JSON; 1 it was not; 2 the command
line is wrong; 130 Ctrl-C.]]

---@param text string
local function header(text)
  if text:find("^[%w!#$%%&'*+%-.^_`|~]+:%s*[^%c]*$") then return text end
  return nil, "'Name: value'"
end

local OPTIONS = {
  ["-i"] = { key = "interval", read = arguments.seconds(0.01) },
  ["-n"] = { key = "rounds", read = arguments.whole(1) },
  ["--json"] = { key = "json" },
  ["--timeout"] = { key = "timeout", read = arguments.seconds(0.001) },
  ["--header"] = { key = "headers", read = header, list = true },
  ["--help"] = { key = "help" },
}

---@class poll.answer
---@field bytes integer?
---@field value any  what was decoded
---@field unchanged boolean?  the server says so
---@field etag string?
---@field modified string?
---@field error string?

--- Asks once.
---@param url string
---@param headers table<string, string>
---@param timeout number
---@param before poll.answer?  the answer before
---@return poll.answer
local function ask(url, headers, timeout, before)
  local sent = { Accept = "application/json" }
  for name, value in pairs(headers) do sent[name] = value end
  if before then
    sent["If-None-Match"], sent["If-Modified-Since"] = before.etag, before.modified
  end
  local res, err = tm.http.get(url, { headers = sent, timeout = timeout, max_body = MAX_BODY })
  if not res then return { error = tostring(err):match("^https?://%S+: (.*)$") or tostring(err) } end
  if res.status == 304 and before then return { unchanged = true } end
  if res.status >= 300 then return { error = ("status %d %s"):format(res.status, res.reason):match("^(.-) ?$") } end
  local value, problem = tm.json.decode(res.body)
  if problem then return { error = "no JSON: " .. tostring(problem) } end
  return { bytes = #res.body, value = value, etag = res.headers.etag, modified = res.headers["last-modified"] }
end

--- A printer of lines; each is written at once, so that those of several tasks do not mix.
---@param url string
---@param options table
local function printer(url, options)
  local name = options.several and url .. "  " or ""
  return function(event, text)
    local line
    if options.json then
      event.url, event.time = url, os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(tm.now()))
      line = tm.json.encode(event, { sort_keys = true })
    else
      line = os.date("%H:%M:%S") .. "  " .. name .. text
    end
    if not io.stdout:write(line, "\n") or not io.stdout:flush() then os.exit(1) end
  end
end

--- Asks one URL until its rounds are over. Runs in a task of its own, so a slow server holds up no other.
---@param url string
---@param options table
---@return boolean ok  the last answer was JSON
local function poll(url, options)
  local say, interval = printer(url, options), options.interval
  local start, beat = tm.monotonic(), 0 -- it asks at start + beat * interval
  local before, failures = nil, 0
  for round = 1, options.rounds or math.maxinteger do
    local answer = ask(url, options.headers, options.timeout, before)
    local wait = 1
    if answer.error then
      failures = failures + 1
      wait = math.floor(math.min(2 ^ (failures - 1), math.max(1, LONGEST_PAUSE // interval)))
      local again = round ~= options.rounds and (", trying again in %g s"):format(wait * interval) or ""
      say({ event = "error", error = answer.error, failures = failures }, "error: " .. answer.error .. again)
    else
      if failures > 0 then
        say({ event = "answers", failures = failures }, ("answers again after %d failures"):format(failures))
      end
      failures = 0
      if not answer.unchanged then
        if not before then
          say({ event = "first", bytes = answer.bytes, value = answer.value }, ("%d bytes"):format(answer.bytes))
        else
          for _, change in ipairs(jsondiff.diff(before.value, answer.value)) do
            local event = { event = change.kind, path = change.path, old = change.old, new = change.new }
            say(event, jsondiff.line(change))
          end
        end
        before = answer
      end
    end
    if round == options.rounds then break end
    local passed = math.floor((tm.monotonic() - start) / interval)
    beat = math.max(beat + wait, passed + 1) -- instants that have passed are left out
    tm.sleep(start + beat * interval - tm.monotonic())
  end
  return failures == 0
end

local function main()
  local options, urls = arguments.parse(arg, OPTIONS, { interval = 5, timeout = 10 })
  local wrong = not options and urls --[[@as string]] or not options.help and #urls == 0 and "a URL is needed"
  for _, url in ipairs(wrong and {} or urls --[[@as string[] ]]) do
    if not url:find("^https?://[^/]") then wrong = ("'%s' is no http:// or https:// URL"):format(url) end
  end
  if wrong then
    io.stderr:write("poll: ", wrong, "\n\n", USAGE, "\n")
    os.exit(2)
  end
  if options.help then return print(USAGE) end
  local headers = {}
  for _, line in ipairs(options.headers or {}) do
    local name, value = line:match("^([^:]+):%s*(.*)$")
    headers[name] = value
  end
  options.headers, options.several = headers, #urls > 1

  local all_well = true
  tm.scope(function(scope)
    local polls = {}
    for i, url in ipairs(urls) do polls[i] = scope:spawn(poll, url, options) end
    for _, ok in ipairs(tm.gather(polls)) do all_well = all_well and ok end
  end)
  os.exit(all_well and 0 or 1)
end

main()
