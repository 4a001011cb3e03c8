#!/usr/bin/env tidemill
--- site-check.lua - reads every HTML page below a folder on all cores and finds the links that lead nowhere.

local tm = require "tidemill"
local arguments = require "tidemill.arguments"
local htmlscan = require "tidemill.htmlscan"
local screen = require "tidemill.screen"
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

local OPTIONS = {
  ["--out"] = { key = "out", read = arguments.text },
  ["--workers"] = { key = "workers", read = arguments.whole(1) },
  ["--once"] = { key = "once" },
  ["--fail"] = { key = "fail" },
  ["--help"] = { key = "help" },
  ["-h"] = { key = "help" },
}

--- Ends the program if they are wrong.
---@return sitecheck.options
local function read_arguments()
  local options, words = arguments.parse(arg, OPTIONS, { folder = DEFAULT_FOLDER, out = "site-check.jsonl" })
  if not options then fail(words .. "\n\n" .. USAGE, 2) end
  if options.help then
    print(USAGE)
    os.exit(0)
  end
  if #words > 1 then fail(("one folder at a time: '%s' is one too many\n\n%s"):format(words[2], USAGE), 2) end
  options.folder = words[1] or options.folder
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

---@generic T
---@param list T[]
---@param convert fun(item: T): any
local function each(list, convert)
  local converted = tm.json.array()
  for i, item in ipairs(list) do converted[i] = convert(item) end
  return converted
end

---@param page tidemill.sitelinks.page
---@param dead tidemill.sitelinks.dead[]
local function json_line(page, dead)
  local utf8 = htmlscan.utf8
  local line = { file = utf8(page.file), error = page.error and utf8(page.error) }
  if not page.error then
    line.title = page.title and utf8(page.title) or tm.json.null
    line.headings = each(page.headings, function(h) return { level = h.level, text = utf8(h.text) } end)
    line.links = each(page.links, utf8)
    line.dead = each(dead, function(item)
      return { link = utf8(item.link), target = utf8(item.target), why = item.why }
    end)
  end
  return tm.json.encode(line, { sort_keys = true }) .. "\n"
end

---@param out file*
---@param report sitecheck.report
---@param one_worker number?  the seconds that one worker took
---@return integer dead
local function show(out, report, one_worker)
  local sum, groups, unreadable = sitelinks.summary(report.pages, report.dead)
  local thousands = screen.thousands
  local function row(label, value, note) screen.row(out, label, value, note) end
  row("files", thousands(sum.files), #unreadable > 0 and ("and %d not readable"):format(#unreadable) or nil)
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
  screen.list(out, "Dead:", groups, SHOWN, function(group)
    local more = group.count > 1 and (" and %d more"):format(group.count - 1) or ""
    return ("%s  %s; linked from %s%s"):format(group.target, group.why, group.page, more)
  end)
  screen.list(out, "Not readable:", unreadable, SHOWN, function(page) return page.error end)
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
  local text = options.out == "-" and io.stderr or io.stdout
  local dead = show(text, report, one_worker)
  if options.out ~= "-" then
    out:close()
    text:write(("\nOne line of JSON per page is in %s\n"):format(options.out))
  end
  if options.fail and dead > 0 then os.exit(1) end
end

main(read_arguments())
