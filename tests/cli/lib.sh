# Sourced by the tests of this folder. Each runs the program and says what it wants of it:
#
#     run -e 'print(1)'       the words are the program's; -> $code, "$out", "$err"
#     code 0                  the exit code
#     out '^1$'               a pattern of grep that a line of stdout matches; '' is no output at all
#     err ''                  the same for stderr
#     no_err 'traceback'      a pattern that no line of stderr matches
#
# What is not so is told, and the test goes on; its last line is `finish`.
set -u
failed=0
dir=$(mktemp -d)
out=$dir/out err=$dir/err
pid=
trap 'rm -rf "$dir"; [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null' EXIT

run() {
    what="tidemill $*"
    "$TIDEMILL" "$@" >"$out" 2>"$err" </dev/null
    code=$?
}

complain() {
    echo "$what: $1"
    echo "  exit code $code"
    sed 's/^/  stdout: /' "$out" | head -5
    sed 's/^/  stderr: /' "$err" | head -12
    failed=1
}

code() {
    [ "$code" -eq "$1" ] || complain "the exit code should be $1"
}

# Patterns write a tab as \t.
pattern() {
    printf '%s' "$1" | sed "s/\\\\t/$(printf '\t')/g"
}

has() {
    if [ -z "$2" ]; then [ ! -s "$1" ]; else grep -q -e "$(pattern "$2")" "$1"; fi
}

out() {
    has "$out" "$1" || complain "stdout should match '$1'"
}

err() {
    has "$err" "$1" || complain "stderr should match '$1'"
}

no_out() {
    ! has "$out" "$1" || complain "stdout should not match '$1'"
}

no_err() {
    ! has "$err" "$1" || complain "stderr should not match '$1'"
}

# How many lines of a file match.
count() {
    grep -c -e "$(pattern "$2")" "$1"
}

# A script of that name in $dir, from standard input.
script() {
    cat >"$dir/$1"
}

# begin WORD...: starts the program and waits until it has printed "ready". Then `signal NAME`, and `ended` waits for it.
begin() {
    what="tidemill $*"
    : >"$out"
    "$TIDEMILL" "$@" >"$out" 2>"$err" </dev/null &
    pid=$!
    await ready
}

await() {
    tries=0
    until grep -q "$1" "$out"; do
        sleep 0.02
        tries=$((tries + 1))
        if [ $tries -gt 3000 ] || ! kill -0 "$pid" 2>/dev/null; then
            code=-1
            complain "it never printed '$1'"
            return
        fi
    done
}

signal() {
    what="$what; kill -$1"
    kill -"$1" "$pid"
}

ended() {
    wait "$pid"
    code=$?
    pid=
}

# Seconds since the epoch, with a fraction, and whether less than so many have passed since then.
now() {
    date +%s.%N
}

within() {
    awk "BEGIN { exit !($(now) - $2 < $1) }" || complain "it should have taken less than $1 s"
}

finish() {
    exit $failed
}
