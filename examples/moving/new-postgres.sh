#!/bin/bash
# Moves the database to another PostgreSQL server with the cache following: logical replication copies and catches up while
# everything runs; for the cut writers stop for seconds. docs/moving.md tells the whole story and why the order is this one.
#
#   OLD='host=old dbname=shop user=admin' NEW='host=new dbname=shop user=admin' \
#   CONFIGS='default=/etc/pgusher/new.json' ./new-postgres.sh                                    # prepares; may take hours
#   CUT_OVER=yes STOP_WRITERS=… MOVE_WORKERS=… START_WRITERS=… (and the same) ./new-postgres.sh  # cuts over
#
#   OLD NEW          conninfos (keyword=value) of a role that may create publications and subscriptions; the new database exists and
#                    is empty, and so do the roles (pg_dumpall --roles-only)
#   OLD_FROM_NEW     OLD as the new server must write it to reach the old one (default: OLD)
#   CONFIGS          FLEET=FILE …: for each fleet the configuration that names the new server
#   MODE             replicate (default): the subscription copies the tables. dump: pg_dump does, and replication only catches up
#   STOP_WRITERS     stops or pauses whatever writes. The old database is made read-only all the same, and sessions are ended
#   MOVE_WORKERS     gives every worker the new configuration and restarts or reloads it
#   START_WRITERS    starts writers again, on the new server
#   COUNT            no: do not count the rows of all tables on both sides while nobody writes
#   RESTORE_OPTIONS  for pg_restore, --no-owner for one
#   PGUSHER, WAIT, MAX_LAG  see common.sh
#
# The last four but COUNT are shell commands. The script may be run again at any point; it finds out by itself what is done. It stops
# at the first failure. Until START_WRITERS one can go back: point the workers at the old server, and
# ALTER DATABASE … RESET default_transaction_read_only there.
set -euo pipefail
# shellcheck disable=SC1091 # it stands beside this one
. "$(dirname "$0")/common.sh"

NAME=pgusher_move # of the publication, the subscription and the slot
MODE=${MODE:-replicate}
need OLD NEW CONFIGS
OLD_FROM_NEW=${OLD_FROM_NEW:-$OLD}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The old database's being read-only is for others.
export PGOPTIONS="${PGOPTIONS:-} -c default_transaction_read_only=off -c client_min_messages=warning"

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$@"; }
old() { sql "$OLD" "$@"; }
new() { sql "$NEW" "$@"; }

# The user's tables: name, and whether replication can tell the rows apart. A partition goes with its table.
TABLES="SELECT format('%I.%I', n.nspname, c.relname) AS name,
               c.relreplident = 'f' OR EXISTS (
                   SELECT FROM pg_index i WHERE i.indrelid = c.oid
                      AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END) AS distinct_rows
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
           AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgusher')"

each_config() { # each_config COMMAND…: with the file and the fleet
    local pair
    for pair in $CONFIGS; do
        "$@" "${pair#*=}" "${pair%%=*}"
    done
}

# ---- what is done already ----

is() { # is SIDE CONDITION
    local answer
    answer=$("$1" -c "SELECT $2") || fail "the $1 server did not answer"
    [ "$answer" = t ]
}
has_tables() { is new "EXISTS ($TABLES)"; }
is_subscribed() { is new "EXISTS (SELECT FROM pg_subscription WHERE subname = '$NAME')"; }
has_slot() { is old "EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '$NAME')"; }
is_fenced() {
    is old "EXISTS (SELECT FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
             WHERE d.datname = current_database() AND setrole = 0 AND 'default_transaction_read_only=on' = ANY (setconfig))"
}

# ---- preparing ----

check() {
    local nameless
    is old "current_setting('wal_level') = 'logical'" || fail "the old server needs wal_level = logical (and a restart)"
    nameless=$(old -c "SELECT string_agg(name, ', ') FROM ($TABLES) t WHERE NOT distinct_rows")
    [ -z "$nameless" ] || fail "these tables have no primary key: $nameless; give them one, or ALTER TABLE … REPLICA IDENTITY FULL"
}

# All but the schema pgusher, which install makes anew, and the triggers that call it.
dump() { pg_dump -Fc -N pgusher --no-publications --no-subscriptions -d "$OLD" -f "$work/dump" "$@"; }

restore() {
    pg_restore -l "$work/dump" | grep -vE ' TRIGGER (.* )?pgusher_(change|update|truncate) ' >"$work/list"
    # shellcheck disable=SC2086 # options, not one word
    pg_restore -1 -L "$work/list" ${RESTORE_OPTIONS:-} -d "$NEW" "$work/dump"
}

publish() {
    if is old "EXISTS (SELECT FROM pg_publication WHERE pubname = '$NAME')"; then return; fi
    old -c "SELECT format('CREATE PUBLICATION %I FOR TABLE %s', '$NAME', string_agg(name, ', ')) FROM ($TABLES) t" >"$work/publish"
    old -f "$work/publish"
    say "the old server publishes its tables"
}

subscribe() { # subscribe OPTIONS
    new -v conninfo="$OLD_FROM_NEW" <<SQL
CREATE SUBSCRIPTION $NAME CONNECTION :'conninfo' PUBLICATION $NAME WITH ($1);
SQL
    say "the new server subscribed"
}

copy_by_subscription() {
    if ! has_tables; then
        dump -s
        restore
        say "the tables are defined on the new server"
    fi
    subscribe "copy_data = true"
}

# The slot's snapshot is of the very moment from which on it hands out changes; it lasts as long as its session.
copy_by_dump() {
    local snapshot
    if ! has_tables; then
        if has_slot; then old -c "SELECT pg_drop_replication_slot('$NAME')" >"$work/dropped"; fi
        coproc SLOT { psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$OLD replication=database" 2>&1; }
        echo "CREATE_REPLICATION_SLOT $NAME LOGICAL pgoutput;" >&"${SLOT[1]}"
        IFS='|' read -r _ _ snapshot _ <&"${SLOT[0]}"
        [ -n "$snapshot" ] || fail "the old server made no replication slot"
        say "the old server is dumped as of snapshot $snapshot"
        dump --snapshot="$snapshot"
        restore
        echo '\q' >&"${SLOT[1]}"
        say "the new server has what the dump had"
    fi
    subscribe "copy_data = false, create_slot = false, slot_name = $NAME"
}

copy() {
    publish
    case $MODE in
    replicate) copy_by_subscription ;;
    dump) copy_by_dump ;;
    *) fail "MODE is replicate or dump, not $MODE" ;;
    esac
}

is_copied() { is new "NOT EXISTS (SELECT FROM pg_subscription_rel WHERE srsubstate <> 'r')"; }

install() { # install CONFIG FLEET
    "$PGUSHER" -c "$1" --fleet "$2" install
}

prepare() {
    check
    if ! is_subscribed; then copy; fi
    until_so "all tables are copied; changes follow" is_copied
    new -c "ANALYZE"
    each_config install
}

# ---- cutting over ----

# Sessions that are open keep the old default, so they are ended; pgusher's own write nothing that is replicated.
fence() {
    hook STOP_WRITERS
    old -c "SELECT format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database())" >"$work/fence"
    old -f "$work/fence"
    is old "NOT EXISTS (SELECT FROM pg_prepared_xacts WHERE database = current_database())" ||
        fail "there are prepared transactions on the old server: end them"
    old -c "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity
             WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
               AND application_name NOT LIKE 'pgusher%'" >"$work/ended"
    say "the old database is read-only; sessions ended: $(cat "$work/ended")"
}

is_drained() {
    is old "confirmed_flush_lsn >= '$last'::pg_lsn FROM pg_replication_slots WHERE slot_name = '$NAME'"
}

drain() {
    last=$(old -c "SELECT pg_current_wal_lsn()")
    until_so "the new server has every change up to $last" is_drained
}

copy_sequences() {
    old -c "SELECT format('SELECT pg_catalog.setval(%L, %s, true);', format('%I.%I', schemaname, sequencename), last_value)
              FROM pg_sequences WHERE last_value IS NOT NULL AND schemaname <> 'pgusher'" >"$work/sequences"
    new -f "$work/sequences" >/dev/null
    say "sequences are set: $(wc -l <"$work/sequences")"
}

count() { # count SIDE
    "$1" -c "SELECT format('SELECT %L, count(*) FROM %s;', name, name) FROM ($TABLES) t ORDER BY name" >"$work/count"
    "$1" -f "$work/count"
}

compare() {
    [ "${COUNT:-yes}" != no ] || return 0
    count old >"$work/old"
    count new >"$work/new"
    diff "$work/old" "$work/new" >&2 || fail "the numbers of rows differ (old <, new >); the old database stays read-only"
    say "both sides have the same number of rows in each table"
}

unsubscribe() {
    new -c "DROP SUBSCRIPTION $NAME"
    old -c "DROP PUBLICATION IF EXISTS $NAME"
    say "replication has ended"
}

has_left_old() {
    is old "NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'pgusherd%')"
}

wait_for_worker() { until_so "fleet $2 has a worker on the new server" fleet_has_workers "$1" "$2"; }
wait_for_fleet() { until_so "fleet $2 has compared every document, and follows" fleet_follows "$1" "$2"; }

cut_over() {
    if is_subscribed; then
        fence
        drain
        copy_sequences
        compare
        unsubscribe
    fi
    hook MOVE_WORKERS
    until_so "no worker is left on the old server" has_left_old
    each_config wait_for_worker
    hook START_WRITERS
    each_config wait_for_fleet
}

if is_fenced && ! is_subscribed; then
    has_tables || fail "the old database is read-only and the new one is empty: was something else going on?"
    say "the data has moved already"
else
    prepare
fi
if [ "${CUT_OVER:-}" != yes ]; then
    say "ready. To go on: the same with CUT_OVER=yes, STOP_WRITERS, MOVE_WORKERS and START_WRITERS"
    exit 0
fi
cut_over
say "done. The old database stays read-only; pgusher uninstall there removes what is left of ours"
