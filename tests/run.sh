#!/bin/bash
# run.sh [unit|models|soak|integration|whole|fault|system]...: runs all tests, or these, against $PGUSHER_BUILD (default: build) and ends with
# "N passed, M failed, K skipped".
set -u
cd "$(dirname "$0")/.." || exit 1
export PGUSHER_BUILD=${PGUSHER_BUILD:-$PWD/build}

passed=0 failed=0 skipped=0
again=0 # failed at first and passed alone
background="" models="" soak="" # leaders of process groups
log=$(mktemp)
finish() {
    for leader in $background $models $soak; do
        { kill -TERM -- "-$leader" && wait "$leader"; } 2>/dev/null
    done
    rm -rf "$log" "$log".*
}
trap finish EXIT
trap 'exit 130' INT TERM

# Adds the number before a word, as in "3 failed", of the last line that matches.
number_before() {
    grep -E "$2" "$log" | tail -n 1 | grep -oE "[0-9]+ $1" | grep -oE '[0-9]+' || echo 0
}

run_unit() {
    for program in "$PGUSHER_BUILD"/tests/test_*; do
        case ${program##*/} in *.*) continue ;; esac
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
        passed=$((passed + $(grep '^ok ' "$log" | grep -vc '# SKIP')))
        failed=$((failed + $(grep -c '^not ok ' "$log")))
        skipped=$((skipped + $(grep -cE '^(1\.\.0|ok .*) # SKIP' "$log")))
        grep -qE '^1\.\.[0-9]' "$log" || failed=$((failed + 1))
    done
    rm -r "$log.models"
}

tally_pytest() { # tally_pytest STATUS CACHE FILE...: adds what the log says
    local bad status=$1 cache=$2 summary='[0-9]+ (passed|failed|skipped|error)'
    shift 2
    bad=$(($(number_before failed "$summary") + $(number_before 'errors?' "$summary")))
    [ "$status" = 0 ] || [ "$bad" != 0 ] || bad=1
    passed=$((passed + $(number_before passed "$summary")))
    skipped=$((skipped + $(number_before skipped "$summary")))
    if [ "$bad" -gt 0 ] && [ $((again + bad)) -le 4 ] && passes_alone "$cache" "$@"; then
        again=$((again + bad))
        passed=$((passed + bad))
    else
        failed=$((failed + bad))
    fi
}

# A test of what happens in time may fail because others had the processors. A few that failed are run once more while nothing else runs;
# what they said the first time stays in the output, and the end names them.
passes_alone() { # passes_alone CACHE FILE...
    echo "== once more, alone"
    pytest "$@" --last-failed --last-failed-no-failures none 2>&1 | tee "$log"
    [ "${PIPESTATUS[0]}" = 0 ]
}

pytest() { # pytest CACHE ARGUMENT...
    local cache=$1
    shift
    /usr/bin/python3 -m pytest -q -o addopts='-ra --tb=short' -o cache_dir="$cache" "$@"
}
export -f pytest

run_pytest() { # run_pytest NAME ARGUMENT...
    echo "== $1"
    shift
    pytest "$log.cache" "$@" 2>&1 | tee "$log"
    tally_pytest "${PIPESTATUS[0]}" "$log.cache" "$@"
    rm -rf "$log.cache"
}

# Most tests wait for something, so several at a time take little longer than one: two files each, by whoever is free.
run_integration() {
    local part files
    echo "== integration"
    mkdir "$log.parts"
    # shellcheck disable=SC2016 # expanded by bash, once per part
    printf '%s\n' tests/integration/test_*.py | PARTS=$log.parts setsid xargs -P 4 -n 2 bash -c '
        echo "$@" >"$PARTS/$$.files"
        pytest "$PARTS/$$.cache" "$@" >"$PARTS/$$" 2>&1
        echo $? >"$PARTS/$$.status"' bash &
    background=$!
    wait "$background" ${models:+"$models"}
    background=
    for part in "$log.parts"/*.status; do
        part=${part%.status}
        tee "$log" <"$part"
        read -ra files <"$part.files"
        tally_pytest "$(cat "$part.status")" "$part.cache" "${files[@]}"
    done
    rm -r "$log.parts"
}

# A minute of it, and what the calms in it need, beside what else waits; `make soak` runs it for as long as it is told.
start_soak() {
    # shellcheck disable=SC2016 # expanded by the bash inside
    setsid nice bash -c 'pytest "$1" tests/soak' bash "$log.soak-cache" >"$log.soak" 2>&1 &
    soak=$!
}

tally_soak() {
    local status
    echo "== soak"
    wait $soak
    status=$?
    soak=
    tee "$log" <"$log.soak"
    tally_pytest $status "$log.soak-cache" tests/soak
}

wanted() { # wanted PART
    case " ${parts:-$1} " in *" $1 "*) ;; *) false ;; esac
}

parts=$*
! wanted unit || run_unit
! wanted models || start_models model queue_model fuzz
! wanted soak || start_soak
! wanted integration || run_integration
! wanted soak || tally_soak
! wanted models || tally_models model queue_model fuzz
! wanted whole || run_pytest whole tests/whole
! wanted fault || run_pytest fault -m quick tests/fault
! wanted system || CACHED_ROOTS_ONLY=1 run_pytest system -m quick tests/system
[ "$again" = 0 ] || echo "$again of those that passed failed at first, beside others, and passed alone: look for \"once more, alone\" above"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
