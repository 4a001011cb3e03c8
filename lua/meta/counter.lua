---@meta

--- An integer that tasks change without losing a step. It wraps around as Lua's integers do.
---
---     local hits = tm.counter()
---     tm.map(function() hits:add() end, items):collect()
---     print(hits:get())
---@class tidemill.counter
local counter = {}

--- Adds to it.
---@param n? integer default 1; may be negative
---@return integer value the new one
function counter:add(n) end

---@return integer value
function counter:get() end

--- Sets it.
---@param value integer
---@return integer before the old one
function counter:set(value) end

--- Sets it to `to` if it is `from`.
---
---     local ok, now = hits:compare_exchange(3, 4)
---@param from integer
---@param to integer
---@return boolean changed
---@return integer before what it was
function counter:compare_exchange(from, to) end
