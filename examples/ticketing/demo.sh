#!/bin/bash
# `make demo`: from an application's tables to Redis hashes and a search engine, in about half a minute. PostgreSQL,
# Redis and, if it is installed, Groonga are the demo's own: one temporary folder, unix sockets (Groonga: a loopback
# port), gone at the end, whatever the end is. KEEP=1 leaves all of it running and says how to look around.
# Exit status: 0 all is as it should be, 1 something is not.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=demo_servers.sh
. "$(dirname "${BASH_SOURCE[0]}")/demo_servers.sh"
# shellcheck source-path=SCRIPTDIR source=demo_search.sh
. "$here/demo_search.sh"

# ---- words and numbers ----

step() { # step TITLE [EXPLANATION…]
    number=$((number + 1))
    printf '\n%s%2d  %s%s\n' "$bold" "$number" "$1" "$plain"
    shift
    [ $# = 0 ] || printf "    $dim%s$plain\n" "$@"
}

say() {
    printf '    %s\n' "$*"
}

indented() {
    sed "s/^/    /"
}

# Shows a command as the reader would type it, and runs it.
try() {
    say "\$ $*"
    "$@" 2>&1 | indented
}

row() { # row NAME LEFT RIGHT; printf alone would count bytes
    local blanks=$((42 - ${#2}))
    printf '    %-14s%s%*s%s\n' "$1" "$2" $((blanks > 2 ? blanks : 2)) '' "$3"
}

grouped() { # 212315 as 212,315
    local rest=$1 out=''
    while [ "$rest" -ge 1000 ]; do
        printf -v out ',%03d%s' $((rest % 1000)) "$out"
        rest=$((rest / 1000))
    done
    echo "$rest$out"
}

now_ms() {
    echo $((${EPOCHREALTIME/[.,]/} / 1000))
}

seconds() { # of ms
    printf '%d.%02d s' $(($1 / 1000)) $(($1 % 1000 / 10))
}

# ---- asking ----

sql() {
    psql -X -A -t -q -v ON_ERROR_STOP=1 "$@"
}

until_status() { # until_status WHAT PATTERN: of `pgusher status --json`
    local limit=$(($(now_ms) + 30000))
    until { pgusher status --json || true; } | grep -q "$2"; do
        kill -0 "$daemon" 2>/dev/null || fail 'pgusherd has ended'
        [ "$(now_ms)" -lt "$limit" ] || fail "after 30 s $1"
        sleep 0.02
    done
}

documents_written() { # each one is one RESTORE
    redis INFO commandstats | sed -n 's/^cmdstat_restore:calls=\([0-9]*\).*/\1/p'
}

changes_captured() {
    sql -c "SELECT coalesce(pg_sequence_last_value('pgusher.changelog_seq'), 0)"
}

# Some readable event, one that people bought tickets for if there is.
pick_event() {
    sql -c "SELECT e.id
              FROM event_card e
              LEFT JOIN (SELECT t.event_id AS id, count(*) AS sold
                           FROM sale s JOIN ticket t ON t.id = s.ticket_id
                          WHERE s.sold_at > now() - interval '30 s' GROUP BY 1) s USING (id)
             WHERE e.starts_at > now() AND e.tickets_left > 0 AND length(e.name) < 30
             ORDER BY e.notice IS NULL AND e.headliner IS NOT NULL AND e.name || e.venue ~ '[À-ſ]'
                      AND e.name || e.venue || e.city || e.country !~ '[Ͱ-￿]' DESC, s.sold DESC NULLS LAST, e.id
             LIMIT 1"
}

# ---- the steps ----

start_servers() {
    step 'Servers of our own' \
        'In one temporary folder, on unix sockets, the search engine on a loopback port; nothing else here is touched.'
    make_folder
    start_postgres
    start_redis
    start_groonga
    say "PostgreSQL $(sql -d postgres -c 'SHOW server_version')," \
        "Redis $(redis INFO server | sed -n 's/^redis_version:\([0-9.]*\).*/\1/p')," \
        "${groonga:+$(groonga --version | sed -n '1s/ \[.*//p'), }in $dir"
}

load_application() {
    step 'The application: a ticket marketplace' \
        'Plain tables, made-up data, and two views: one row of a view is to be one Redis hash.'
    createdb -E UTF8 -T template0 box_office
    say '$ psql -f schema.sql -f data.sql -f views.sql box_office'
    sql -f "$here/schema.sql" -f "$here/data.sql" -f "$here/views.sql"
    say "$(grouped "$(sql -c 'SELECT count(*) FROM venue')") venues," \
        "$(grouped "$(sql -c 'SELECT count(*) FROM event')") events," \
        "$(grouped "$(sql -c 'SELECT count(*) FROM ticket')") tickets"
    sed -e "s|dbname=box_office|host=$PGHOST user=postgres &|" -e "s|unix:[^\"]*|unix://$dir/redis.sock|" \
        -e "/\"ticket\": {/,\$ s/{search}/$tickets/" "$here/pgusher.json" >"$PGUSHER_CONFIG"
}

set_up_pgusher() {
    step 'Is the configuration right, and does it fit the database?' \
        'pgusher.json names the views, the keys of the hashes, and the tables whose changes concern them.'
    try pgusher check
    step 'Capture' 'Triggers note which rows changed, within the transaction that changes them.'
    try pgusher install
    step 'Backfill' 'Each row becomes a hash, and the key of each hash an item in a queue.'
    say '$ pgusher backfill'
    pgusher backfill | indented # its progress goes to stderr, and is drawn if that is a terminal
    step 'The worker' 'From now on what is committed in PostgreSQL appears in Redis.'
    say '$ pgusherd &'
    start_pgusherd
    until_status 'it has not caught up' '"asleep":true'
    try pgusher status
}

change_and_measure() {
    local id
    step 'A change, and how soon it is in Redis'
    id=$(pick_event)
    say "\$ psql -c \"UPDATE event SET notice = 'Doors open at 19:00' WHERE id = $id\" box_office"
    sql -c "UPDATE event SET notice = 'Doors open at 19:00' WHERE id = $id"
    until_status 'a change is not applied' '"lag_changes":0'
    say "\$ redis-cli HGET event:$id notice"
    redis HGET "event:$id" notice | indented
    echo
    say '200 prices change every second; the time from when COMMIT has returned until the hash shows the price:'
    "$build/demo/probe" latency '' "$dir/redis.sock" 200 4 | indented
}

sell_at_full_speed() {
    local changes written began ended ms
    step 'How much can it take?' 'Eight clients sell, refund, change prices, postpone, rename, as fast as they can.'
    say '$ pgbench -n -c 8 -j 2 -T 5 -M prepared -f sale.sql box_office'
    changes=$(changes_captured) written=$(documents_written) began=$(now_ms)
    pgbench -n -c 8 -j 2 -T 5 -M prepared --random-seed=1 -f "$here/sale.sql" >"$dir/pgbench.log" 2>&1 &
    echo $! >"$dir/pgbench.pid"
    for second in 1 2 3 4; do
        sleep 1
        say "$second s   pgusher status: $(pgusher status | sed -n 's/^ *lag */lag /p')"
    done
    wait $! || fail "pgbench: $(tail -n 3 "$dir/pgbench.log")"
    ended=$(now_ms)
    until_status 'the worker has not caught up' '"lag_changes":0'
    ms=$(($(now_ms) - began)) changes=$(($(changes_captured) - changes)) written=$(($(documents_written) - written))
    [ "$written" -gt 0 ] || fail 'Redis counts no document that was written'
    say "$(grouped "$(sed -n 's/.*actually processed: //p' "$dir/pgbench.log")") transactions," \
        "$(grouped "$changes") changed rows, $(grouped "$written") documents written:" \
        "$(grouped $((changes * 1000 / ms))) changes and $(grouped $((written * 1000 / ms))) documents a second."
    say "All of it was in Redis $(seconds $((began + ms - ended))) after the last transaction,"
    until_indexed
    say "and handled by the indexer $(seconds $(($(now_ms) - ended))) after it."
}

lose_a_worker() {
    local first=$daemon id began
    step 'A worker dies' 'Workers share the work. One of two is killed; what it had is gone on with by the other one.'
    say '$ pgusherd &'
    mv "$dir/pgusherd.pid" "$dir/first.pid"
    start_pgusherd
    until_status 'the second worker has not joined' '"workers":2'
    until_status 'the first worker keeps everything' '"asleep":true'
    pgusher status | sed -n '/workers/p' | indented
    say "\$ kill -9 $first; psql -c \"UPDATE event SET notice = 'Sold out' WHERE id IN (…)\" box_office"
    id=$(pick_event)
    kill -9 "$first"
    wait "$first" 2>/dev/null || true
    began=$(now_ms)
    sql -c "UPDATE event SET notice = 'Sold out' WHERE id BETWEEN $id AND $id + 99"
    until_status 'the changes are not applied' '"lag_changes":0'
    say "100 events were right in Redis $(seconds $(($(now_ms) - began))) later:"
    redis HGET "event:$id" notice | indented
}

show_event() {
    local id name value ends
    local -A hash=()
    step 'One event: its row, and its hash'
    id=$(pick_event)
    while IFS= read -r name && IFS= read -r value; do
        hash[$name]=$value
    done < <(redis HGETALL "event:$id")
    row '' "SELECT * FROM event_card WHERE id = $id" "HGETALL event:$id"
    while IFS='|' read -r name value; do
        row "$name" "$value" "${hash[$name]-(no field)}"
    done < <(sql -x -P null='(NULL)' -c "SELECT * FROM event_card WHERE id = $id")
    row _v '  version: nothing older overwrites it' "${hash[_v]}"
    row _d '  digest: what is equal is not written' "${hash[_d]}"
    ends=$(redis EXPIRETIME "event:$id")
    row TTL '  starts_at + 10 days' "$(redis TTL "event:$id") s, until $(date -u -d "@$ends" '+%F %T+00')"
}

compare_and_stop() {
    step 'Is all equal to the database?' \
        'Every row with its hash, field by field, with its date of expiry; and every hash must have a row.'
    "$build/demo/probe" compare '' "$dir/redis.sock" '10 days' 0 | indented
    until_indexed
    compare_search
    ! grep -E 'level=(error|warn)' "$dir/pgusherd.log" "$dir/indexer.log" || fail 'pgusherd or pgusher-queue complained'
    kill -0 "$daemon" 2>/dev/null || fail 'pgusherd has ended'
    [ "$keep" != 1 ] || return 0
    kill "$daemon" "$indexer"
    wait "$daemon" || fail "pgusherd was told to stop and ended with status $?"
    wait "$indexer" || fail "pgusher-queue was told to stop and ended with status $?"
}

if [ ! -x "$build/pgusherd" ] || [ ! -x "$build/demo/probe" ]; then
    fail 'not built yet; run: make demo'
fi
began=$(now_ms)
start_servers
load_application
set_up_pgusher
change_and_measure
start_indexer
rename_event
sell_at_full_speed
lose_a_worker
show_event
show_queues
compare_and_stop
printf '\n%sAll is as it should be, in %s.%s\n' "$bold" "$(seconds $(($(now_ms) - began)))" "$plain"
