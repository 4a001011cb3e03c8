-- The servers that the specs of this folder talk to: whether they are there, and answer.

-- Fetches URLs, one an argument, with nothing but Python; prints the code and the first 60 bytes of each.
local FETCH = [[
import os, socket, ssl, sys, urllib.request
context = ssl.create_default_context(cafile=os.environ.get("TIDEMILL_TEST_CA"))
opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
for url in sys.argv[1:]:
    try:
        with opener.open(url, timeout=60) as answer:
            print(answer.status, answer.read(60).decode().split("\n")[0])
    except OSError as e:
        print("error", e)
]]

local function fetch(...)
  local words = {}
  for i, word in ipairs({ "-c", FETCH, ... }) do words[i] = "'" .. word:gsub("'", "'\\''") .. "'" end
  local pipe <close> = assert(io.popen("python3 " .. table.concat(words, " ")))
  local lines = {}
  for line in pipe:lines() do lines[#lines + 1] = line end
  return lines
end

-- The value of TIDEMILL_<name>; the test is pending where that server is not installed.
local function there(name)
  local value = os.getenv("TIDEMILL_" .. name)
  return value or pending("TIDEMILL_" .. name .. " is not set")
end

describe("servers of the tests:", function()
  it("fault.py", function()
    local url = assert(os.getenv("TIDEMILL_FAULT_URL"), "run these with tests/servers/with-servers.py")
    assert.same({ "200 status 200", "error HTTP Error 503: Service Unavailable" },
      fetch(url .. "/status?code=200", url .. "/status?code=503"))
  end)

  it("nginx", function()
    local url = there "NGINX_URL"
    assert.same({ "200 000000 56789012345678901234567", "200 <!DOCTYPE html>", "error HTTP Error 404: Not Found" },
      fetch(url .. "/1k.txt", url .. "/site/", url .. "/site/missing.html"))
  end)

  it("nginx with TLS", function()
    local got = fetch(there "NGINX_TLS_URL" .. "/protocol", there "NGINX_BAD_TLS_URL" .. "/protocol",
      there "NGINX_EXPIRED_TLS_URL" .. "/protocol")
    assert.equal("200 HTTP/1.1 TLSv1.3", got[1])
    assert.matches("IP address mismatch", got[2])
    assert.matches("certificate has expired", got[3])
  end)

  it("httpbin", function()
    assert.same({ "200 User-agent: *" }, fetch(there "HTTPBIN_URL" .. "/robots.txt"))
  end)

  it("the stub resolver", function()
    local port = there "FAULT_URL":match("%d+$")
    there "STUB_RESOLVER"
    local got = fetch("http://ok.test:" .. port .. "/status", "http://two.test:" .. port .. "/status",
      "http://missing.test:" .. port .. "/status")
    assert.same({ "200 status 200", "200 status 200" }, { got[1], got[2] })
    assert.matches("not known", got[3])
  end)
end)
