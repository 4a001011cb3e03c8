--- Futures in the order in which they complete, and a table that says which is which.
local tm = require "tidemill"

local pages = { { "slow.example", 0.9 }, { "fast.example", 0.3 }, { "middling.example", 0.6 } }

local function fetch(url, seconds)
  tm.sleep(seconds)
  return #url * 1000
end

local pool <close> = tm.executor { max_workers = 3 }
local url_of, futures = {}, {} -- a future may be the key of a table
for i, page in ipairs(pages) do
  futures[i] = pool:submit(fetch, page[1], page[2])
  url_of[futures[i]] = page[1]
end
for future in tm.as_completed(futures) do
  print(("%s: %d bytes"):format(url_of[future], future:result()))
end

--[[ output
fast.example: 12000 bytes
middling.example: 16000 bytes
slow.example: 12000 bytes
]]
