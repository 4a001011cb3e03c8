---@meta

--- Files and folders: `tm.fs`. Only the task that calls waits, its worker runs others.
---
---     local fs = require("tidemill").fs
---     for _, path in ipairs(fs.glob "pages/**/*.html") do print(path, #assert(fs.read(path))) end
---@class tidemill.fs
local fs = {}

--- Why a file or folder could not be read.
---@class tidemill.fs.error: tidemill.error
---@field kind "not_found"|"permission"|"is_directory"|"not_directory"|"too_large"|"too_many_open"|"io"
---@field message string "cannot read 'x.txt': No such file or directory"
---@field errno integer the system's number for it
---@field path string

---@class tidemill.fs.read_options
---@field max_size? integer bytes that the file may have, >= 0; default 1 GiB

--- Reads a file whole. One that has nothing to read yet, such as a FIFO, is waited for until it ends.
---
--- Gives nil and the error where it cannot be read or has more bytes. Raises for a path with a zero byte in it.
---
---     local text = assert(fs.read "settings.json")
---@param path string
---@param options? tidemill.fs.read_options
---@return string? bytes
---@return tidemill.fs.error? err
function fs.read(path, options) end

---@class tidemill.fs.glob_options
---@field hidden? boolean wildcards match names with a dot in front, too; default false

--- Finds the paths that match a pattern, sorted by bytes; none is an empty table.
---
--- `*` any text, `?` a character, `[a-z]` one of these, `[!a-z]` none of these, `{a,b}` alternatives, `**` as a whole
--- part any number of folders, `\x` x itself. With a slash at the end only folders match. `**` does not follow links.
---
--- Raises for a pattern of more than 4095 bytes or 1000 alternatives.
---
---     local paths, problems = fs.glob "src/**/*.{c,h}"
---@param pattern string
---@param options? tidemill.fs.glob_options
---@return string[] paths
---@return tidemill.fs.error[]? problems an error for each folder that could not be looked into, nil if there is none
function fs.glob(pattern, options) end

return fs
