--- screen.lua - what scripts show to people: tables at the end, and one line that tells how far they are.

local tm = require "tidemill"

local REDRAW = 0.1 -- seconds between two drawings of the line

---@class tidemill.screen
local M = {}

--- 1234567 as "1,234,567".
---@param n integer
---@return string
function M.thousands(n)
  local text = ("%d"):format(n):reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (text:gsub("^(-?),", "%1"))
end

--- A row of a closing table.
---@param out file*
---@param label string
---@param value string
---@param note string?
function M.row(out, label, value, note)
  out:write(("  %-14s %12s  %s"):format(label, value, note or ""):gsub("%s+$", ""), "\n")
end

--- The first items of a list under a title; nothing if it is empty.
---@generic T
---@param out file*
---@param title string
---@param items T[]
---@param shown integer
---@param line fun(item: T): string
function M.list(out, title, items, shown, line)
  if #items == 0 then return end
  out:write("\n", title, "\n")
  for i = 1, math.min(#items, shown) do out:write("  ", line(items[i]), "\n") end
  if #items > shown then out:write(("  ... and %s more\n"):format(M.thousands(#items - shown))) end
end

---@class tidemill.screen.progress
---@field private drawn number?  when
---@field private shown boolean
local Progress = {}
Progress.__index = Progress

--- A line on stderr that is drawn over and over; nothing at all where stderr is no terminal.
---@return tidemill.screen.progress
function M.progress()
  return setmetatable({ shown = os.execute("test -t 2") == true }, Progress)
end

--- Draws the line, unless that was done a moment ago.
---@param format string
---@param ... any
function Progress:show(format, ...)
  local now = tm.monotonic()
  if not self.shown or self.drawn and now - self.drawn < REDRAW then return end
  self.drawn = now
  io.stderr:write("\r\27[K", format:format(...))
end

--- Takes the line away.
function Progress:clear()
  if self.drawn then io.stderr:write("\r\27[K") end
  self.drawn = nil
end

return M
