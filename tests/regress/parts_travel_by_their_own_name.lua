--- Functions of a part that is loaded at its first use, as tm.http.get, were taken for members of tidemill, at
--- the whim of a table's order. In a state that had not used that part yet there was no such member.
local tm = require "tidemill"

local get, run = tm.http.get, tm.thread.class
assert(rawget(tm, "http") == nil and rawget(tm, "thread") == nil)
assert(tm.submit(function() return type(get), type(run) end):result() == "function")
assert(tm.http.get == get and tm.thread.class == run)
