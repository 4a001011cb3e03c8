--- Eight pages one after the other, then all at once. With URLs as arguments it fetches those; else it sleeps a second for each.
local tm = require "tidemill"

local urls = #arg > 0 and { table.unpack(arg) } or nil
if not urls then
  urls = {}
  for i = 1, 8 do urls[i] = "https://example.com/page/" .. i end
end
local real = #arg > 0

local function scrape(url)
  if real then return #assert(tm.http.get(url)).body end
  tm.sleep(1)
  return #url
end

local function timed(fn)
  local began = tm.monotonic()
  fn()
  return tm.monotonic() - began
end

local alone = timed(function() for _, url in ipairs(urls) do scrape(url) end end)
local together = timed(function()
  local pool <close> = tm.executor { max_workers = 8 }
  for _ in pool:map(scrape, urls) do end
end)
print(("%d pages, one after the other: %.1f s"):format(#urls, alone))
print(("%d pages at once: %.1f s"):format(#urls, together))
print(("speed-up: %.1f x"):format(alone / together))

--[[ output
8 pages, one after the other: 8.0 s
8 pages at once: 1.0 s
speed-up: 8.0 x
]]
