---@meta

--- What `tm.scope` calls its function with.
---@class tidemill.scope
local scope = {}

--- Runs a function as a task that ends before the scope does. No limit counts these.
---
--- Raises where something cannot travel, and where the scope was cancelled or has ended.
---
---     tm.scope(function(s) for _, url in ipairs(urls) do s:spawn(fetch, url) end end)
---@param fn function
---@param ... any its arguments, copied
---@return tidemill.future
function scope:spawn(fn, ...) end

--- Cancels the scope's tasks, and takes no more. The scope's function goes on.
---
---     tm.scope(function(s)
---       local futures = { s:spawn(ask, "a"), s:spawn(ask, "b") }
---       print(tm.as_completed(futures)():result())
---       s:cancel() -- the first answer is enough
---     end)
function scope:cancel() end
