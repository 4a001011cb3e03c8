--- map gives results in the order of the items, whoever is done first.
local tm = require "tidemill"

local pool <close> = tm.executor { max_workers = 3 }
for i, word in pool:map(string.upper, { "alpha", "beta", "gamma" }) do
  print(i, word)
end

--[[ output
1    ALPHA
2    BETA
3    GAMMA
]]
