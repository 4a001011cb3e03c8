--- A class of threads. `start` sends a copy of the fields, `run` works on the copy, and `join` brings its fields back.
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
assert(io.open(path, "w")):write("one\ntwo\nthree\n"):close()

local p = FileProcessor(path)
p:start()
p:join()
print(p.lines .. " lines, " .. p.bytes .. " bytes")
os.remove(path)

--[[ output
3 lines, 14 bytes
]]
