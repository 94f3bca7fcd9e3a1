#!/bin/bash
# Runs all tests against $PGUSHER_BUILD (default: build) and ends with "N passed, M failed, K skipped".
set -u
cd "$(dirname "$0")/.." || exit 1
export PGUSHER_BUILD=${PGUSHER_BUILD:-$PWD/build}

passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

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

run_model() { # run_model NAME: tests/NAME/run.sh speaks TAP
    echo "== $1"
    "tests/$1/run.sh" 2>&1 | tee "$log"
    passed=$((passed + $(grep -c '^ok ' "$log")))
    failed=$((failed + $(grep -c '^not ok ' "$log")))
    ! grep -q '^1\.\.0 # SKIP' "$log" || skipped=$((skipped + 1))
    grep -qE '^1\.\.[0-9]' "$log" || failed=$((failed + 1))
}

run_pytest() { # run_pytest NAME ARGUMENT...
    echo "== $1"
    shift
    /usr/bin/python3 -m pytest -q -p no:cacheprovider "$@" 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    summary='[0-9]+ (passed|failed|skipped|error)'
    bad=$(($(number_before failed "$summary") + $(number_before 'errors?' "$summary")))
    [ "$status" = 0 ] || [ "$bad" != 0 ] || bad=1
    passed=$((passed + $(number_before passed "$summary")))
    skipped=$((skipped + $(number_before skipped "$summary")))
    failed=$((failed + bad))
}

run_unit
run_model model
run_model queue_model
run_pytest integration tests/integration
run_pytest fault -m quick tests/fault
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
