--- Runs every script of scripts/guide under virtual time and compares what it prints with the comment at its end:
---
---     --[[ output ARGUMENTS
---     lines, in which "..." stands for any text
---     ]]
---
--- docs/guide.md shows these scripts: it has to name each, and every line of its ```lua blocks has to stand in the
--- script that was named last, in the same order. (What the blocks print is compared by scripts/check-docs.)
---
--- Arguments of this program: names of scripts, to run only those. $TIDEMILL is the program.
local tm = require "tidemill"

local program = os.getenv("TIDEMILL") or "build/tidemill"
local folder = "scripts/guide"

local function read(path)
  return assert(tm.fs.read(path))
end

local function lines_of(text)
  local lines = {}
  for line in text:gmatch("([^\n]*)\n?") do lines[#lines + 1] = line:gsub("%s+", " "):gsub(" $", "") end
  while lines[#lines] == "" do lines[#lines] = nil end
  return lines
end

local function matches(line, expected)
  local pattern = expected:gsub("%p", "%%%0"):gsub("%%%.%%%.%%%.", ".*")
  return line ~= nil and line:find("^" .. pattern .. "$") ~= nil
end

--- nil where all is well, else what is not.
local function check(path)
  local text = read(path)
  local arguments, expected = text:match("\n%-%-%[%[ output *([^\n]*)\n(.-)\n?%]%]")
  if not expected then return "has no comment that says what it prints" end
  local pipe = assert(io.popen(("%s --virtual-time %s %s 2>&1"):format(program, path, arguments)))
  local out = pipe:read("a")
  local ok, _, code = pipe:close()
  if not ok then return ("ends with %s:\n%s"):format(code, out) end
  local printed, wanted = lines_of(out), lines_of(expected)
  for i = 1, math.max(#printed, #wanted) do
    if not wanted[i] or not matches(printed[i], wanted[i]) then
      return ("line %d is '%s', not '%s'; all of it:\n%s"):format(i, printed[i] or "", wanted[i] or "", out)
    end
  end
end

--- Says which lines of the page are not in its scripts.
local function strays(page)
  local problems, path, left, inside, number = {}, nil, nil, false, 0
  for line in (page .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    if line:find "^```" then
      inside = line:find "^```lua" ~= nil
      left = inside and path and ("\n" .. read(path) .. "\n")
    elseif inside and line:find "%S" then
      local _, stop = (left or ""):find("\n" .. line .. "\n", 1, true)
      if stop then
        left = left:sub(stop) -- from the line's end on
      else
        problems[#problems + 1] = ("docs/guide.md:%d is not in %s, or not there: %s"):format(number, path, line)
      end
    elseif not inside then
      path = line:match "scripts/guide/[%w_]+%.lua" or path
    end
  end
  return problems
end

local paths, failures = {}, 0
for _, name in ipairs(arg) do paths[#paths + 1] = ("%s/%s.lua"):format(folder, name) end
if #paths == 0 then paths = assert(tm.fs.glob(folder .. "/*.lua")) end
assert(#paths > 0, "no scripts in " .. folder)
table.sort(paths)
local guide = #arg == 0 and read("docs/guide.md") or nil
for _, path in ipairs(paths) do
  local problem = check(path)
  if guide and not guide:find(path, 1, true) then problem = problem or "docs/guide.md does not speak of it" end
  if problem then
    failures = failures + 1
    print(path .. " " .. problem)
  end
end
for _, problem in ipairs(guide and strays(guide) or {}) do
  failures = failures + 1
  print(problem)
end
print(("%d scripts, %d problems"):format(#paths, failures))
os.exit(failures == 0 and 0 or 1)
