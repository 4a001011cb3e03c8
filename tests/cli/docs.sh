# Every example of README.md and docs/ runs and prints what stands there. $TIDEMILL is the program.
set -u
failed=0
page=$(mktemp)
trap 'rm -f "$page"' EXIT

# fails WHY: check-docs must complain about the page on stdin with these words.
fails() {
    cat >"$page"
    found=$("$TIDEMILL" scripts/check-docs "$page" 2>&1)
    if [ $? -ne 1 ] || ! printf '%s\n' "$found" | grep -q -e "$1"; then
        printf 'check-docs does not complain of "%s", but says:\n%s\n' "$1" "$found"
        failed=1
    fi
}

fails 'prints something else' <<'END'
```lua
print(1)
```

```text
2
```
END
fails 'prints something else' <<'END'
```lua
print(1) --> 1
print(2)
```
END
fails 'prints something else' <<'END'
```console
$ tidemill -e 'print(1)'
2
```
END
fails 'exit code 1, not 0' <<'END'
```lua
error("no")
```
END
fails 'norun without a reason' <<'END'
```lua norun
print(1)
```
END
fails 'no file' <<'END'
See [there](nowhere.md).
END
fails 'a block that does not end' <<'END'
```lua
print(1)
END

"$TIDEMILL" scripts/check-docs || failed=1
exit $failed
