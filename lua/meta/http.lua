---@meta

--- Requests over HTTP and HTTPS: `tm.http`. A request waits; its task does not keep a thread meanwhile.
---
---     local http = require("tidemill").http
---     local res = assert(http.get("https://example.org/", { timeout = 10, retries = 3 }))
---     print(res.status, #res.body)
---@class tidemill.http
---@field Response table the metatable of responses
---@field Headers table the metatable of their headers
---@field Session table the metatable of sessions
local http = {}

---@class tidemill.http.options
---@field query? table<string, string|number|boolean|(string|number|boolean)[]>|string appended to the URL; lists repeat
---@field headers? table<string, string|number|boolean|(string|number|boolean)[]>
---@field body? string bytes to send; one of body, json and form
---@field json? any sent as JSON
---@field form? table<string, string|number|boolean|(string|number|boolean)[]> sent as a form
---@field auth? tidemill.http.auth
---@field cookies? table<string, string|number|boolean> for the URL's host
---@field timeout? number seconds for all of it; of a stream up to its head. Default: none
---@field connect_timeout? number seconds for look-up, connection and TLS; default 10
---@field stall_timeout? number seconds in which no byte may come or go; default 30
---@field max_body? integer bytes, decoded; default 256 MiB, no limit for streams and files
---@field redirects? boolean|integer how many are followed; default 10
---@field retries? integer|tidemill.http.retries how often it is tried again; default 0
---@field stream? boolean the body is read while it comes
---@field decode? boolean ask for gzip and deflate, and undo them; default true
---@field verify? boolean check the server's certificate and name; default true
---@field ca? string a file or a folder of certificates to trust; default: the system's
---@field http_version? "1.1"|"2" default: HTTP/2 over TLS where the server has it
---@field proxy? string its URL, "" for none; default: the environment's

---@class tidemill.http.request_options: tidemill.http.options
---@field url string
---@field method? string default "GET"

--- `{ user, password }` as well.
---@class tidemill.http.auth
---@field [1]? string user
---@field [2]? string password
---@field user? string
---@field password? string
---@field scheme? "basic"|"digest" default "basic"
---@field bearer? string a token, instead of user and password

---@class tidemill.http.retries
---@field attempts? integer how often it is tried again; default 3
---@field backoff? number seconds; the first delay is drawn from 0 to this; default 0.5
---@field factor? number by which that grows, >= 1; default 2
---@field max_backoff? number seconds to which it grows; default 30
---@field max_retry_after? number seconds of Retry-After that are waited for at most; default 60
---@field unsafe? boolean POST and PATCH, too; default false

---@alias tidemill.http.kind
---| "url" # the URL, or the proxy's, is none
---| "dns" # the name cannot be resolved
---| "connect" # nobody answers
---| "tls" # the certificate is not valid, or the hand-shake failed
---| "timeout" # a limit of time is over
---| "closed" # the connection was closed before the response was complete
---| "protocol" # what came is no HTTP, or not encoded as it says
---| "proxy" # the proxy refuses to connect to the server
---| "too_large" # body, headers or line
---| "redirects" # too many, or one to where no request can go
---| "retry_after" # the server wants more patience than max_retry_after
---| "status" # raise_for_status, download: no success
---| "file" # download: it cannot be written
---| "busy" # another task reads this stream
---| "cancelled" # the stream was closed, or the program ends
---| "memory"
---| "system" # libcurl is missing, or the I/O thread cannot be started

--- Why there is no response.
---@class tidemill.http.error
---@field kind tidemill.http.kind
---@field message string
---@field url? string
---@field method? string
---@field attempts? integer with retries: how often it was tried
---@field retry_after? number kind "retry_after": seconds
---@field status? integer kinds "status" and "retry_after"
---@field response? tidemill.http.Response kind "status"

--- Makes a request and waits for its response, which may have any status.
---
--- Gives nil and the error where there is none. Raises for wrong arguments and unknown options.
---
---     local res = assert(tm.http.get("https://example.org/api", { query = { page = 2 } })):raise_for_status()
---     print(res:json().title)
---@param url string
---@param options? tidemill.http.options
---@return tidemill.http.Response? response
---@return tidemill.http.error? err
function http.get(url, options) end

--- As `get`: the head alone.
---@param url string
---@param options? tidemill.http.options
---@return tidemill.http.Response? response
---@return tidemill.http.error? err
function http.head(url, options) end

--- As `get`. It is never tried again, unless `retries = { unsafe = true }`.
---
---     local res = assert(tm.http.post("https://example.org/api", { json = { title = "Ebb" } }))
---@param url string
---@param options? tidemill.http.options
---@return tidemill.http.Response? response
---@return tidemill.http.error? err
function http.post(url, options) end

--- As `get`.
---@param url string
---@param options? tidemill.http.options
---@return tidemill.http.Response? response
---@return tidemill.http.error? err
function http.put(url, options) end

--- As `post`.
---@param url string
---@param options? tidemill.http.options
---@return tidemill.http.Response? response
---@return tidemill.http.error? err
function http.patch(url, options) end

--- As `get`.
---@param url string
---@param options? tidemill.http.options
---@return tidemill.http.Response? response
---@return tidemill.http.error? err
function http.delete(url, options) end

--- A request whose URL and method stand among the options.
---
---     local res = assert(tm.http.request { method = "PROPFIND", url = "https://example.org/dav/", timeout = 10 })
---@param options tidemill.http.request_options
---@return tidemill.http.Response? response
---@return tidemill.http.error? err
function http.request(options) end

--- Downloads to a file, which appears under its name when it is complete.
---
---     assert(tm.http.download("https://example.org/tides.csv", "tides.csv"))
---@param url string
---@param path string
---@param options? tidemill.http.options
---@return tidemill.http.Response? response without a body
---@return tidemill.http.error? err kind "status" for a status from 300 on
function http.download(url, path, options) end

--- Options for many requests, and the cookies that servers set. A task that it is sent to gets a copy.
---
---     local session = tm.http.session { auth = { "me", "secret" } }
---     session:get("https://example.org/login")
---@param options? tidemill.http.options
---@return tidemill.http.Session
function http.session(options) end

--- How many transfers may run at once, over all tasks; those above wait for their turn.
---
---     tm.http.limits { per_host = 8 }
---@param options? { connections?: integer, per_host?: integer } 1 to 100000; default 1024 and 128
---@return { connections: integer, per_host: integer } limits what holds from now on
function http.limits(options) end

--- What is under way: transfers that run and that wait for a place, and all operations of the I/O thread.
---@return { running: integer, waiting: integer, operations: integer }
function http.stats() end

--- What the server answered.
---@class tidemill.http.Response
---@field status integer
---@field reason string what the server says beside it; "" with HTTP/2
---@field version "1.0"|"1.1"|"2"
---@field body? string decoded; nil for a stream and for a file
---@field headers tidemill.http.Headers
---@field url string the last one, after redirects
---@field method string of the request
---@field path? string of the file, after a download
---@field redirects integer how many were followed
---@field elapsed number seconds from the call to the end of this attempt, or of a stream to its head
--- seconds since the last hop began
---@field timings? { queue: number, dns: number, connect: number, tls: number, first_byte: number, total: number }
---@field cookies table<string, string> what this request sent and what it was told to keep
---@field attempts? integer with retries: how often it was tried
local response = {}

--- The body as a value.
---@param options? tidemill.json.decode_options
---@return any value
---@return tidemill.json.error? err
function response:json(options) end

--- Raises an error of kind "status" for a status from 400 on; else returns the response.
---@return tidemill.http.Response
function response:raise_for_status() end

--- The next piece of a stream; nil at its end; nil and the error for a failure.
---@return string? piece
---@return tidemill.http.error? err
function response:read() end

--- Iterates over the pieces of a stream as they come; a failure is raised.
---
---     for piece in res:chunks() do file:write(piece) end
---@return fun(): string?
function response:chunks() end

--- Iterates over the lines of a stream, without their ends; a failure is raised.
---@param max_line? integer bytes; default 1 MiB
---@return fun(): string?
function response:lines(max_line) end

--- Ends a stream: what was not read does not come any more. Twice does no harm.
function response:close() end

--- By name in any case: `headers["content-type"]`, several joined by ", ". `pairs` gives them as they came.
---@class tidemill.http.Headers
---@field [string] string?
local headers = {}

--- All values of a header, in order.
---
---     for _, cookie in ipairs(res.headers:get_all "set-cookie") do print(cookie) end
---@param name string in any case
---@return string[]
function headers:get_all(name) end

--- Made by `tm.http.session`.
---@class tidemill.http.Session
local session = {}

--- Makes a request with the session's options; those given here win, and headers are joined.
---@param method string
---@param url string
---@param options? tidemill.http.options
---@return tidemill.http.Response? response
---@return tidemill.http.error? err
function session:request(method, url, options) end

--- As `tm.http.get`, with the session's options and cookies.
---@param url string
---@param options? tidemill.http.options
---@return tidemill.http.Response? response
---@return tidemill.http.error? err
function session:get(url, options) end

---@param url string
---@param options? tidemill.http.options
---@return tidemill.http.Response? response
---@return tidemill.http.error? err
function session:head(url, options) end

---@param url string
---@param options? tidemill.http.options
---@return tidemill.http.Response? response
---@return tidemill.http.error? err
function session:post(url, options) end

---@param url string
---@param options? tidemill.http.options
---@return tidemill.http.Response? response
---@return tidemill.http.error? err
function session:put(url, options) end

---@param url string
---@param options? tidemill.http.options
---@return tidemill.http.Response? response
---@return tidemill.http.error? err
function session:patch(url, options) end

---@param url string
---@param options? tidemill.http.options
---@return tidemill.http.Response? response
---@return tidemill.http.error? err
function session:delete(url, options) end

--- The cookies that it holds, by name.
---@return table<string, string>
function session:cookies() end

return http
