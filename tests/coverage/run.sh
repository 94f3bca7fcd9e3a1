#!/bin/bash
# run.sh [PART]...: counts what the tests run (parts as in tests/run.sh; unit, integration, whole and fault unless told) in the build that
# $PGUSHER_BUILD names, made by `make coverage`. Leaves there index.html and uncovered.txt. Not counted: what is killed by SIGKILL.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$PGUSHER_BUILD
find "$build" -name '*.gcda' -delete
[ $# -gt 0 ] || set -- unit integration whole fault
LOST=whole tests/run.sh "$@"
status=$?
mkdir -p "$build/coverage"
gcovr -r . --object-directory "$build" --filter 'common/' --filter 'cdc/' --filter 'queue/' --exclude-throw-branches --gcov-ignore-parse-errors \
    --json "$build/coverage/coverage.json" --html-details "$build/coverage/index.html" 2>"$build/coverage/gcovr.log" || { cat "$build/coverage/gcovr.log"; exit 1; }
tests/coverage/report.py "$build/coverage/coverage.json" "$build/coverage/uncovered.txt"
echo "in full: $build/coverage/index.html"
exit $status
