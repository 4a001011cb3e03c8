--- queue: producers and consumers on one bounded queue, one item or a batch at a time.
--- arguments: n 1000000, producers 4, consumers 4, size 1000, batch 1
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local bench = require "bench"
local tm = require "tidemill"

local n, producers, consumers = bench.arg(1, 1000000), bench.arg(2, 4), bench.arg(3, 4)
local size, batch = bench.arg(4, 1000), bench.arg(5, 1)

local function produce(q, first)
  for i = first, n - 1, producers do q:put(i) end
end

local function produce_batches(q, first)
  for start = first, n - 1, producers * batch do
    local items = {}
    for i = start, math.min(start + (batch - 1) * producers, n - 1), producers do items[#items + 1] = i end
    q:put_many(items)
  end
end

local function consume(q)
  local total = 0
  for i in q do total = total + i end
  return total
end

local function consume_batches(q)
  local total = 0
  while true do
    local items = q:get_many(batch)
    if not items then return total end
    for _, i in ipairs(items) do total = total + i end
  end
end

local q = tm.queue(size)
local start = bench.now()
local total = 0
do
  local pool <close> = tm.executor { max_workers = producers + consumers }
  local put, got = {}, {}
  for k = 1, producers do put[k] = pool:submit(batch == 1 and produce or produce_batches, q, k - 1) end
  for k = 1, consumers do got[k] = pool:submit(batch == 1 and consume or consume_batches, q) end
  for _, future in ipairs(put) do future:result() end
  q:shutdown()
  for _, future in ipairs(got) do total = total + future:result() end
end
local seconds = bench.now() - start
assert(total == n * (n - 1) // 2)
bench.report("queue", n, seconds, { batch = batch })
