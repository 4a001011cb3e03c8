# Sourced behind lib.sh by tests that need a web site: serve starts site.py, and $site is its URL. It ends with the test.
site=
server=

serve() {
    command -v python3 >/dev/null || exit 77 # as Meson wants it: skipped
    mkfifo "$dir/hold"
    python3 "$(dirname "$0")/site.py" <"$dir/hold" >"$dir/port" &
    server=$!
    trap 'rm -rf "$dir"; kill -9 $server $pid 2>/dev/null' EXIT
    exec 9>"$dir/hold" # its stdin is open as long as this shell lives
    tries=0
    until [ -s "$dir/port" ]; do
        sleep 0.02
        tries=$((tries + 1))
        if [ $tries -gt 1500 ]; then
            echo "site.py did not start"
            exit 1
        fi
    done
    site=http://127.0.0.1:$(cat "$dir/port")
}
