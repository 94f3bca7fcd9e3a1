#!/bin/bash
# Runs all tests against $PGUSHER_BUILD (default: build) and ends with "N passed, M failed, K skipped".
set -u
cd "$(dirname "$0")/.." || exit 1
export PGUSHER_BUILD=${PGUSHER_BUILD:-$PWD/build}

passed=0 failed=0 skipped=0
background="" models="" # leaders of process groups
log=$(mktemp)
finish() {
    for leader in $background $models; do
        { kill -TERM -- "-$leader" && wait "$leader"; } 2>/dev/null
    done
    rm -rf "$log" "$log.parts" "$log.models"
}
trap finish EXIT
trap 'exit 130' INT TERM

# Adds the number before a word, as in "3 failed", of the last line that matches.
number_before() {
    grep -E "$2" "$log" | tail -n 1 | grep -oE "[0-9]+ $1" | grep -oE '[0-9]+' || echo 0
}

run_unit() {
    for program in "$PGUSHER_BUILD"/tests/test_*; do
        case $program in *.d) continue ;; esac
        echo "== ${program##*/}"
        "$program" 2>&1 | tee "$log"
        status=${PIPESTATUS[0]}
        checks=$(sed -n 's/.*Checks: \([0-9]*\).*/\1/p' "$log" | tail -n 1)
        bad=$(sed -n 's/.*Failures: \([0-9]*\), Errors: \([0-9]*\).*/\1 + \2/p' "$log" | tail -n 1)
        bad=$((${bad:-0}))
        [ "$status" = 0 ] || [ "$bad" != 0 ] || bad=1
        passed=$((passed + ${checks:-0} - (bad < ${checks:-0} ? bad : ${checks:-0})))
        failed=$((failed + bad))
    done
}

# Each tests/NAME/run.sh speaks TAP. They take one core for minutes, while most other tests wait for something; `make models` runs
# them in full.
start_models() { # start_models NAME...
    mkdir "$log.models"
    # shellcheck disable=SC2016 # expanded by sh, once per model
    printf '%s\n' "$@" | HISTORIES=100 MUTANTS=3 MODELS=$log.models setsid xargs -n 1 sh -c '
        nice "tests/$1/run.sh" >"$MODELS/$1" 2>&1' sh &
    models=$!
}

tally_models() { # tally_models NAME...
    wait $models
    models=
    for name in "$@"; do
        echo "== $name"
        tee "$log" <"$log.models/$name"
        passed=$((passed + $(grep -c '^ok ' "$log")))
        failed=$((failed + $(grep -c '^not ok ' "$log")))
        ! grep -q '^1\.\.0 # SKIP' "$log" || skipped=$((skipped + 1))
        grep -qE '^1\.\.[0-9]' "$log" || failed=$((failed + 1))
    done
    rm -r "$log.models"
}

tally_pytest() { # tally_pytest STATUS: adds what the log says
    local bad summary='[0-9]+ (passed|failed|skipped|error)'
    bad=$(($(number_before failed "$summary") + $(number_before 'errors?' "$summary")))
    [ "$1" = 0 ] || [ "$bad" != 0 ] || bad=1
    passed=$((passed + $(number_before passed "$summary")))
    skipped=$((skipped + $(number_before skipped "$summary")))
    failed=$((failed + bad))
}

run_pytest() { # run_pytest NAME ARGUMENT...
    echo "== $1"
    shift
    /usr/bin/python3 -m pytest -q -p no:cacheprovider "$@" 2>&1 | tee "$log"
    tally_pytest "${PIPESTATUS[0]}"
}

# Most tests wait for something, so several at a time take little longer than one: two files each, by whoever is free.
run_integration() {
    local part
    echo "== integration"
    mkdir "$log.parts"
    # shellcheck disable=SC2016 # expanded by sh, once per part
    printf '%s\n' tests/integration/test_*.py | PARTS=$log.parts setsid xargs -P 4 -n 2 sh -c '
        /usr/bin/python3 -m pytest -q -p no:cacheprovider "$@" >"$PARTS/$$" 2>&1
        echo $? >"$PARTS/$$.status"' sh &
    background=$!
    wait $background
    background=
    for part in "$log.parts"/*.status; do
        tee "$log" <"${part%.status}"
        tally_pytest "$(cat "$part")"
    done
    rm -r "$log.parts"
}

run_unit
start_models model queue_model
run_integration
tally_models model queue_model
run_pytest fault -m quick tests/fault
CACHED_ROOTS_ONLY=1 run_pytest system -m quick tests/system
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
