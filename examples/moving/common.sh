# shellcheck shell=bash
# What the scripts of this folder share: saying, asking, waiting. Sourced, not run.

PGUSHER=${PGUSHER:-pgusher}
WAIT=${WAIT:-86400}      # how many seconds a wait may take before the script gives up
MAX_LAG=${MAX_LAG:-5}    # a fleet follows when its oldest change waits no longer than this, in seconds

say() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*"; }

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

need() { # need NAME…: these variables must be set
    local name
    for name in "$@"; do
        [ -n "${!name:-}" ] || fail "$name is not set; see the head of this script"
    done
}

hook() { # hook NAME: runs the command in that variable, if there is one
    local command=${!1:-}
    [ -n "$command" ] || return 0
    say "$1: $command"
    bash -c "$command" || fail "$1 failed; nothing after it was done. Run this script again when it is mended"
}

until_so() { # until_so WHAT COMMAND…: until the command succeeds
    local what=$1 end=$((SECONDS + WAIT)) told=$SECONDS
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || fail "still not so after $WAIT s: $what"
        if [ $((SECONDS - told)) -ge 10 ]; then
            say "waiting: $what"
            told=$SECONDS
        fi
        sleep 0.2
    done
    say "$what"
}

# A fleet's line of `pgusher fleet list`: name number workers owned "of" partitions changes oldest backfills cut-loose-for.
fleet_line() { # fleet_line CONFIG FLEET
    "$PGUSHER" -c "$1" fleet list | awk -v fleet="$2" 'NR > 1 && $1 == fleet'
}

fleet_exists() { [ -n "$(fleet_line "$1" "$2")" ]; }

fleet_has_workers() { fleet_line "$1" "$2" | awk '{ some = $3 > 0 } END { exit !some }'; }

fleet_has_no_workers() { fleet_line "$1" "$2" | awk '{ none = $3 == 0 } END { exit !none }'; }

fleet_follows() { # every partition owned, no backfill left, not cut loose, nothing waits for long
    fleet_line "$1" "$2" | awk -v max="$MAX_LAG" '
        { follows = $4 == $6 && $9 == 0 && $10 == "-" && ($8 == "-" || $8 <= max) }
        END { exit !follows }'
}
