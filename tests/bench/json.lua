--- json: n times decode, then encode, of a document such as the API of a code host gives; `mib` MiB of text.
--- arguments: n 20, mib 1
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local bench = require "bench"
local json = require("tidemill").json

local n, mib = bench.arg(1, 20), bench.arg(2, 1)

local function item(i)
  local url = "https://api.example.org/repos/owner/item-" .. i
  return {
    id = 1000000 + i, node_id = "MDEwOlJlcG9zaXRvcnk" .. i, name = "item-" .. i, full_name = "owner/item-" .. i,
    private = i % 7 == 0, fork = false, homepage = json.null, url = url, issues_url = url .. "/issues{/number}",
    owner = { login = "miller-" .. i % 50, id = i * 31 % 100000, type = "User", site_admin = false },
    description = ("The wheel turns, the stone grinds; \"flour\" from the Müller's mill no. %d.\n"):format(i),
    created_at = ("2024-01-%02dT12:34:56Z"):format(i % 28 + 1), size = i * 7919 % 100000, score = i * 7919 % 9973 / 100,
    topics = { "tide", "mill", "river" }, location = { i / 7, -i / 13 }, open_issues = i % 300,
    license = { key = "mit", name = "MIT License" },
  }
end

local items = { item(1) }
for i = 2, mib * 1024 * 1024 // #json.encode(items) do items[i] = item(i) end
local text = json.encode(items)

local function milliseconds(fn, ...)
  local start, cpu = bench.now(), os.clock()
  for _ = 1, n do assert(fn(...)) end
  return (bench.now() - start) / n * 1000, (os.clock() - cpu) / n * 1000
end

collectgarbage()
local start = bench.now()
local decode_ms, decode_cpu_ms = milliseconds(json.decode, text)
local encode_ms, encode_cpu_ms = milliseconds(json.encode, items)
bench.report("json", 2 * n, bench.now() - start, {
  bytes = #text, decode_ms = decode_ms, encode_ms = encode_ms,
  decode_cpu_ms = decode_cpu_ms, encode_cpu_ms = encode_cpu_ms,
})
