#!/bin/bash
# Moves documents to another Redis while everything runs: a second fleet fills the new one beside the old one, follows the same
# changes, and when both say the same, readers are switched and the old fleet is dropped. docs/moving.md tells the whole story.
#
#   OLD_FLEET=default OLD_CONFIG=/etc/pgusher/old.json \
#   NEW_FLEET=new     NEW_CONFIG=/etc/pgusher/new.json \
#   START_NEW='systemctl start pgusherd@new' ./new-redis.sh
#
#   OLD_FLEET NEW_FLEET    names of the fleets; they must differ
#   OLD_CONFIG NEW_CONFIG  their configurations: the new one is a copy with another "redis" and another "fleet"
#   START_NEW              starts a worker of the new fleet; without it you start one when the script waits for it
#   COMPARE                succeeds when both caches say the same
#   CUT_OVER               points readers, and who consumes the queues, at the new Redis. Without it the script ends when the new
#                          Redis is ready; run it again with CUT_OVER
#   STOP_OLD               stops the workers of the old fleet; without it you stop them when the script waits for it
#   PGUSHER, WAIT, MAX_LAG see common.sh
#
# Each is a shell command. The script may be run again at any point, and its commands then are, too. It stops at the first failure;
# until CUT_OVER nobody notices anything, and until the old fleet is dropped readers can go back.
set -euo pipefail
# shellcheck disable=SC1091 # it stands beside this one
. "$(dirname "$0")/common.sh"

need OLD_FLEET OLD_CONFIG NEW_FLEET NEW_CONFIG
[ "$OLD_FLEET" != "$NEW_FLEET" ] || fail "OLD_FLEET and NEW_FLEET are the same"

new() { "$PGUSHER" -c "$NEW_CONFIG" --fleet "$NEW_FLEET" "$@"; }

fill() {
    say "fleet $NEW_FLEET is checked and installed beside fleet $OLD_FLEET"
    new check
    new install
    if ! fleet_has_workers "$NEW_CONFIG" "$NEW_FLEET"; then
        hook START_NEW
        until_so "fleet $NEW_FLEET has a worker" fleet_has_workers "$NEW_CONFIG" "$NEW_FLEET"
    fi
    until_so "the new Redis is filled, and fleet $NEW_FLEET follows" fleet_follows "$NEW_CONFIG" "$NEW_FLEET"
    hook COMPARE
}

drop_old() {
    if ! fleet_exists "$NEW_CONFIG" "$OLD_FLEET"; then
        say "fleet $OLD_FLEET is gone already"
        return
    fi
    hook STOP_OLD
    until_so "fleet $OLD_FLEET has no worker" fleet_has_no_workers "$NEW_CONFIG" "$OLD_FLEET"
    new fleet drop "$OLD_FLEET"
}

if ! fleet_exists "$OLD_CONFIG" "$OLD_FLEET" && ! fleet_exists "$OLD_CONFIG" "$NEW_FLEET"; then
    fail "the database has neither a fleet $OLD_FLEET nor a fleet $NEW_FLEET"
fi
fill
if [ -z "${CUT_OVER:-}" ]; then
    say "ready. To go on: the same with CUT_OVER='the command that switches readers and consumers'"
    exit 0
fi
hook CUT_OVER
drop_old
say "done: fleet $NEW_FLEET alone is left. The old Redis may be switched off"
