-- Items of a map that ran in one batch shared what the function captured and the globals it set, so results told how
-- the items had been batched; and a change of a captured table was not told.
local tm = require "tidemill"

local items = {}
for i = 1, 200 do items[i] = i end
local pool <close> = tm.executor {}

local seen = {}
for _, n in pool:map(function(x) seen[#seen + 1] = x return #seen end, items) do assert(n == 1, n) end
local sent = function() runs = (runs or 0) + 1 return runs end -- luacheck: ignore
for _, chunk in ipairs { 1, 7, 200 } do
  for _, n in pool:map(sent, items, { chunksize = chunk }) do assert(n == 1, n) end
end
