# scripts/with-site: serves a folder while a command runs, and leaves nothing behind, however it ends.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
for program in nginx setpriv pgrep; do command -v $program >/dev/null || exit 77; done
unset http_proxy all_proxy ALL_PROXY
TMPDIR=$dir/tmp
export TMPDIR
mkdir "$TMPDIR" "$dir/a \"site\""
echo '<title>Index</title><a href="other.html">o</a>' >"$dir/a \"site\"/index.html"
echo '<title>Other</title>' >"$dir/a \"site\"/other.html"

# What runs on is found by the name of the folder in its command line.
gone() {
    tries=0
    while pgrep -f "nginx -e $TMPDIR" >/dev/null; do
        sleep 0.05
        tries=$((tries + 1))
        if [ $tries -gt 200 ]; then
            complain "nginx should be gone"
            break
        fi
    done
    [ -z "$(ls -A "$TMPDIR")" ] || complain "the temporary folder should be gone"
}

what="scripts/with-site"
scripts/with-site "$dir/a \"site\"" "$TIDEMILL" scripts/crawl.lua -o - >"$out" 2>"$err" </dev/null
code=$?
code 0
out '"title":"Index","url":"http://127.0.0.1:[0-9]*/index.html"'
out '"title":"Other"'
gone
rm "$dir/a \"site\"/index.html"
scripts/with-site "$dir/a \"site\"" "$TIDEMILL" scripts/crawl.lua -o - >"$out" 2>"$err" </dev/null
code=$?
code 0
out '"title":"Index of /","url":"http://127.0.0.1:[0-9]*/"'
out '"title":"Other"'
gone

scripts/with-site "$dir" sh -c 'exit 7' >"$out" 2>"$err" </dev/null
code=$?
code 7
gone
scripts/with-site "$dir/nowhere" true >"$out" 2>"$err" </dev/null
code=$?
code 2
scripts/with-site "$dir" >"$out" 2>"$err" </dev/null
code=$?
code 2
err '^usage: '

for pair in TERM:143 KILL:137; do
    what="scripts/with-site and SIG${pair%:*}"
    : >"$out"
    scripts/with-site "$dir" sh -c 'echo ready; exec sleep 600' >"$out" 2>"$err" </dev/null &
    pid=$!
    await ready
    signal "${pair%:*}"
    ended
    code "${pair#*:}"
    gone
done
finish
