-- Cutting a slice below a hundred thousand calls takes longer than a slice. The program gets on all the same.
local tm = require "tidemill"
local over, woken = false, 0
local _ <close> = setmetatable({}, { __close = function() over = true end })
tm.submit(function() end):on_done(function()
  while not over do
    tm.sleep(0.0003)
    woken = woken + 1
  end
end)
while woken == 0 do end

local function overflow(n) overflow(n + 1) end
for _ = 1, 5 do
  local begin = tm.monotonic()
  local ok, problem = pcall(overflow, 0)
  assert(not ok and problem:find("stack overflow", 1, true))
  local took = tm.monotonic() - begin
  assert(took < 10, "a stack overflow took " .. took .. " s")
end
