# shellcheck shell=bash
# The private servers of the demo, and its end: sourced by demo.sh. Everything stands in $dir: sockets, data, logs,
# process ids.

build=${PGUSHER_BUILD:-}
keep=${KEEP:-}
number=0 # of the step at hand
# Nothing that the caller has set may lead to another server, or change how text looks.
unset CDPATH REDISCLI_AUTH "${!PG@}"
export LC_ALL=C.UTF-8 PGCLIENTENCODING=UTF8 PGTZ=UTC

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${build:-$(cd "$here/../.." && pwd)/build}
newest=$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)
[ ! -x "$newest" ] || PATH=${newest%/*}:$PATH
PATH=$build:$PATH

as_server='' # PostgreSQL refuses to run as root
[ "$(id -u)" != 0 ] || as_server='runuser -u postgres --'

# shellcheck disable=SC2034 # demo.sh uses them too
bold='' dim='' bad='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    # shellcheck disable=SC2034
    bold=$'\e[1m' dim=$'\e[2m' bad=$'\e[1;31m' plain=$'\e[0m'
fi

fail() {
    printf '%sdemo: %s%s\n' "$bad" "$1" "$plain" >&2
    exit 1
}

redis() {
    redis-cli -s "$dir/redis.sock" --raw "$@"
}

make_folder() {
    dir=$(mktemp -d /tmp/pgusher.XXXXXX) # short: the path of a unix socket has 107 bytes at most
    trap finish EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 141' PIPE
    trap 'exit 143' TERM
    export PGUSHER_CONFIG=$dir/pgusher.json PGHOST=$dir/run PGUSER=postgres PGDATABASE=box_office
    mkdir -m 700 "$dir/data" "$dir/run"
    write_stop
    cd "$dir" || exit
}

start_postgres() {
    if [ -n "$as_server" ]; then
        chmod 711 "$dir"
        chown postgres "$dir/data" "$dir/run"
    fi
    $as_server initdb -D "$dir/data" -U postgres -A trust -E UTF8 --no-locale --no-sync \
        >"$dir/initdb.log" 2>&1 || fail "initdb: $(tail -n 3 "$dir/initdb.log")"
    $as_server "$(command -v pg_ctl)" -D "$dir/data" -s -w -l "$dir/data/log" -o "-h '' -k $dir/run" start
}

# A session of its own, as for pgusherd: when it is kept it outlives the terminal.
start_redis() {
    setsid redis-server --port 0 --unixsocket "$dir/redis.sock" --unixsocketperm 700 --save '' --appendonly no \
        --dir "$dir" >"$dir/redis.log" 2>&1 </dev/null &
    echo $! >"$dir/redis.pid"
    for _ in {1..100}; do
        [ "$(redis PING 2>&1)" != PONG ] || return 0
        sleep 0.05
    done
    fail "Redis does not start: $(tail -n 3 "$dir/redis.log")"
}

start_pgusherd() {
    setsid pgusherd -c "$PGUSHER_CONFIG" >>"$dir/pgusherd.log" 2>&1 </dev/null &
    daemon=$!
    echo "$daemon" >"$dir/pgusherd.pid"
}

# The one command that stops and removes everything, at our end as well as for those who kept it running.
write_stop() {
    cat >"$dir/stop" <<EOF
#!/bin/sh
# Stops what \`make demo\` started, by the process ids it wrote down, and removes its folder.
cd /
runs() { # is it still the process that was started?
    [ -s "$dir/\$1.pid" ] && grep -qs "\$2" "/proc/\$(cat "$dir/\$1.pid")/cmdline"
}
stop() { # stop NAME WORD-OF-ITS-COMMAND-LINE
    ! runs "\$@" || kill "\$(cat "$dir/\$1.pid")" 2>/dev/null
    for tenth in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        ! runs "\$@" || sleep 0.1
    done
    ! runs "\$@" || kill -KILL "\$(cat "$dir/\$1.pid")" 2>/dev/null
}
stop pgbench pgbench
stop first "$dir"
stop pgusherd "$dir"
stop indexer pgusher-queue
stop groonga "$dir"
stop redis "$dir"
[ ! -s "$dir/data/postmaster.pid" ] || $as_server "$(command -v pg_ctl)" -D "$dir/data" -s -m immediate stop
rm -rf "$dir"
EOF
}

explain_kept() {
    local search=''
    [ -z "$groonga" ] || printf -v search "\n    curl '%s'" "$groonga/d/select?table=Events&match_columns=name&query=Serenade"
    cat <<EOF

${bold}It is still running.$plain
    psql -h $dir/run -U postgres box_office
    redis-cli -s $dir/redis.sock HGETALL event:77
    $build/pgusher -c $PGUSHER_CONFIG status
    $build/pgusher-queue -c $PGUSHER_CONFIG stats '{search}' --watch$search
    pgbench -h $dir/run -U postgres -n -c 4 -T 60 -R 200 -M prepared -f $here/sale.sql box_office
    tail -f $dir/pgusherd.log
This one command stops it and removes all of it:
    sh $dir/stop
EOF
}

# Whatever the end is. 129 and above are signals: somebody wants it to stop.
finish() {
    local status=$?
    trap '' HUP INT PIPE TERM
    set +e
    if [ "$status" != 0 ] && [ "$status" -le 128 ]; then
        printf '%sdemo: failed in step %s%s\n' "$bad" "$number" "$plain" >&2
        [ ! -s "$dir/pgusherd.log" ] || { echo "The end of pgusherd's log:" && tail -n 20 "$dir/pgusherd.log"; } >&2
        status=1
    elif [ "$status" != 0 ]; then
        echo "demo: interrupted; stopping what it started" >&2
    fi
    if [ "$status" -le 1 ] && [ "$keep" = 1 ] && [ -s "$dir/pgusherd.pid" ]; then
        explain_kept
    else
        for pid in $(jobs -p); do
            kill "$pid" 2>/dev/null # its id may not be written down yet
        done
        sh "$dir/stop"
    fi
    exit "$status"
}
