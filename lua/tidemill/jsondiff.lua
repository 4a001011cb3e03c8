--- jsondiff.lua - what changed between two values that tm.json.decode returned.

local json = require("tidemill").json

---@class tidemill.jsondiff.change
---@field kind "changed"|"added"|"removed"
---@field path string  as one would write it in Lua: `items[2].price`; "" for the whole
---@field old any
---@field new any

---@class tidemill.jsondiff
local M = {}

---@param value any
---@return "array"|"object"|nil
local function container(value)
  if type(value) ~= "table" then return nil end
  return (#value > 0 or getmetatable(value) == json.array_mt) and "array" or "object"
end

--- Whether two values are the same JSON. 3 and 3.0 are.
---@param a any
---@param b any
---@return boolean
function M.equal(a, b)
  if a == b then return true end
  local kind = container(a)
  if not kind or kind ~= container(b) or #a ~= #b then return false end
  for key, value in pairs(a) do
    if not M.equal(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

---@param path string
---@param key string|integer
local function below(path, key)
  if math.type(key) == "integer" then return ("%s[%d]"):format(path, key) end
  if not key:find("^[%a_][%w_]*$") then return ("%s[%s]"):format(path, json.encode(key)) end
  return path == "" and key or path .. "." .. key
end

---@param a table
---@param b table
local function sorted_keys(a, b)
  local keys = {}
  for key in pairs(a) do keys[#keys + 1] = key end
  for key in pairs(b) do
    if a[key] == nil then keys[#keys + 1] = key end
  end
  table.sort(keys)
  return keys
end

local compare

--- Items that are equal at both ends are left out of it: so an item more in the middle is one change, not many.
local function compare_arrays(a, b, path, changes)
  local first, last_a, last_b = 1, #a, #b
  while first <= last_a and first <= last_b and M.equal(a[first], b[first]) do first = first + 1 end
  while last_a >= first and last_b >= first and M.equal(a[last_a], b[last_b]) do
    last_a, last_b = last_a - 1, last_b - 1
  end
  for i = first, math.max(last_a, last_b) do
    local old, new -- not `and or`: an item may be false
    if i <= last_a then old = a[i] end
    if i <= last_b then new = b[i] end
    compare(old, new, below(path, i), changes)
  end
end

function compare(a, b, path, changes)
  if a == nil then
    changes[#changes + 1] = { kind = "added", path = path, new = b }
  elseif b == nil then
    changes[#changes + 1] = { kind = "removed", path = path, old = a }
  elseif M.equal(a, b) then
    return
  elseif container(a) == "object" and container(b) == "object" then
    for _, key in ipairs(sorted_keys(a, b)) do compare(a[key], b[key], below(path, key), changes) end
  elseif container(a) == "array" and container(b) == "array" then
    compare_arrays(a, b, path, changes)
  else
    changes[#changes + 1] = { kind = "changed", path = path, old = a, new = b }
  end
end

--- The changes that lead from one value to another, in the order of their paths: keys sorted, items as they stand.
---@param old any
---@param new any
---@return tidemill.jsondiff.change[]
function M.diff(old, new)
  local changes = {}
  compare(old, new, "", changes)
  return changes
end

---@param value any
---@param longest integer?  bytes; what is longer is cut
local function short(value, longest)
  local text = json.encode(value, { sort_keys = true })
  if longest and #text > longest then text = text:sub(1, utf8.offset(text, 0, longest + 1) - 1) .. "..." end
  return text
end

--- A change as a line for people: `items[2].price: 3 -> 4`, `+ items[3]: {"id":7}`, `- name: "old"`.
---@param change tidemill.jsondiff.change
---@param longest integer?  bytes of a value; default 60
---@return string
function M.line(change, longest)
  longest = longest or 60
  local path = change.path == "" and "(all)" or change.path
  if change.kind == "added" then return ("+ %s: %s"):format(path, short(change.new, longest)) end
  if change.kind == "removed" then return ("- %s: %s"):format(path, short(change.old, longest)) end
  return ("%s: %s -> %s"):format(path, short(change.old, longest), short(change.new, longest))
end

return M
