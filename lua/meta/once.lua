---@meta

--- Something that is done once, by whoever comes first; everyone gets its values.
---
---     local config = tm.once()
---     local settings = config:run(load_settings, "settings.json")
---@class tidemill.once
local once = {}

--- The first call calls the function; the others wait and get the same values. Where it raises or is cancelled the
--- error goes to its caller, and the next caller calls its own function.
---@param fn function
---@param ... any its arguments
---@return any ... what the one call that succeeded returned
function once:run(fn, ...) end

--- Whether the values are there.
---@return boolean
function once:done() end
