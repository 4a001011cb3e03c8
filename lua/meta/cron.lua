---@meta

--- When cron expressions are due: `tm.cron`.
---
--- Five fields (minute hour day-of-month month day-of-week), six with the second in front, or `@hourly`, `@daily`,
--- `@midnight`, `@weekly`, `@monthly`, `@yearly`, `@annually`. Values, names, `*`, ranges `a-b`, steps `*/n`, lists
--- `a,b`; `L` is the last day of the month, `5L` its last Friday.
---
--- Where clocks are put forward or back: an expression with all 24 hours is due whenever the clock shows a time that
--- matches; any other is due once for each of its times, behind the gap where clocks skip it.
---
---     local cron = require("tidemill").cron
---     print(os.date("%c", cron.next("0 7 * * MON-FRI")))
---@class tidemill.cron
---@overload fun(expression: string, fn: fun(tick: tidemill.tick), options: tidemill.cron_options?): tidemill.timer
local cron = {}

--- Of the timer that `tm.cron(expression, fn, options)` makes.
---@class tidemill.cron_options: tidemill.timer_options
---@field zone? string "local" (the default), "UTC", or a name such as "Europe/Zurich"

---@class tidemill.cron.options
--- "local" (the default), "UTC", or a name such as "Europe/Zurich"
---@field zone? string

--- The first instant at which an expression is due behind another instant, or a list of the next `n`.
---
--- Raises for a wrong expression, with the place and what is allowed there, and for a zone that is not known.
---
---     local seconds = cron.next("30 2 * * *") - tm.now()
---     local week = cron.next("@daily", os.time(), 7, { zone = "America/New_York" })
---@param expression string
---@param after? number seconds since 1970; default `tm.now()`
---@param n? integer how many, up to 100,000
---@param options? tidemill.cron.options
---@return integer instant seconds since 1970; a list of them where `n` is given
---@overload fun(expression: string, after: number?, n: integer, options: tidemill.cron.options?): integer[]
function cron.next(expression, after, n, options) end

--- Whether an expression and a zone are right: true, or nil and the text that `next` would raise.
---
---     local ok, problem = cron.check(line)
---@param expression string
---@param options? tidemill.cron.options
---@return true? ok
---@return string? problem
function cron.check(expression, options) end

return cron
