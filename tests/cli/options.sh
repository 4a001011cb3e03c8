# The command line: what it answers, where, and with which exit code. $TIDEMILL is the program.
set -u
failed=0
out=$(mktemp) err=$(mktemp)
trap 'rm -f "$out" "$err"' EXIT

# check CODE STDOUT STDERR WORD...: runs tidemill with the words; the texts are patterns of grep, '' is no output.
check() {
    code=$1 want_out=$2 want_err=$3
    shift 3
    "$TIDEMILL" "$@" >"$out" 2>"$err" </dev/null
    got=$?
    [ $got -eq "$code" ] || complain "exit code $got, not $code" "$@"
    matches "$want_out" "$out" || complain "stdout: $(head -3 "$out")" "$@"
    matches "$want_err" "$err" || complain "stderr: $(head -3 "$err")" "$@"
}

matches() {
    if [ -z "$1" ]; then [ ! -s "$2" ]; else grep -q -e "$1" "$2"; fi
}

complain() {
    why=$1
    shift
    echo "tidemill $*: $why"
    failed=1
}

check 0 '^Usage' '' --help
check 0 '^Tidemill [0-9.]*$' '' --version
check 0 '^Lua 5\.4\.[0-9]*$' '' -v
check 2 '' "unknown option '--wrokers'" --wrokers 3 x.lua
check 2 '' "Try 'tidemill --help'" --wrokers 3 x.lua
check 2 '' "^tidemill: --workers: '0' is not an integer from 1 to 1024$" --workers 0 x.lua
check 2 '' "^tidemill: --workers needs a value: an integer" --workers
check 2 '' "^tidemill: no script given" run
check 2 '' 'env -S' '--workers 4'

"$TIDEMILL" --help >/dev/full 2>"$err"
[ $? -eq 1 ] && grep -q 'cannot write to standard output' "$err" || complain 'a full disk goes unnoticed' --help
exit $failed
