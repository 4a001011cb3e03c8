---@meta

--- Hash sums, in lower-case hexadecimal digits: `tm.hash`. Only the task that calls waits, its worker runs others.
---
---     local hash = require("tidemill").hash
---     print(hash.sha256 "abc", hash.digest("md5", "abc"))
---@class tidemill.hash
local hash = {}

---@alias tidemill.hash.algorithm "md5"|"sha1"|"sha256"|"sha384"|"sha512"

--- The SHA-256 sum of a string.
---
--- Raises where libcrypto cannot be loaded, as do the others.
---@param bytes string
---@return string hex
function hash.sha256(bytes) end

--- A sum of a string.
---
---     print(hash.digest("sha1", "abc"))
---@param algorithm tidemill.hash.algorithm
---@param bytes string
---@return string hex
function hash.digest(algorithm, bytes) end

--- A sum of a file. It may be larger than memory.
---
--- Gives nil and the error where the file cannot be read.
---
---     local sum = assert(hash.file "tides.zip")
---@param path string
---@param algorithm? tidemill.hash.algorithm default "sha256"
---@return string? hex
---@return tidemill.fs.error? err
function hash.file(path, algorithm) end

return hash
