--- Eight pages one after the other, then all at once. With URLs as arguments it fetches those; else it sleeps for each.
local tm = require "tidemill"

local urls, fetch = arg
if #arg > 0 then
  function fetch(url) return #assert(tm.http.get(url)).body end
else
  urls = {}
  for i = 1, 8 do urls[i] = "https://example.com/page/" .. i end
  function fetch(url)
    tm.sleep(1)
    return #url
  end
end

local function timed(fn)
  local began = tm.monotonic()
  fn()
  return tm.monotonic() - began
end

local alone = timed(function()
  for _, url in ipairs(urls) do fetch(url) end
end)
local together = timed(function()
  local pool <close> = tm.executor { max_workers = 8 }
  for _ in pool:map(fetch, urls) do end
end)
print(("%d pages, one after the other: %.0f s"):format(#urls, alone))
print(("%d pages at once: %.0f s"):format(#urls, together))
if together > 0 then print(("speed-up: %.0f times"):format(alone / together)) end -- in virtual time pages take none

--[[ output
8 pages, one after the other: 8 s
8 pages at once: 1 s
speed-up: 8 times
]]
