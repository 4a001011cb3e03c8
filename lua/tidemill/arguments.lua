--- arguments.lua - the command lines of scripts: options, their values, and the words that are left.
---
---     local options, words = arguments.parse(arg, {
---       ["-n"] = { key = "parallel", read = arguments.whole(1) },
---       ["--exclude"] = { key = "exclude", read = arguments.pattern, list = true },
---       ["--compare"] = { key = "compare" },   -- without `read` it takes no value
---     }, { parallel = 50 })

---@class tidemill.arguments.option
---@field key string  its name in the result
---@field read (fun(text: string): any, string?)?  the value, or nil and what was expected
---@field list boolean?  may be given several times: the result is a list

---@class tidemill.arguments
local M = {}

--- A reader of whole numbers.
---@param least integer
---@param most integer?
---@return fun(text: string): integer?, string?
function M.whole(least, most)
  return function(text)
    local n = math.tointeger(tonumber(text))
    if n and n >= least and n <= (most or n) then return n end
    return nil, most and ("a whole number from %d to %d"):format(least, most)
      or ("a whole number of at least %d"):format(least)
  end
end

--- A reader of seconds.
---@param least number
---@return fun(text: string): number?, string?
function M.seconds(least)
  return function(text)
    local n = tonumber(text)
    if n and n >= least and n < math.huge then return n end
    return nil, ("a number of seconds, at least %g"):format(least)
  end
end

--- A reader of patterns, as string.find takes them.
---@param text string
---@return string? pattern
---@return string? expected
function M.pattern(text)
  if pcall(string.find, "", text) then return text end
  return nil, "a pattern of Lua, as string.find takes it"
end

--- A reader of anything.
---@param text string
---@return string? text
---@return string? expected
function M.text(text)
  if text ~= "" then return text end
  return nil, "something"
end

--- Reads a command line. `--option value` and `--option=value` are the same; behind `--` all are words.
---@param args string[]
---@param known table<string, tidemill.arguments.option>
---@param defaults table?
---@return table? options  by key; nil for a wrong command line
---@return string[]|string words  or what is wrong
function M.parse(args, known, defaults)
  local options, words = {}, {}
  for key, value in pairs(defaults or {}) do options[key] = value end
  local i, only_words = 1, false
  while i <= #args do
    local word = args[i]
    if only_words or word == "-" or not word:find("^%-") then
      words[#words + 1] = word
    elseif word == "--" then
      only_words = true
    else
      local name, text = word:match("^(%-%-[^=]+)=(.*)$")
      name = name or word
      local option = known[name]
      if not option then return nil, ("unknown option '%s'"):format(name) end
      if not option.read then
        if text then return nil, ("%s takes no value"):format(name) end
        options[option.key] = true
      else
        if not text then
          i = i + 1
          text = args[i]
        end
        if not text then return nil, ("%s needs a value"):format(name) end
        local value, expected = option.read(text)
        if value == nil then return nil, ("%s needs %s, not '%s'"):format(name, expected, text) end
        if option.list then
          options[option.key] = options[option.key] or {}
          table.insert(options[option.key], value)
        else
          options[option.key] = value
        end
      end
    end
    i = i + 1
  end
  return options, words
end

return M
