---@meta

---@class tidemill.executor_options
---@field max_workers? integer tasks that may run at once, >= 1; default 32. A task that waits for others does not count
---@field name? string for reports
---@field initializer? function run once in each state before its first task; tasks see the globals that it sets
---@field queue_size? integer tasks that may be pending, >= 1; submit waits for room. Default: no bound

---@class tidemill.shutdown_options
---@field wait? boolean wait for what was submitted; default true
---@field cancel? "none"|"pending"|"all" what to cancel first; default "none"
---@field timeout? number seconds to wait

---@class tidemill.map_options
---@field timeout? number seconds from the call of map; then the iterator raises `kind = "timeout"`
---@field buffersize? integer items taken ahead of the results, >= 1; default: twice max_workers or a few for each CPU
---@field chunksize? integer items that run as one task, >= 1; default: as many as take a fraction of a millisecond
---@field ordered? boolean false: results come as they are ready. Default true

--- Runs submitted calls, at most `max_workers` at once. `local pool <close> = tm.executor()` waits for them at the
--- end of the block.
---@class tidemill.executor
local executor = {}

--- Submits a call. It runs in some Lua state, with copies of its arguments and of what the function captured.
---
--- Raises where something cannot travel, naming its path; where the executor was shut down; where its initializer
--- failed.
---
---     local future = pool:submit(fetch, "https://example.org/")
---@param fn function
---@param ... any
---@return tidemill.future
function executor:submit(fn, ...) end

--- Calls a function for each item, and gives an iterator over index and first result, in the order of the items.
--- Items are taken from the table or the iterator as they are needed, so they may be endless.
---
--- The iterator raises an item's error at its place, and is over then: pending items are cancelled, as they are when
--- the loop is left.
---
---     for i, size in pool:map(fetch, io.lines "urls.txt") do print(i, size) end
---     local sizes = pool:map(fetch, urls, { timeout = 60 }):collect()
---@param fn fun(item: any): any
---@param items any[]|fun(): any
---@param options? tidemill.map_options
---@return tidemill.map
function executor:map(fn, items, options) end

--- Takes nothing more. Then, unless `wait = false`, waits until what was submitted has ended. May be called again.
---
---     if not pool:shutdown { cancel = "pending", timeout = 10 } then pool:shutdown { cancel = "all" } end
---@param options? tidemill.shutdown_options
---@return boolean ended false where the time was over, or where it did not wait and something still runs
function executor:shutdown(options) end

--- The results of a map. Called, it gives the next index and value, nil at the end.
---@class tidemill.map
---@overload fun(): integer?, any
local map = {}

--- Waits for all results that are left.
---
--- Raises as the iterator does.
---
---     local squares = tm.map(function(x) return x * x end, { 1, 2, 3 }):collect()
---@return any[]
function map:collect() end

--- The next index and value, as a call gives them.
---@return integer? index
---@return any value
function map:next() end

--- Ends it: pending items are cancelled. A `for` loop does so by itself.
function map:close() end
