--- pingpong: one item goes to and fro between two tasks on two workers, through two queues.
--- arguments: n 200000 round trips
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local bench = require "bench"
local tm = require "tidemill"

local n = bench.arg(1, 200000)

--- Tells one worker's state from another's.
local function state() return tostring(getmetatable("")) end

local function answer(ping, pong)
  for i in ping do pong:put(i + 1) end
end

local function serve(ping, pong)
  local start, i = tm.monotonic(), 0
  while i < n do
    ping:put(i)
    i = pong:get()
  end
  ping:shutdown()
  return tm.monotonic() - start
end

--- Runs one side once both have begun. They compute until then, so that each keeps a worker to itself.
local function apart(here, k, fn, ping, pong)
  here[k]:set()
  while not here[3 - k]:is_set() do end
  return state(), fn(ping, pong)
end

local seconds
repeat -- they may have met on one worker all the same
  local ping, pong, here = tm.queue(1), tm.queue(1), { tm.event(), tm.event() }
  local other, first = tm.submit(apart, here, 1, answer, ping, pong), tm.submit(apart, here, 2, serve, ping, pong)
  local place, taken = first:result()
  seconds = other:result() ~= place and taken
until seconds
bench.report("pingpong", n, seconds)
