# shellcheck shell=bash
# The search side of the demo, sourced by demo.sh: Groonga, a search engine; its indexer, run by pgusher-queue; and
# what can be found. Where Groonga or Python is missing, the queue is emptied all the same.

# shellcheck disable=SC2154 # dir and here are set by demo_servers.sh

events='{search}' tickets='{tickets}' # the queues
groonga=''                            # the engine's address, if there is one

# Groonga listens on no unix socket: a port of the loopback that is free just now.
start_groonga() {
    local port
    { command -v groonga && [ -x /usr/bin/python3 ]; } >/dev/null || return 0
    port=$(/usr/bin/python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
    mkdir "$dir/groonga"
    setsid groonga -s -p "$port" --bind-address 127.0.0.1 --protocol http --log-path "$dir/groonga.log" \
        -n "$dir/groonga/db" >"$dir/groonga.out" 2>&1 </dev/null &
    echo $! >"$dir/groonga.pid"
    groonga=http://127.0.0.1:$port
    for _ in {1..100}; do
        ! { : <"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 0
        sleep 0.05
    done
    fail "Groonga does not start: $(tail -n 3 "$dir/groonga.log")"
}

# select_events OUTPUT-COLUMNS [ARGUMENT=VALUE…]: records of the engine, one a line, tabs between the columns
select_events() {
    /usr/bin/python3 - "$groonga" "$@" <<'EOF'
import json, sys, urllib.parse, urllib.request
address, columns, *more = sys.argv[1:]
arguments = {"table": "Events", "limit": -1, "output_columns": columns, **dict(word.split("=", 1) for word in more)}
answer = urllib.request.urlopen(f"{address}/d/select?{urllib.parse.urlencode(arguments)}").read()
for record in json.loads(answer)[1][0][2:]:
    print(*record, sep="\t")
EOF
}

search() { # search WORDS: the events that are found by these
    select_events _key,name,venue,city match_columns='name||headliner||venue||city' query="\"$1\""
}

try_search() {
    say "search for \"$1\":"
    { search "$1" | grep . || echo '  nothing'; } | sed 's/\t/   /g; s/^event/  event/' | indented
}

until_indexed() {
    local limit=$(($(now_ms) + 30000))
    until [ "$(redis LLEN "$events")$(redis HLEN "$events:inflight")" = 00 ]; do
        kill -0 "$indexer" 2>/dev/null || fail "pgusher-queue has ended: $(tail -n 3 "$dir/indexer.log")"
        [ "$(now_ms)" -lt "$limit" ] || fail "after 30 s the queue $events is not empty"
        sleep 0.02
    done
}

start_indexer() {
    local began command="$here/../indexers/groonga.py --server $groonga --table Events"
    command+=' --full-text name,headliner,venue,city'
    step 'The search indexer' 'Whenever documents have changed, a program gets them, as JSON lines, 1,000 at most at a time.'
    if [ -z "$groonga" ]; then
        say 'Groonga or Python is not installed, so search is left out: the lines are only counted.'
        command='wc -l >>indexed'
    fi
    say "\$ pgusher-queue consume '$events' --docs --batch 1000 --linger 500 \\"
    say "      --exec '${command/"$here/.."/examples}' &"
    began=$(now_ms)
    setsid pgusher-queue consume "$events" --docs --batch 1000 --linger 500 --exec "$command" \
        >"$dir/indexer.log" 2>&1 </dev/null &
    indexer=$!
    echo "$indexer" >"$dir/indexer.pid"
    until_indexed
    say "After $(seconds $(($(now_ms) - began))) all that waited was handled."
}

rename_event() {
    local id old_name new_name='Serenade for Two Balconies' began
    [ -n "$groonga" ] || return 0
    step 'An event gets another name: how soon is it found?'
    id=$(sql -c "SELECT min(id) FROM event WHERE starts_at > now() AND name ~ '[À-ſ]'
                  GROUP BY name ORDER BY count(*), 1 LIMIT 1")
    old_name=$(redis HGET "event:$id" name)
    try_search "$old_name"
    say "\$ psql -c \"UPDATE event SET name = '$new_name' WHERE id = $id\" box_office"
    sql -c "UPDATE event SET name = '$new_name' WHERE id = $id"
    began=$(now_ms)
    until search "$new_name" | grep "^event:$id	" >/dev/null; do
        [ $(($(now_ms) - began)) -lt 10000 ] || fail 'the event is not found by its new name'
    done
    say "$(seconds $(($(now_ms) - began))) later:"
    try_search "$new_name"
    try_search "$old_name"
    ! search "$old_name" | grep "^event:$id	" >/dev/null || fail 'the event is still found by its old name'
}

show_queues() {
    local item began
    step 'The queues' \
        "A document that changes while it waits is not queued again. Nobody has asked for $tickets so far: it costs one" \
        'entry per document, however often it changed.'
    try pgusher-queue list
    try pgusher-queue stats "$events"
    echo
    say 'Any program can consume them, with nothing but Redis …'
    item=$(redis RPOPLPUSH "$tickets" "$tickets-processing")
    say "\$ redis-cli RPOPLPUSH $tickets $tickets-processing"
    say "$item"
    say "\$ redis-cli HGETALL $item"
    redis HGETALL "$item" | paste -sd '=|' | sed 's/|/, /g' | fold -s -w 100 | indented
    say "\$ redis-cli LREM $tickets-processing -1 $item"
    redis LREM "$tickets-processing" -1 "$item" | indented
    say '… or by a command that reads lines:'
    say "\$ pgusher-queue consume '$tickets' --once --batch 1000 --exec 'wc -l >>handled'"
    began=$(now_ms)
    pgusher-queue consume "$tickets" --once --batch 1000 --exec 'wc -l >>handled' 2>"$dir/tickets.log" ||
        fail "pgusher-queue: $(tail -n 3 "$dir/tickets.log")"
    say "It was given $(grouped "$(awk '{n += $1} END {print n}' handled)") items, in $(seconds $(($(now_ms) - began)))."
}

# What is past its date since the demo began is in no view, and may still be in the index.
compare_search() {
    local columns='_key,name,venue,city,starts_at,tickets_left,lowest_price,notice' since different
    [ -n "$groonga" ] || return 0
    since=$(sql -c "SELECT now() - interval '10 days'")
    select_events "$columns" | awk -F '\t' -v since="$since" '$5 > since' | sort >"$dir/found"
    sql -F $'\t' -c "SELECT 'event:' || ${columns/_key/id} FROM event_card WHERE starts_at > '$since'" | sort >"$dir/rows"
    different=$(comm -3 "$dir/found" "$dir/rows" | wc -l)
    say "search index: $(grouped "$(wc -l <"$dir/found")") documents compared with" \
        "$(grouped "$(wc -l <"$dir/rows")") rows: $different differences"
    [ "$different" = 0 ] || fail 'the search index is not equal to the database'
}
