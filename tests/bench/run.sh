#!/bin/bash
# run.sh [NAME…]: runs the benchmarks (all of them), each against private servers of its own, and writes what it finds
# into its section of RESULTS.md. ROUNDS=1 is quick, and only shows it. PGUSHER_BUILD: the build to measure (build).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export PGUSHER_BUILD=${PGUSHER_BUILD:-$root/build}
export PYTHONPATH=$root/tests/integration # for harness

build() {
    mkdir -p "$PGUSHER_BUILD/bench"
    for source in "$here"/*.c; do
        program=${source##*/}
        # shellcheck disable=SC2046 # words, not a path
        "${CC:-cc}" -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -I"$root" -pthread $(pkg-config --cflags hiredis libpq) \
            -o "$PGUSHER_BUILD/bench/${program%.c}" "$source" "$PGUSHER_BUILD/libpgusher-queue.a" \
            $(pkg-config --libs hiredis libpq)
    done
}

names() {
    for bench in "$here"/bench_*.py; do
        bench=${bench##*/bench_}
        echo "${bench%.py}"
    done
}

# shellcheck disable=SC2046 # names are words
[ $# != 0 ] || set -- $(names)
for name; do
    [ -f "$here/bench_$name.py" ] || {
        echo "bench: there is no benchmark \"$name\"; there are: $(names | tr "\n" " ")" >&2
        exit 2
    }
done
build
for name; do
    /usr/bin/python3 -B "$here/bench_$name.py"
done
