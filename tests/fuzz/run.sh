#!/bin/bash
# run.sh [replay | fuzz]: every target (tests/fuzz/fuzz_*.c), as TAP. replay: the corpus through $PGUSHER_BUILD/fuzz/*, built by any
# compiler. fuzz: FUZZ_S seconds of libFuzzer each (1, always the same), with AddressSanitizer and UBSan; TARGET="a b" selects. Without an
# argument both. What is found is left in $PGUSHER_BUILD/fuzz. FUZZ_KEEP=1 puts new inputs that reach new code into the corpus.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${PGUSHER_BUILD:-$PWD/build}
corpus=tests/fuzz/corpus
libfuzzer=$build/fuzz/libfuzzer # where it is built
read -ra targets <<<"${TARGET:-$(cd tests/fuzz && printf '%s\n' fuzz_*.c | sed 's/^fuzz_//; s/\.c$//' | tr '\n' ' ')}"
seconds=${FUZZ_S:-1}
number=0 bad=0
log=$(mktemp)
trap 'rm -rf "$log"*' EXIT
mkdir -p "$build/fuzz"
unset MAKEFLAGS MFLAGS MAKELEVEL

told() { # told STATUS TEXT...
    local status=$1
    shift
    number=$((number + 1))
    if [ "$status" = 0 ]; then
        echo "ok $number - $*"
    else
        bad=$((bad + 1))
        echo "not ok $number - $*"
        tail -n 40 "$log" | tr -cd '\11\12\40-\176' | cut -c 1-300 | sed 's/^/# /'
    fi
}

replay() { # replay TARGET
    timeout 300 "$build/fuzz/$1" "$corpus/$1" >"$log" 2>&1
    told $? "$1: $(tail -n 1 "$log" | tr -cd '[:print:]') replayed"
}

find_clang() {
    local name
    for name in "${CLANG:-clang}" clang-{30..13}; do
        ! command -v "$name" || return 0
    done
    return 1
}

# Whether it has libFuzzer, and what it builds runs here.
try_clang() {
    printf '#include <stddef.h>\nint LLVMFuzzerTestOneInput(const char *data, size_t size) { return data && size > 9 ? -1 : 0; }\n' >"$log.c"
    clang=$(find_clang) && "$clang" -fsanitize=fuzzer,address,undefined -o "$log.try" "$log.c" >"$log" 2>&1 &&
        "$log.try" -runs=10 >>"$log" 2>&1
}

build_targets() {
    make -s -j2 B="$libfuzzer" CC="$clang" CFLAGS='-O1 -g -fno-omit-frame-pointer' FUZZ_MAIN=-fsanitize=fuzzer \
        SANITIZE='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' "${targets[@]/#/$libfuzzer/fuzz/}" >"$log" 2>&1
}

fuzz() { # fuzz TARGET
    local program=$libfuzzer/fuzz/$1 fresh=$build/fuzz/corpus/$1 options=() status found
    rm -rf "$fresh" && mkdir -p "$fresh"
    [ ! -f "tests/fuzz/dictionaries/$1.dict" ] || options+=("-dict=tests/fuzz/dictionaries/$1.dict")
    [ -n "${FUZZ_S:-}" ] || options+=(-seed=1)
    "$program" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 \
        -artifact_prefix="$build/fuzz/$1-" "${options[@]}" "$fresh" "$corpus/$1" >"$log" 2>&1
    status=$?
    found=$(sed -n 's/.*Test unit written to //p' "$log")
    told $status "$1: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs," \
        "$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1) edges${found:+; again: $program $found}"
    [ -z "${FUZZ_KEEP:-}" ] || "$program" -merge=1 -use_counters=0 -max_len=1024 "$corpus/$1" "$fresh" >/dev/null 2>&1
}

small() {
    local files bytes
    files=$(find "$corpus" -type f | wc -l)
    bytes=$(find "$corpus" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
    : >"$log"
    [ "$files" -lt 400 ] && [ "$bytes" -lt 300000 ]
    told $? "the corpus is small: $files files, $bytes bytes"
}

if [ "${1:-replay}" = replay ]; then
    for target in "${targets[@]}"; do
        replay "$target"
    done
    small
fi
if [ "${1:-fuzz}" = fuzz ]; then
    if ! try_clang; then
        number=$((number + 1))
        echo "ok $number - libFuzzer # SKIP no clang with libFuzzer; tests/deps.sh fuzz installs it"
    elif ! build_targets; then
        told 1 "the build with $clang"
    else
        for target in "${targets[@]}"; do
            fuzz "$target"
        done
    fi
fi
echo "1..$number"
[ "$bad" = 0 ]
