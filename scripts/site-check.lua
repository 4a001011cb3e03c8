#!/usr/bin/env tidemill
--- site-check.lua - reads every HTML page below a folder on all cores and finds the links that lead nowhere.

local tm = require "tidemill"
local sitelinks = require "tidemill.sitelinks"

local DEFAULT_FOLDER = "/usr/share/doc/python3-doc/html"
local SHOWN = 10 -- items of a list on the screen

local USAGE = [[
usage: tidemill site-check.lua [FOLDER] [options]

Reads every *.html file below FOLDER (]] .. DEFAULT_FOLDER .. [[)
and finds internal links to files and anchors that are not there. Links to
other sites are counted, not followed.

  --out FILE     write one line of JSON per page to FILE (site-check.jsonl);
                 - for the standard output
  --workers N    read at most N pages at once (default: the executor's own)
  --once         leave out the run on one worker that the speed-up is measured by
  --fail         end with exit code 1 if anything is dead
  --help         show this]]

---@param message string
---@param code integer?
local function fail(message, code)
  io.stderr:write("site-check: ", message, "\n")
  os.exit(code or 1)
end

---@class sitecheck.options
---@field folder string
---@field out string
---@field workers integer?
---@field once boolean?
---@field fail boolean?

---@param args string[]
---@return sitecheck.options
local function parse_arguments(args)
  local options = { folder = DEFAULT_FOLDER, out = "site-check.jsonl" }
  local function misuse(message) fail(message .. "\n\n" .. USAGE, 2) end
  local seen_folder = false
  local i = 1
  local function value(name)
    i = i + 1
    return args[i] or misuse(name .. " needs a value")
  end
  while i <= #args do
    local word = args[i]
    if word == "--help" or word == "-h" then
      print(USAGE)
      os.exit(0)
    elseif word == "--out" then
      options.out = value(word)
    elseif word == "--workers" then
      local text = value(word)
      options.workers = math.tointeger(tonumber(text))
      if not options.workers or options.workers < 1 then
        misuse(("--workers needs a whole number of at least 1, not '%s'"):format(text))
      end
    elseif word == "--once" then
      options.once = true
    elseif word == "--fail" then
      options.fail = true
    elseif word:find("^%-.") then
      misuse(("unknown option '%s'"):format(word))
    elseif seen_folder then
      misuse(("one folder at a time: '%s' is one too many"):format(word))
    else
      options.folder, seen_folder = word, true
    end
    i = i + 1
  end
  return options
end

---@param text string
local function shell_quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

--- Lists the files below a folder, sorted, as paths relative to it.
---@param folder string
---@return string[]
local function list_files(folder)
  local open, why = io.open(folder .. "/.")
  if not open then
    local hint = folder == DEFAULT_FOLDER and "install the package python3-doc, or name another folder"
      or "name a folder that holds HTML files"
    fail(("cannot read folder '%s' (%s): %s"):format(folder, why:match("[^:]*$"):match("^%s*(.*)"), hint))
  end
  open:close()
  if folder:find("^%-") then folder = "./" .. folder end
  local command = "cd " .. shell_quoted(folder) .. " && find -L . -type f -print0"
  local listing = assert(io.popen(command))
  local files = {}
  for path in listing:read("a"):gmatch("%./([^\0]+)\0") do files[#files + 1] = path end
  if not listing:close() then
    io.stderr:write("site-check: not all of the folder could be read; what is missing is not checked\n")
  end
  table.sort(files)
  return files
end

--- Reads the pages once, for the system to keep them in memory.
---@param folder string
---@param pages string[]
local function warm_up(folder, pages)
  for _, file in ipairs(pages) do
    local stream = io.open(folder .. "/" .. file, "rb")
    if stream then
      stream:read("a")
      stream:close()
    end
  end
end

---@class sitecheck.report
---@field pages tidemill.sitelinks.page[]
---@field dead tidemill.sitelinks.dead[][]  of each page
---@field seconds number

--- The whole job: reads all pages in a pool, then looks every link up.
---@param folder string
---@param html string[]  the pages
---@param known table<string, true>  all that lies in the folder
---@param limit integer?  how many pages are read at once
---@return sitecheck.report
local function check(folder, html, known, limit)
  local function read_page(file)
    local stream, why = io.open(folder .. "/" .. file, "rb")
    if not stream then return { file = file, error = why } end
    local text, problem = stream:read("a")
    stream:close()
    if not text then return { file = file, error = problem } end
    return sitelinks.read(file, text)
  end

  local function exists(path)
    if path:sub(1, 2) ~= ".." then return known[path] == true end
    local stream = io.open(folder .. "/" .. path)
    if stream then stream:close() end
    return stream ~= nil
  end

  local start = tm.monotonic()
  local pages, by_file, dead = {}, {}, {}
  do
    local pool <close> = tm.executor { max_workers = limit }
    for i, page in pool:map(read_page, html) do
      pages[i], by_file[page.file] = page, page
    end
  end
  for i, page in ipairs(pages) do
    dead[i] = page.error and {} or sitelinks.dead(page, by_file, exists)
  end
  return { pages = pages, dead = dead, seconds = tm.monotonic() - start }
end

---@param text string
local function json_string(text)
  if not utf8.len(text) then -- an old page: its bytes are Latin-1
    text = text:gsub("[\x80-\xFF]", function(c) return utf8.char(c:byte()) end)
  end
  text = text:gsub('[%c"\\]', function(c)
    return c == '"' and '\\"' or c == "\\" and "\\\\" or ("\\u%04x"):format(c:byte())
  end)
  return '"' .. text .. '"'
end

---@generic T
---@param list T[]
---@param encode fun(item: T): string
local function json_array(list, encode)
  local parts = {}
  for i, item in ipairs(list) do parts[i] = encode(item) end
  return "[" .. table.concat(parts, ", ") .. "]"
end

---@param page tidemill.sitelinks.page
---@param dead tidemill.sitelinks.dead[]
local function json_line(page, dead)
  if page.error then
    return ('{"file": %s, "error": %s}\n'):format(json_string(page.file), json_string(page.error))
  end
  return ('{"file": %s, "title": %s, "headings": %s, "links": %s, "dead": %s}\n'):format(
    json_string(page.file), page.title and json_string(page.title) or "null",
    json_array(page.headings, function(heading)
      return ('{"level": %d, "text": %s}'):format(heading.level, json_string(heading.text))
    end),
    json_array(page.links, json_string),
    json_array(dead, function(item)
      return ('{"link": %s, "target": %s, "why": %s}'):format(json_string(item.link), json_string(item.target),
        json_string(item.why))
    end))
end

---@param n integer
local function thousands(n)
  local text = ("%d"):format(n):reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (text:gsub("^,", ""))
end

---@generic T
---@param screen file*
---@param title string
---@param items T[]
---@param line fun(item: T): string
local function list(screen, title, items, line)
  if #items == 0 then return end
  screen:write("\n", title, "\n")
  for i = 1, math.min(#items, SHOWN) do screen:write("  ", line(items[i]), "\n") end
  if #items > SHOWN then screen:write(("  ... and %d more\n"):format(#items - SHOWN)) end
end

---@param screen file*
---@param report sitecheck.report
---@param one_worker number?  the seconds that one worker took
---@return integer dead
local function show(screen, report, one_worker)
  local sum, groups, unreadable = sitelinks.summary(report.pages, report.dead)
  local function row(label, value, note)
    screen:write(("  %-14s %12s  %s"):format(label, value, note or ""):gsub("%s+$", ""), "\n")
  end
  row("files", thousands(sum.files), #unreadable > 0 and ("and %d not readable"):format(#unreadable))
  row("read", ("%.1f MB"):format(sum.bytes / 1e6))
  row("headings", thousands(sum.headings))
  row("links", thousands(sum.links), ("%s to other sites, not followed"):format(thousands(sum.external)))
  row("dead links", thousands(sum.dead_links))
  row("dead anchors", thousands(sum.dead_anchors))
  row("wall time", ("%.2f s"):format(report.seconds))
  if one_worker then
    row("speed-up", ("%.2f x"):format(one_worker / report.seconds),
      ("over one worker, %.2f s in this run"):format(one_worker))
  end
  list(screen, "Dead:", groups, function(group)
    local more = group.count > 1 and (" and %d more"):format(group.count - 1) or ""
    return ("%s  %s; linked from %s%s"):format(group.target, group.why, group.page, more)
  end)
  list(screen, "Not readable:", unreadable, function(page) return page.error end)
  return sum.dead_links + sum.dead_anchors
end

local function cannot_write(why)
  fail(("cannot write the results (%s): choose another file with --out"):format(why))
end

---@param options sitecheck.options
local function main(options)
  local files = list_files(options.folder)
  local html = {}
  for _, file in ipairs(files) do
    if file:find("%.html$") then html[#html + 1] = file end
  end
  if #html == 0 then
    fail(("no *.html file below '%s': name a folder that holds HTML files"):format(options.folder))
  end
  local out = io.stdout
  if options.out ~= "-" then
    local why
    out, why = io.open(options.out, "w")
    if not out then cannot_write(why) end
  end

  local known, one_worker = sitelinks.known(files), nil
  if not options.once then
    warm_up(options.folder, html) -- so that neither run waits for the disk
    one_worker = check(options.folder, html, known, 1).seconds
    collectgarbage() -- nor for the other's pages to be freed
  end
  local report = check(options.folder, html, known, options.workers)

  for i, page in ipairs(report.pages) do
    local ok, why = out:write(json_line(page, report.dead[i]))
    if not ok then cannot_write(why) end
  end
  local ok, why = out:flush()
  if not ok then cannot_write(why) end
  local screen = options.out == "-" and io.stderr or io.stdout
  local dead = show(screen, report, one_worker)
  if options.out ~= "-" then
    out:close()
    screen:write(("\nOne line of JSON per page is in %s\n"):format(options.out))
  end
  if options.fail and dead > 0 then os.exit(1) end
end

main(parse_arguments(arg))
