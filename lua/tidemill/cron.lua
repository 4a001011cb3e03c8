--- tm.cron: a module of its own, so that it travels by name although it can be called.

local core = require("tidemill.core").cron

return setmetatable({ next = core.next, check = core.check }, { __call = core.start })
