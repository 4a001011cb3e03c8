--- htmlscan.lua - finds title, headings, links and anchors in HTML text.
---
--- No tree is built and nothing is ever refused: like a browser it makes the best of what it is given. Comments,
--- scripts and style sheets are skipped, attributes may be quoted either way or not at all, and character references
--- (`&amp;`, `&#8212;`) are decoded wherever a reader would see them decoded.

local byte, find, gsub, lower = string.byte, string.find, string.gsub, string.lower
local match, sub = string.match, string.sub

---@class tidemill.htmlscan.heading
---@field level integer  1 to 6
---@field text string

---@class tidemill.htmlscan.page
---@field title string?  the text of the first `<title>`
---@field base string?  the `href` of `<base>`, for links that are relative
---@field headings tidemill.htmlscan.heading[]
---@field links string[]  each `href` and `src` once, in order of appearance, decoded
---@field anchors table<string, true>  every `id`, and every `name` of an `<a>`

---@class tidemill.htmlscan
local M = {}

-- The attribute that makes an element a link.
local LINK_ATTRIBUTE = {
  a = "href", area = "href", link = "href", base = "href",
  img = "src", script = "src", iframe = "src", frame = "src", embed = "src", input = "src",
  audio = "src", video = "src", source = "src", track = "src",
}

-- Elements whose content is text up to their own end tag, whatever it looks like.
local RAW_TEXT = {
  script = "</[sS][cC][rR][iI][pP][tT][%s/>]",
  style = "</[sS][tT][yY][lL][eE][%s/>]",
  title = "</[tT][iI][tT][lL][eE][%s/>]",
  textarea = "</[tT][eE][xX][tT][aA][rR][eE][aA][%s/>]",
  iframe = "</[iI][fF][rR][aA][mM][eE][%s/>]",
  noembed = "</[nN][oO][eE][mM][bB][eE][dD][%s/>]",
  noframes = "</[nN][oO][fF][rR][aA][mM][eE][sS][%s/>]",
  xmp = "</[xX][mM][pP][%s/>]",
}

local HEADING_LEVEL = { h1 = 1, h2 = 2, h3 = 3, h4 = 4, h5 = 5, h6 = 6 }

local ENTITIES = {
  amp = "&", lt = "<", gt = ">", quot = '"', apos = "'",
  ndash = "–", mdash = "—", lsquo = "‘", rsquo = "’", sbquo = "‚", ldquo = "“", rdquo = "”", bdquo = "„",
  hellip = "…", bull = "•", dagger = "†", Dagger = "‡", permil = "‰", lsaquo = "‹", rsaquo = "›", euro = "€",
  trade = "™", larr = "←", uarr = "↑", rarr = "→", darr = "↓", harr = "↔", rArr = "⇒", hArr = "⇔",
  minus = "−", infin = "∞", ne = "≠", le = "≤", ge = "≥", sum = "∑", radic = "√", asymp = "≈", equiv = "≡",
  alpha = "α", beta = "β", gamma = "γ", delta = "δ", epsilon = "ε", lambda = "λ", mu = "μ", pi = "π", sigma = "σ",
  omega = "ω", Delta = "Δ", Sigma = "Σ", Omega = "Ω", OElig = "Œ", oelig = "œ", Scaron = "Š", scaron = "š",
  ensp = "\u{2002}", emsp = "\u{2003}", thinsp = "\u{2009}", zwnj = "\u{200C}", zwj = "\u{200D}",
}

-- The names of the characters U+00A0 to U+00FF.
local LATIN1 = [[
  nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro
  para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil
  Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave
  Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml
  igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute
  thorn yuml]]
do
  local code = 0xA0
  for name in LATIN1:gmatch("%w+") do
    ENTITIES[name] = utf8.char(code)
    code = code + 1
  end
end

-- What old pages mean by &#128; to &#159;: the characters of Windows-1252.
local WINDOWS_1252 = {
  [0x80] = 0x20AC, [0x82] = 0x201A, [0x83] = 0x0192, [0x84] = 0x201E, [0x85] = 0x2026, [0x86] = 0x2020,
  [0x87] = 0x2021, [0x88] = 0x02C6, [0x89] = 0x2030, [0x8A] = 0x0160, [0x8B] = 0x2039, [0x8C] = 0x0152,
  [0x8E] = 0x017D, [0x91] = 0x2018, [0x92] = 0x2019, [0x93] = 0x201C, [0x94] = 0x201D, [0x95] = 0x2022,
  [0x96] = 0x2013, [0x97] = 0x2014, [0x98] = 0x02DC, [0x99] = 0x2122, [0x9A] = 0x0161, [0x9B] = 0x203A,
  [0x9C] = 0x0153, [0x9E] = 0x017E, [0x9F] = 0x0178,
}

local REPLACEMENT = "\u{FFFD}"

---@param digits string
---@param base integer
---@return string
local function numbered(digits, base)
  local code = #digits <= 8 and tonumber(digits, base) or nil
  if not code or code == 0 or code > 0x10FFFF or (code >= 0xD800 and code <= 0xDFFF) then return REPLACEMENT end
  return utf8.char(WINDOWS_1252[code] or code)
end

---@param reference string  all behind the &
---@return string? text  nil if it is none
local function referred(reference)
  if byte(reference) ~= 35 then -- #
    return byte(reference, -1) == 59 and ENTITIES[sub(reference, 1, -2)] or nil -- ;
  end
  local digits, rest = match(reference, "^#(%d+);?(.*)")
  if digits then return numbered(digits, 10) .. rest end
  digits, rest = match(reference, "^#[xX](%x+);?(.*)")
  return digits and numbered(digits, 16) .. rest
end

--- Decodes the character references in a text; what is none stays as it is.
---@param text string
---@return string
function M.decode(text)
  if not find(text, "&", 1, true) then return text end
  return (gsub(text, "&(#?%w+;?)", referred))
end

--- The same text in UTF-8: a text that is not is taken for Latin-1, as old pages are.
---@param text string
---@return string
function M.utf8(text)
  if utf8.len(text) then return text end
  return (gsub(text, "[\x80-\xFF]", function(c) return utf8.char(byte(c)) end))
end

--- Text as a reader sees it: decoded, with single spaces, and without a permalink's sign at its end.
---@param text string
---@return string
local function visible(text)
  text = gsub(M.decode(text), "%s+", " ")
  return match(gsub(text, " ?¶ ?$", ""), "^ ?(.-) ?$")
end

--- Reads the attributes of one start tag from `pos`, behind its name. Of a repeated attribute the first one counts.
---@param html string
---@param pos integer
---@param link_name string?  the attribute wanted as link
---@return integer? next  the position behind the tag; nil if the text ends inside it
---@return string? id
---@return string? name
---@return string? link
local function attributes(html, pos, link_name)
  local id, anchor, link
  while true do
    -- nearly every attribute is written this way, so it is tried first
    local name, value, after = match(html, '^[%s/]*([%w:_-]+)="([^"]*)"()', pos)
    if not name then
      name, after = match(html, "^[%s/]*([^%s/>][^%s/>=]*)%s*()", pos)
      if not name then
        local _, last = find(html, "^[%s/]*>", pos)
        return last and last + 1, id, anchor, link
      end
      value = ""
      if byte(html, after) == 61 then -- =
        local quote
        quote, after = match(html, "^%s*([\"']?)()", after + 1)
        if quote == "" then
          value, after = match(html, "^([^%s>]*)()", after)
        else
          local last = find(html, quote, after, true)
          if not last then return nil end
          value, after = sub(html, after, last - 1), last + 1
        end
      end
    end
    name = lower(name)
    if name == "id" then
      id = id or M.decode(value)
    elseif name == link_name then
      link = link or M.decode(value)
    elseif name == "name" then
      anchor = anchor or M.decode(value)
    end
    pos = after
  end
end

--- Skips what begins with `<` and is no tag: comments, declarations, or a `<` that is mere text.
---@param html string
---@param open integer  where the `<` stands
---@return integer next
---@return boolean is_text
local function skip_other(html, open)
  local what = byte(html, open + 1)
  if what == 33 and sub(html, open + 2, open + 3) == "--" then -- <!--
    -- the comment's end may begin with the dashes of its start: <!-->
    local _, last = find(html, "%-%-!?>", open + 2)
    return (last or #html) + 1, false
  elseif what == 33 or what == 63 or what == 47 then -- <! <? </
    return (find(html, ">", open + 2, true) or #html) + 1, false
  end
  return open + 1, true
end

---@param page tidemill.htmlscan.page
---@param seen table<string, true>  the links that the page has already
---@param tag string
---@param link string
local function add_link(page, seen, tag, link)
  link = match(link, "^%s*(.*%S)") or ""
  if tag == "base" then
    page.base = page.base or link
  elseif not seen[link] then
    seen[link] = true
    page.links[#page.links + 1] = link
  end
end

--- Finds title, headings, links and anchors.
---@param html string
---@return tidemill.htmlscan.page
function M.parse(html)
  if type(html) ~= "string" then
    error("bad argument #1 to 'parse' (string expected, got " .. type(html) .. ")", 2)
  end
  local page = { headings = {}, links = {}, anchors = {} } ---@type tidemill.htmlscan.page
  local seen = {}
  local level, text -- of the heading that is open
  local pos = 1
  while pos do
    local open = find(html, "<", pos, true)
    if level then text = text .. sub(html, pos, (open or 0) - 1) end
    if not open then break end

    local slash, tag, after = match(html, "^(/?)(%a[^%s/>]*)()", open + 1)
    if not tag then
      local is_text
      pos, is_text = skip_other(html, open)
      if level and is_text then text = text .. "<" end
      goto continue
    end
    tag = lower(tag)

    if HEADING_LEVEL[tag] then
      -- any heading's tag ends the one before: an end tag may be missing
      if level then page.headings[#page.headings + 1] = { level = level, text = visible(text) } end
      level, text = slash == "" and HEADING_LEVEL[tag] or nil, ""
    end
    if byte(html, after) == 62 then -- > : no attributes
      pos = after + 1
    else
      local id, name, link
      pos, id, name, link = attributes(html, after, LINK_ATTRIBUTE[tag])
      if not pos then break end
      if slash == "" then
        if id then page.anchors[id] = true end
        if name and tag == "a" then page.anchors[name] = true end
        if link then add_link(page, seen, tag, link) end
      end
    end
    if slash == "" and RAW_TEXT[tag] then
      local ending = find(html, RAW_TEXT[tag], pos)
      if tag == "title" and not page.title then page.title = visible(sub(html, pos, (ending or 0) - 1)) end
      pos = ending
    end
    ::continue::
  end
  if level then page.headings[#page.headings + 1] = { level = level, text = visible(text) } end
  return page
end

return M
