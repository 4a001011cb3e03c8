---@meta

--- A queue that tasks put items into and get items from. It waits where it is empty or full, and never blocks a thread.
---
---     local jobs = tm.queue(100)
---     jobs:put("https://example.org/")
---     jobs:shutdown()
---     for url in jobs do print(url) end
---
--- Calling it gets an item, so that `for item in queue do` goes on until it is shut down and empty.
---@class tidemill.queue
---@overload fun(): any, number?
local queue = {}

---@alias tidemill.queue_reason "timeout"|"shutdown"

--- Puts an item behind the others; waits while the queue is full.
---
---     assert(jobs:put(url, 5))
---@param item any not nil; false is an item
---@param timeout? number seconds
---@return true? put nil where it was not put
---@return tidemill.queue_reason? why
function queue:put(item, timeout) end

--- Puts an item if there is room, without waiting.
---@param item any not nil
---@return true? put
---@return "full"|"shutdown"? why
function queue:try_put(item) end

--- Puts the items of a list, in order, and takes the queue's lock once for as many as there is room for.
---
---     local n, why = jobs:put_many({ "a", "b", "c" }, 5)
---@param items any[]
---@param timeout? number seconds, for all of it
---@return integer n how many were put
---@return tidemill.queue_reason? why where that is not all
function queue:put_many(items, timeout) end

--- Takes the next item out; waits while there is none.
---
---     local job, why = jobs:get(5)
---     if job == nil then print(why) end
---@param timeout? number seconds
---@return any item nil where there is none
---@return tidemill.queue_reason|number? why or, of a priority queue, the priority
function queue:get(timeout) end

--- Takes the next item out if there is one, without waiting.
---@return any item
---@return "empty"|"shutdown"|number? why or the priority
function queue:try_get() end

--- Waits for one item, and takes what is there, in order.
---
---     for _, job in ipairs(jobs:get_many(100) or {}) do run(job) end
---@param max? integer at most so many
---@param timeout? number seconds
---@return any[]? items nil where there is none
---@return tidemill.queue_reason|number[]? why or, of a priority queue, the priorities
function queue:get_many(max, timeout) end

--- The queue itself, which is its own iterator.
---@return tidemill.queue
function queue:iter() end

--- Tells that items which were got have been worked off. Raises where it is called more often than items were got.
---@param n? integer how many; default 1
function queue:task_done(n) end

--- Waits until each item that was put has been got and told to be done.
---@param timeout? number seconds
---@return boolean done false where the time was over
function queue:join(timeout) end

---@class tidemill.queue_shutdown_options
---@field immediate? boolean drop what is inside, too; it counts as done

--- Ends it: nothing can be put any more. What is inside can be got; then get answers nil, "shutdown".
---@param options? tidemill.queue_shutdown_options
function queue:shutdown(options) end

---@return boolean shutdown
function queue:is_shutdown() end

--- Whether it was empty when it was looked at.
---@return boolean
function queue:empty() end

--- Whether it was full when it was looked at; never, where it has no limit.
---@return boolean
function queue:full() end

---@return integer maxsize 0 means no limit
function queue:maxsize() end

--- A queue whose items come out smallest priority first, and those of equal priority in the order they went in. Each
--- put takes a priority, each get gives it as its second value; the rest is as with any queue.
---
---     local jobs = tm.priority_queue()
---     jobs:put("later", 10)
---     jobs:put("now", 1)
---     print(jobs:get())     --> now 1
---@class tidemill.priority_queue: tidemill.queue
local priority_queue = {}

---@param item any not nil
---@param priority number not NaN
---@param timeout? number seconds
---@return true? put
---@return tidemill.queue_reason? why
function priority_queue:put(item, priority, timeout) end

---@param item any not nil
---@param priority number not NaN
---@return true? put
---@return "full"|"shutdown"? why
function priority_queue:try_put(item, priority) end

---@param items any[]
---@param priorities number[]|number one for each, or one for all
---@param timeout? number seconds
---@return integer n
---@return tidemill.queue_reason? why
function priority_queue:put_many(items, priorities, timeout) end
