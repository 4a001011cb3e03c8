--- A class of threads: `run` works on a copy, and its fields come back with `join`.
local tm = require "tidemill"

local FileProcessor = tm.thread.class("FileProcessor")

function FileProcessor:init(path)
  self.path = path
end

function FileProcessor:run()
  self.lines, self.bytes = 0, 0
  for line in io.lines(self.path) do
    self.lines = self.lines + 1
    self.bytes = self.bytes + #line + 1
  end
end

local path = os.tmpname()
local file <close> = assert(io.open(path, "w"))
file:write("one\ntwo\nthree\n")
file:close()

local p = FileProcessor(path)
p:start()
p:join()
print(p.lines .. " lines, " .. p.bytes .. " bytes")
os.remove(path)

--[[ output
3 lines, 14 bytes
]]
