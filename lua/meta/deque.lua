---@meta

--- Items in a row that all tasks share. Every call is atomic and none waits.
---
---     local last = tm.deque { maxlen = 100 }
---     last:append(line)
---@class tidemill.deque
local deque = {}

--- Adds an item at the right end. Where it is full, the one at the left end falls out.
---@param item any not nil
function deque:append(item) end

--- Adds an item at the left end. Where it is full, the one at the right end falls out.
---@param item any not nil
function deque:appendleft(item) end

--- Appends each item of a list, all at once.
---@param items any[]
function deque:extend(items) end

--- Adds each item of a list at the left end, so the last one comes to stand first.
---@param items any[]
function deque:extendleft(items) end

--- Puts an item before the one at an index. Raises where it is full.
---@param index integer from 1, or from -1 at the right end; beyond an end it means that end
---@param item any not nil
function deque:insert(index, item) end

--- Takes the item at the right end out.
---@return any item nil where there is none
---@return "empty"? why
function deque:pop() end

--- Takes the item at the left end out.
---@return any item nil where there is none
---@return "empty"? why
function deque:popleft() end

--- The item at the right end, which stays.
---@return any item
---@return "empty"? why
function deque:peek() end

--- The item at the left end, which stays.
---@return any item
---@return "empty"? why
function deque:peekleft() end

---@param index integer from 1, or from -1 at the right end
---@return any item nil where there is none
function deque:get(index) end

--- Takes the item at an index out.
---@param index integer from 1, or from -1 at the right end
---@return any item nil where there is none
function deque:remove(index) end

--- The last items become the first ones.
---@param n? integer how many, default 1; negative: the other way
function deque:rotate(n) end

--- All items, in order, as they are now.
---@return any[]
function deque:items() end

--- Drops all items.
function deque:clear() end

---@return integer? maxlen nil where it has none
function deque:maxlen() end
