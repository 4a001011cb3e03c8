# scripts/poll.lua: changes, versions, failures, wrong command lines, Ctrl-C.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/server.sh"
unset http_proxy all_proxy ALL_PROXY
serve

run scripts/poll.lua -i 0.05 -n 4 "$site/changing.json"
code 0
err ''
out '^[0-9:]*  [0-9]* bytes$'
out '^[0-9:]*  items\[1\].price: 3 -> 4$'
out '^[0-9:]*  + items\[2\]: {"new":true}$'
out '^[0-9:]*  - items\[2\]: {"new":true}$'
[ "$(count "$out" .)" -eq 6 ] || complain "there should be 6 lines"

run scripts/poll.lua -i 0.05 -n 3 "$site/same.json"
code 0
[ "$(count "$out" .)" -eq 1 ] || complain "there should be one line"
run -e "io.write(require('tidemill').http.get('$site/requests').body)"
out '^/same.json unchanged 2$'

# Several at once, of which some fail.
run scripts/poll.lua -i 0.05 -n 4 "$site/flaky.json" "$site/nowhere" "$site/" http://127.0.0.1:1/
code 1
err ''
out 'flaky.json  error: status 503 Service Unavailable, trying again in 0.05 s$'
out 'flaky.json  error: status 503 Service Unavailable, trying again in 0.1 s$'
out 'flaky.json  answers again after 2 failures$'
out 'nowhere  error: status 404 Not Found, trying again in 0.2 s$'
out 'nowhere  error: status 404 Not Found$'
out '/  error: no JSON: line 1, column 1'
out '127.0.0.1:1/  error: .*connect'

run scripts/poll.lua -i 0.05 -n 2 --json "$site/changing.json"
code 0
out '^{"bytes":[0-9]*,"event":"first","time":"[0-9T:Z-]*","url":"http[^"]*","value":{"items":\[{"name":"tide","price":7}\]}}$'
out '^{"event":"changed","new":8,"old":7,"path":"items\[1\].price",'

# The grid: a slow answer does not shift what follows, and rounds that have passed are left out.
began=$(now)
run scripts/poll.lua -i 0.5 -n 2 --header 'X-Slow: 1' "$site/slow.json"
code 0
awk "BEGIN { t = $(now) - $began; exit !(t > 0.7 && t < 5) }" || complain "the second round should begin after 0.5 s"

run scripts/poll.lua
code 2
err '^poll: a URL is needed$'
run scripts/poll.lua ftp://a/
code 2
err "is no http:// or https:// URL"
run scripts/poll.lua -i 0 "$site/same.json"
code 2
err '^poll: -i needs a number of seconds, at least 0.01'
run scripts/poll.lua --header nonsense "$site/same.json"
code 2
err "^poll: --header needs 'Name: value', not 'nonsense'"
run scripts/poll.lua --help
code 0
out '^usage: '

what="poll.lua and SIGINT"
"$TIDEMILL" scripts/poll.lua "$site/same.json" >"$out" 2>"$err" </dev/null &
pid=$!
await bytes
signal INT
ended
code 130
err ''
finish
