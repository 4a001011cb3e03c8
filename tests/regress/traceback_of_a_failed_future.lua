-- Asking again and again for a failed future kept a copy of its traceback each time.
local tm = require "tidemill"

local function kib()
  for line in io.lines "/proc/self/status" do
    local v = line:match "^VmRSS:%s+(%d+)"
    if v then return tonumber(v) end
  end
end

local failed = tm.submit(function() error("boom", 0) end)
for _ = 1, 1000 do pcall(failed.result, failed) end
local before = kib()
for _ = 1, 100000 do pcall(failed.result, failed) end
local grown = kib() - before
assert(grown < 8192, "grown by " .. grown .. " KiB")
