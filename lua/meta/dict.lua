---@meta

--- A dictionary that all tasks share. Values are copied in and out; nil is no value. One operation on one key is
--- atomic. What changes a key waits while another task is inside an `update` of it.
---
---     local counts = tm.dict()
---     tm.map(function(word) counts:add(word) end, words):collect()
---     for word, n in pairs(counts) do print(word, n) end
---@class tidemill.dict
---@operator len: integer
local dict = {}

---@alias tidemill.dict.key string|number|boolean|lightuserdata|userdata

--- The value of a key.
---@param key tidemill.dict.key
---@param default? any what to give where the key is absent
---@return any value
function dict:get(key, default) end

--- Whether the key is there.
---@param key tidemill.dict.key
---@return boolean
function dict:has(key) end

--- Stores a value.
---@param key tidemill.dict.key
---@param value any nil removes the key
function dict:set(key, value) end

--- Takes a key out.
---@param key tidemill.dict.key
---@param default? any what to give where the key is absent
---@return any value
function dict:pop(key, default) end

--- Stores a value if the key is absent.
---@param key tidemill.dict.key
---@param value any
---@return any value what stands then
function dict:setdefault(key, value) end

--- Adds to a number; an absent key counts as 0.
---@param key tidemill.dict.key
---@param n? number default 1
---@return number sum
function dict:add(key, n) end

--- Changes a value with a function that gets the present one (nil where the key is absent) and returns the new one
--- (nil removes the key). Nobody else changes the key meanwhile; readers see the old value. The function may wait.
---
---     pages:update(host, function(list) list = list or {} list[#list + 1] = path return list end)
---@generic A
---@param key tidemill.dict.key
---@param fn fun(value: any, ...: A...): any
---@param ... A...
---@return any value the new one
function dict:update(key, fn, ...) end

--- The value of a key; where it is absent, what the function returns, which is stored. The function is called once,
--- while others who want the key wait for it.
---
---     local text = cache:get_or_set(url, fetch, url)
---@generic A
---@param key tidemill.dict.key
---@param fn fun(...: A...): any
---@param ... A...
---@return any value
function dict:get_or_set(key, fn, ...) end

--- Stores all keys and values of a table, one by one; none if one of them cannot be stored.
---@param values table
function dict:set_many(values) end

--- Iterates over a snapshot, as `pairs` does.
---@return fun(): any, any
function dict:items() end

--- A list of the keys.
---@return any[]
function dict:keys() end

--- Removes all keys.
function dict:clear() end
