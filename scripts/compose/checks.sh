# A check is a command: one line is printed of it, and the next one is tried in any case. Sourced by scripts/test-compose.

held=0
failed=()
began=$SECONDS

check() { # NAME COMMAND...
    local name=$1 start=$EPOCHREALTIME out rc=0
    shift
    # In a subshell with `-e`, which `if` and `||` would switch off.
    set +e
    out=$(set -e; "$@" 2>&1)
    rc=$?
    set -e
    local took
    took=$(awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $start }")
    # The older Compose wants `version`, the newer one says each time that it does not.
    out=$(grep -v 'attribute `version` is obsolete' <<<"$out" || true)
    # What a check that held has to say stands behind its name.
    if [ $rc = 0 ]; then
        held=$((held + 1))
        printf 'ok    %5s s  %s%s\n' "$took" "$name" "${out:+: $out}"
    else
        failed+=("$name")
        printf 'FAIL  %5s s  %s\n%s\n' "$took" "$name" "$(head -n 20 <<<"$out" | sed 's/^/        /')"
    fi
}

summary() {
    say "$held checks held, ${#failed[@]} failed, in $((SECONDS - began)) s"
    [ ${#failed[@]} = 0 ] || { printf '   failed: %s\n' "${failed[@]}"; return 1; }
}

is() { [ "$1" = "$2" ] || { echo "expected '$1', found '$2'"; return 1; }; } # EXPECTED FOUND
has() { grep -q -- "$1" <<<"$2" || { echo "'$1' is not in: $2"; return 1; }; } # PATTERN TEXT

within() { # SECONDS COMMAND...: until the command holds
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || { "$@"; return 1; }
        sleep 0.2
    done
}
