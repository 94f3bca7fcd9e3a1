#!/bin/bash
# Model test of the queue: fixed and random histories of the real library and scripts against a redis-server of its own, with the
# time in the model's hands; then mutants of the scripts, each of which the same histories must notice. Prints TAP.
#
#     tests/queue_model/run.sh              everything
#     MUTANTS=3 tests/queue_model/run.sh    one mutant in three
#     SEED=12345 tests/queue_model/run.sh   one history again
#     HISTORIES=50 STEPS=500 MUTANTS=no tests/queue_model/run.sh
set -eu
cd "$(dirname "$0")/../.."

build=${PGUSHER_BUILD:-build}
export MODEL_BUILD=$build/queue_model CC=${CC:-cc} MAKEFLAGS=
command -v redis-server >/dev/null || { echo "1..0 # SKIP redis-server is not installed"; exit 0; }
command -v "${CC%% *}" >/dev/null || { echo "1..0 # SKIP no C compiler"; exit 0; }

work=$(mktemp -d /tmp/queue_model.XXXXXX)
server=
clean_up() {
    [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || :
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# As the main build: a sanitized one makes a sanitized model.
if nm "$build/libpgusher-queue.a" 2>/dev/null | grep -q __asan_init; then
    export MODEL_SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all'
else
    export MODEL_SANITIZE=
fi

library() { # make's options: the library with the model's time
    make -s B="$MODEL_BUILD" LUA_OVERRIDE=tests/queue_model/lua SANITIZE="$MODEL_SANITIZE" "$@"
}

# The library's objects but for the scripts, as make links them: a mutant has scripts of its own.
library_objects() {
    library -n -W lua/enqueue.lua "$MODEL_BUILD/libpgusher-queue.a" |
        sed -n 's/.* -r -o [^ ]* //p' | tr ' ' '\n' | grep -v '/gen/lua.o$'
}

build_model() {
    MODEL_OBJECTS=
    for source in tests/queue_model/*.c; do
        MODEL_OBJECTS="$MODEL_OBJECTS $MODEL_BUILD/${source%.c}.o"
    done
    # shellcheck disable=SC2086 # lists of words
    library "$MODEL_BUILD/libpgusher-queue.a" $MODEL_OBJECTS
    LIBRARY_OBJECTS=$(library_objects)
    LIBRARY_LIBS=$(library library-libs)
    export MODEL_OBJECTS LIBRARY_OBJECTS LIBRARY_LIBS
    # shellcheck disable=SC2086,SC2046
    $CC -pie $MODEL_SANITIZE -o "$MODEL_BUILD/model" $MODEL_OBJECTS "$MODEL_BUILD/libpgusher-queue.a" \
        $LIBRARY_LIBS -lm
}

start_redis() {
    redis-server --port 0 --unixsocket "$work/redis.sock" --dir "$work" --save '' --appendonly no \
        --enable-debug-command local >"$work/redis.log" 2>&1 &
    server=$!
    for _ in $(seq 100); do
        [ ! -S "$work/redis.sock" ] || return 0
        sleep 0.05
    done
    sed 's/^/# /' "$work/redis.log"
    return 1
}

run_all() {
    QUEUE_MODEL_SCRIPTS=$MODEL_BUILD/lua "$MODEL_BUILD/model" "unix://$work/redis.sock" "${HISTORIES:-300}" "${STEPS:-2000}" ||
        [ $? = 1 ] || echo "not ok 0 the model ran to its end"
    if [ "${MUTANTS:-1}" != no ] && [ -z "${SEED:-}" ]; then
        tests/queue_model/mutants.sh "unix://$work/redis.sock" "$work" "${MUTANTS:-1}" || echo "not ok 0 all mutants were tried"
    fi
}

# One plan for the tests of the model and the mutants.
renumber() {
    awk '/^1\.\./ { next }
        /^(not )?ok / { tests++; failed += /^not/; sub(/ok [0-9]+/, "ok " tests) }
        { print; fflush() }
        END { print "1.." tests; exit failed > 0 }'
}

build_model
start_redis
run_all | renumber
