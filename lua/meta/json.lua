---@meta

--- JSON texts: `tm.json`.
---
---     local json = require("tidemill").json
---     local reply = assert(json.decode '{"id": 7, "tags": [], "owner": null}')
---     print(reply.id, #reply.tags, reply.owner == json.null) --> 7  0  true
---     print(json.encode({ id = 7, tags = reply.tags }, { sort_keys = true })) --> {"id":7,"tags":[]}
---@class tidemill.json
---@field null lightuserdata what null is, in every task; `tostring` gives "null". It counts as true
---@field array_mt table the metatable that marks a table as an array; decoded empty arrays have it
local json = {}

--- Why a text is no JSON.
---@class tidemill.json.error: tidemill.error
---@field kind "json"
---@field message string "line 3, column 7: ..."
---@field line integer from 1
---@field column integer characters of the line that were read, from 1
---@field position integer bytes of the text that were read

---@class tidemill.json.decode_options
---@field max_depth? integer arrays and objects within one another, 1 to 2000; default 512
---@field max_size? integer bytes of the text; default 2 GiB
--- what integers outside of 64 bits become; default "error": the text is refused
---@field big_numbers? "error"|"float"|"string"

--- Reads a text: any value may stand at the top, objects and arrays become tables.
---
--- Gives nil and the error for what is no JSON or exceeds a limit. Raises for arguments of the wrong type.
---
---     local value, err = json.decode(text, { max_size = 1 << 20 })
---     if not value then print(err.line, err.message) end
---@param text string
---@param options? tidemill.json.decode_options
---@return any value
---@return tidemill.json.error? err
function json.decode(text, options) end

---@class tidemill.json.encode_options
---@field indent? integer spaces for each level, 0 to 31; default 0: all in one line, no blanks
---@field sort_keys? boolean keys in the order of their bytes; default: in any order
---@field ascii? boolean escape all that is not ASCII
---@field max_depth? integer tables within one another, 1 to 2000; default 512

--- Writes a value. A table with the keys 1 to n is an array, one with string keys an object; one without keys is an
--- object unless it is marked as an array.
---
--- Raises for what JSON does not have, with the path to it: `cannot encode value.items[3].when: a function`.
---
---     file:write(json.encode(rows, { indent = 2, sort_keys = true }), "\n")
---@param value any
---@param options? tidemill.json.encode_options
---@return string text
function json.encode(value, options) end

--- Marks a table as an array, so that it is one also while it is empty. Gives it back.
---
--- Raises for a table with another metatable.
---
---     print(json.encode { tags = json.array() }) --> {"tags":[]}
---@generic T: table
---@param t? T default: a new one
---@return T t
function json.array(t) end

return json
