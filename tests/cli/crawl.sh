# scripts/crawl.lua: a small site, its oddities, wrong command lines, Ctrl-C.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/server.sh"
unset http_proxy all_proxy ALL_PROXY
serve
crawl=$(pwd)/scripts/crawl.lua
cd "$dir" || exit 1

# page PATH PATTERN: the line of that page must match. `page PATH ''`: there must be none.
page() {
    line=$(grep -F "\"url\":\"$site$1\"" "$out")
    if [ -z "$2" ]; then
        [ -z "$line" ] || complain "there should be no line for $1"
    else
        printf '%s\n' "$line" | grep -q -e "$2" || complain "the line of $1 should match '$2', but is: $line"
    fi
}

# A site with everything, into lines of JSON.
run "$crawl" "$site" -o -
code 0
page / '"depth":0,"error":null,"from":null,"links":7,.*"status":200,"title":"Tide & mill"'
page /a.html '"depth":1,.*"links":3,.*"title":"A"'
page '/a.html?' '"title":"A with an empty query"'
page /c/d.html '"depth":2,.*"title":"Dé"'
page /gone.html '"depth":2,"error":null,"from":"http[^"]*/[ab][^"]*","links":0,.*"status":404'
page /pic.png '"links":0,.*"status":200,"title":null'
page /old '"redirect":"http[^"]*/new","seconds":[0-9.]*,"status":302'
page /new '"depth":1,.*"status":200'
page /slow '"depth":3,"error":null,.*"seconds":0\.[2-9]'
page /private/x.html ''
[ "$(sort "$out" | uniq -d | wc -l)" -eq 0 ] || complain "no page may come twice"
[ "$(count "$out" .)" -eq 12 ] || complain "there should be 12 lines"
err '^  pages  *7  and 1 other files, 2 redirects$'
err '^  errors  *2$'
err '^  statuses  *200: 8, 302: 3, 404: 1$'
err '^  not followed  *1  robots.txt asks for that$'
err '/gone.html  status 404; linked from http[^ ]* and 1 more$'
err '/round2*  redirects that go round in a circle; linked from '
run -e "io.write(require('tidemill').http.get('$site/requests').body)"
out '^/robots.txt 1$'
out '^/gone.html 1$'
out '^/new 1$'
no_out '^/no-page'
no_out '^/private'

# Into a file, a table on stdout, nothing on stderr.
run "$crawl" "$site/" --no-robots --fail
code 1
err ''
out '^  pages  *8 '
out '^Dead:$'
out '^One line of JSON per page is in crawl.jsonl$'
[ "$(count crawl.jsonl '"url":"http')" -eq 13 ] || complain "there should be 13 lines"
run "$crawl" "$site/" --compare -n 4
code 0
out '^  speed-up  *[0-9.]* x  over one page at a time'

# Limits and patterns.
run "$crawl" "$site/endless/a" --max-pages 100 -n 7
code 0
out '^  pages  *100 '
out '^  not followed  *101  waiting or under way'
run "$crawl" "$site/endless/b" --max-depth 5
code 0
out '^  pages  *63 '
out '^  not followed  *64  too deep'
run "$crawl" "$site/" -o - --include '%.html$' --exclude gone
code 0
page /a.html '"status":200'
page /gone.html ''
page /b/ ''
run "$crawl" "$site/start" -o -
code 0
page /new '"depth":0,.*"title":"New"'
began=$(now)
run "$crawl" "$site/endless/c" --max-pages 4 --delay 0.1
code 0
awk "BEGIN { exit !($(now) - $began > 0.3) }" || complain "--delay should have taken its time"

# What is not there, or no page.
run "$crawl" "$site/nowhere"
code 1
out 'nowhere  status 404$'
out '^Nothing was found.$'
run "$crawl" "$site/pic.png"
code 0
out '^  pages  *0  and 1 other files'
run "$crawl" "$site/plain.html"
code 0
run "$crawl" "$site/broken" --retries 0
code 1
out 'broken  status 500$'
run "$crawl" "$site/chain/0"
code 1
out 'chain/10  more than 10 redirects'
run "$crawl" "$site/private/x.html"
code 1
out '^  not followed  *1  robots.txt'
run "$crawl" http://127.0.0.1:1/ --retries 0 -o -
code 1
out '"error":"[^"]*connect[^"]*",.*"status":null'
run "$crawl" "$site/far" --retries 0
code 1
out '^  http://127.0.0.1:1/  .*connect'

# Wrong command lines.
run "$crawl"
code 2
err '^crawl: a URL is needed$'
err '^usage: '
run "$crawl" http://a/ http://b/
code 2
err 'one URL at a time'
for url in ftp://a/ a.html 'http://a b/' ''; do
    run "$crawl" "$url"
    code 2
    err "is no http:// or https:// URL"
done
run "$crawl" "$site" --fast
code 2
err "unknown option '--fast'"
run "$crawl" "$site" -n 0
code 2
err "^crawl: -n needs a whole number from 1 to 10000, not '0'"
run "$crawl" "$site" -o /no/such/folder/x
code 2
err '^crawl: cannot write the results (/no/such/folder/x: No such file'
run "$crawl" --help
code 0
out '^usage: '
if [ -e /dev/full ]; then
    run "$crawl" "$site" -o /dev/full
    code 1
    err '^crawl: cannot write the results (No space left'
fi

# Ctrl-C: what was found is written, and the table comes.
for pair in INT:130 TERM:143; do
    what="crawl.lua and SIG${pair%:*}"
    rm -f hung.jsonl
    "$TIDEMILL" "$crawl" "$site/hung/" -o hung.jsonl >"$out" 2>"$err" </dev/null &
    pid=$!
    tries=0
    until grep -q '/new"' hung.jsonl 2>/dev/null || [ $tries -gt 1500 ]; do
        sleep 0.02
        tries=$((tries + 1))
    done
    began=$(now)
    signal "${pair%:*}"
    ended
    code "${pair#*:}"
    within 10 "$began"
    out '^  pages  *2 '
    out '^  not followed  *1  waiting or under way'
    err ''
    [ "$(count hung.jsonl '^{.*}$')" -eq 2 ] || complain "there should be 2 lines"
done
finish
