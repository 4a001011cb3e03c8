--- bench.lua - shared by the benchmarks: positional arguments in, one line of JSON out.
---
--- Runs under tidemill, and under plain lua5.4 for the scripts that compare with it.

local M = {}

local has_tidemill, tm = pcall(require, "tidemill")
local has_cqueues, cqueues
if not has_tidemill then has_cqueues, cqueues = pcall(require, "cqueues") end

M.peer = has_tidemill and "tidemill" or "lua5.4"

--- Seconds on a monotonic clock. Plain Lua has none: without lua-cqueues it is the process's CPU time.
M.now = has_tidemill and tm.monotonic or has_cqueues and cqueues.monotime or os.clock

--- The i-th argument of the command line; a number if its default is one.
---@generic T
---@param i integer
---@param default T
---@return T
function M.arg(i, default)
  local word = arg[i]
  if word == nil then return default end
  if type(default) ~= "number" then return word end
  local number = math.tointeger(word) or tonumber(word)
  if not number then error(("argument %d: a number expected, got '%s'"):format(i, word), 0) end
  return number
end

--- A memory figure of the process in KiB: VmHWM (the peak) or VmRSS.
---@param field string?
---@return integer?
function M.rss_kib(field)
  for line in io.lines("/proc/self/status") do
    local value = line:match("^" .. (field or "VmHWM") .. ":%s+(%d+)")
    if value then return math.tointeger(value) end
  end
end

---@param value any
local function encode(value)
  if type(value) == "string" then return '"' .. value .. '"' end
  if type(value) == "boolean" then return tostring(value) end
  if value == nil or value ~= value then return "null" end
  if value % 1 == 0 then return ("%.0f"):format(value) end
  return ("%.6g"):format(value)
end

---@param workload string
---@param n integer  how many things were done
---@param seconds number
---@param extra table<string, any>?  further fields
function M.report(workload, n, seconds, extra)
  local fields = {
    '"peer": ' .. encode(M.peer), '"workload": ' .. encode(workload), '"n": ' .. encode(n),
    ('"seconds": %.6f'):format(seconds), ('"per_second": %.1f'):format(n / seconds),
    '"rss_kib": ' .. encode(M.rss_kib()),
  }
  local names = {}
  for name in pairs(extra or {}) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do fields[#fields + 1] = encode(name) .. ": " .. encode(extra[name]) end
  print("{" .. table.concat(fields, ", ") .. "}")
end

---@param values number[]  sorted by this call
---@param p number  0 to 100
---@return number?
function M.percentile(values, p)
  table.sort(values)
  return values[math.min(#values, math.floor(#values * p / 100) + 1)]
end

--- Sleeps until start + k * period, for k = 1, 2, …; a late tick skips the deadlines that it missed.
---@param seconds number  when to stop
---@param period number
---@param each fun()?  called after each tick
---@return number[] late  how late each tick came, in milliseconds
function M.ticks(seconds, period, each)
  local late, k, start = {}, 1, M.now()
  while k * period <= seconds and M.now() - start <= seconds do
    tm.sleep(math.max(0, k * period - (M.now() - start)))
    local t = M.now() - start
    late[#late + 1] = 1000 * (t - k * period)
    if each then each() end
    k = math.max(k, math.floor(t / period)) + 1
  end
  return late
end

--- Fields for a report about ticks.
---@param late number[]
---@param extra table<string, any>
---@return table<string, any>
function M.lateness(late, extra)
  extra.late_p50_ms, extra.late_p99_ms = M.percentile(late, 50), M.percentile(late, 99)
  extra.late_max_ms = M.percentile(late, 100)
  return extra
end

return M
