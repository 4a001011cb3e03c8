--- A rate limiter whose waiters time out, are cancelled and leave in every order, in virtual time, so that instants are exact.
--- What must hold: in any stretch of t seconds at most `burst + per_second * t` pass; and while somebody always waits nearly as
--- many pass as may: what a cancelled wait gives back is not lost. TIDE_STRESS_SECONDS: how many rounds, 5 by default.
local tm = require "tidemill"

local rounds = tonumber(os.getenv("TIDE_STRESS_SECONDS")) or 5
local seed = tonumber(os.getenv("TIDE_SEED")) or os.time()
print(("seed: TIDE_SEED=%d"):format(seed))
math.randomseed(seed)

local RATE, SECONDS, ROUNDING = 1000, 5, 1e-6

--- Waits again and again, in one of several ways; returns when it passed, and how many then.
local function visitor(limiter, stop, draw, steady)
  local passed = {}
  local function random(n)
    draw = (draw * 1103515245 + 12345) % 2147483648
    return draw // 65536 % n + 1
  end
  while tm.monotonic() < stop do
    local how, n, ok = steady and 1 or random(6), 1, nil
    if how <= 2 then
      ok = limiter:wait()
    elseif how == 3 then
      ok = limiter:wait(random(60) / 1000)
    elseif how == 4 then
      local limit = random(40) / 1000
      local good, value = pcall(tm.timeout, limit, limiter.wait, limiter)
      ok = good and value
    elseif how == 5 then
      ok = limiter:try()
      if not ok then tm.sleep(random(5) / 1000) end
    else -- several that are cancelled together, oldest first
      pcall(tm.scope, function(scope)
        for _ = 1, 10 do scope:submit(limiter.wait, limiter, nil, 1) end
        tm.sleep(0.0005)
        error("enough")
      end)
    end
    if ok then passed[#passed + 1] = { tm.monotonic(), n } end
  end
  return passed
end

for _ = 1, rounds do
  local burst = math.random(20)
  local limiter = tm.rate_limiter { per_second = RATE, burst = burst }
  local pool <close> = tm.executor { max_workers = 40 }
  local began, futures, all = tm.monotonic(), {}, {}
  for i = 1, 30 do
    futures[i] = pool:submit(visitor, limiter, began + SECONDS, math.random(1 << 30), i <= 5)
  end
  for _, future in ipairs(futures) do
    for _, pass in ipairs(future:result()) do all[#all + 1] = pass[1] end
  end
  table.sort(all)
  local first = 1
  for last = 1, #all do -- the tightest stretch that ends here: all[k] * RATE - k grows where the limiter is not at its limit
    if all[first] * RATE - first < all[last] * RATE - last then first = last end
    local most = burst + RATE * (all[last] - all[first] + ROUNDING)
    assert(last - first + 1 <= most, ("%d passed in %.6f s, burst %d"):format(last - first + 1, all[last] - all[first], burst))
  end
  print(("burst %d: %d passed in %d s"):format(burst, #all, SECONDS))
  assert(#all >= 0.8 * RATE * SECONDS, "instants were lost")
end
