#!/bin/sh
# Has spin prove that the gate loses no wake-up, and that it would notice if the
# gate did: each mutant must fail. Prints TAP; about 40 seconds on one core, 500 MB.
set -eu

command -v spin >/dev/null || { echo "1..0 # SKIP spin is not installed"; exit 0; }
CC=${CC:-cc}
command -v "${CC%% *}" >/dev/null || { echo "1..0 # SKIP no C compiler"; exit 0; }

model=$(cd "$(dirname "$0")" && pwd)/gate.pml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd "$work"

number=0
failed=0

report() { # VERDICT NAME
	number=$((number + 1))
	echo "$1 $number - $2"
	test "$1" = ok && return
	failed=1
	sed 's/^/# /' log
}

# Leaves what pan says in ./log; pan itself exits 0 even if it found an error.
explore() { # MACROS COMPILER-FLAGS PAN-FLAGS
	rm -f pan pan.* ./*.trail
	# shellcheck disable=SC2086 # lists of words, all of them ours
	{
		spin $1 -a "$model" &&
			$CC -w -DMEMLIM=900 $2 -o pan pan.c &&
			./pan -m3000000 $3
	} >log 2>&1
}

# All states were visited, there are at least as many as a living model has,
# and none is wrong.
is_proved() { # STATES
	grep -q 'errors: 0$' log &&
		! grep -Eq 'max search depth too small|not completed|out of memory|truncated' log &&
		test "$(states)" -ge "$1"
}

states() {
	sed -n 's/^ *\([0-9][0-9]*\) states, stored.*/\1/p' log
}

unreached() {
	grep -E 'gate\.pml:[0-9]+, state' log | grep -v -e '"-end-"' | sed 's/^[[:space:]]*/# unreached: /' || :
}

prove() { # NAME STATES MACROS COMPILER-FLAGS PAN-FLAGS
	if explore "$3" "$4" "$5" && is_proved "$2"; then
		report ok "$1"
		echo "# $(states) states"
		unreached
	else
		report "not ok" "$1"
	fi
}

catch() { # NAME MACROS
	if explore "-DSAVEPOINTS -DHEIRS -DMUTANT_$2" "-O0 -DSAFETY" "" && grep -q 'assertion violated.*asleep&unread' log; then
		report ok "mutant is caught: $1"
	else
		report "not ok" "mutant is caught: $1"
	fi
}

echo 1..15
prove "gate: no wake-up is lost" 30000 "-DSAVEPOINTS -DHEIRS" "-O1 -DSAFETY" ""
prove "gate: no wake-up is lost, three writers" 1000000 "-DSAVEPOINTS -DWRITERS=3" "-O2 -DSAFETY" ""
prove "gate: no wake-up is lost, two fleets" 200000 "-DSAVEPOINTS -DHEIRS -DFLEETS=2 -DWRITERS=1" "-O2 -DSAFETY" ""
prove "gate: no wake-up is lost, two partitions" 50000 "-DHEIRS -DPARTS=2" "-O1 -DSAFETY" ""
prove "gate: every change is read in the end" 100000 "-DSAVEPOINTS -DHEIRS -DCRASHES=1 -DFAIR" "-O1 -DNFAIR=4" "-a -f"
catch "no last read before sleeping" NO_LAST_READ
catch "the writer's lock goes before its rows are visible" EARLY_UNLOCK
catch "LISTEN comes after the last read" LATE_LISTEN
catch "the notification is sent before the commit" EARLY_NOTIFY
catch "a notification that is pending is dropped on going to sleep" DROP
catch "a worker sleeps on the lock of another" TRUST
catch "one try per transaction is remembered across savepoints" REMEMBER
catch "a worker sleeps with some of its gates closed" "SOME_GATES -DPARTS=2"
catch "a writer does not know the gate of a new fleet" "FIRST_FLEET -DFLEETS=2 -DWRITERS=1"
catch "who takes a partition over waits to be told" HEIR_WAITS
exit "$failed"
