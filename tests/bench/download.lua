--- download: a large file from a server on this machine to a file.
--- arguments: url, path of the file
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local bench = require "bench"
local tm = require "tidemill"

local url, path = assert(arg[1], "a URL"), assert(arg[2], "a path")
local start = bench.now()
local res = assert(tm.http.download(url, path))
local seconds = bench.now() - start
local bytes = math.tointeger(res.headers["content-length"]) or 0
bench.report("download", bytes / 1048576, seconds, {})
