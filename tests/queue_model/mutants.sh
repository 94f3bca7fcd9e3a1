#!/bin/bash
# Mutants of the scripts: each is built with one thing wrong, and the model must notice. Called by run.sh:
# mutants.sh URL-OF-REDIS FOLDER [EVERY]. Prints TAP: the mutant, and which test killed it. A mutant whose pattern is not in the script
# any more is a failure. EVERY 3: only one in three is tried.
set -eu

url=$1
work=$2/mutant
override=$PWD/tests/queue_model/lua
every=${3:-1}
number=0 known=0

report() { # VERDICT NAME KILLER
    number=$((number + 1))
    echo "$1 $number mutant: $2 | $3"
}

# A copy of the scripts with one file changed by sed, as the library embeds them.
change() { # FILE EXPRESSION
    rm -rf "$work"
    mkdir -p "$work/whole"
    cp -r lua "$work/lua"
    sed -z -E -i "$2" "$work/lua/$1"
    [ -z "$2" ] || ! cmp -s "lua/$1" "$work/lua/$1" || return 1
    for script in "$work"/lua/*.lua; do
        "$work/lua/include.sh" "$script" "$override" >"$work/whole/${script##*/}"
    done
}

build() {
    common/embed.sh lua "$work"/whole/*.lua >"$work/lua.c"
    # shellcheck disable=SC2086,SC2046
    $CC -I. -fPIC $MODEL_SANITIZE -c -o "$work/lua.o" "$work/lua.c" &&
        $CC -pie $MODEL_SANITIZE -o "$work/model" $MODEL_OBJECTS "$work/lua.o" $LIBRARY_OBJECTS \
            $LIBRARY_LIBS -lm
}

# Fixed histories first, then random ones, until something is noticed.
run() {
    for part in fixed random; do
        ONLY=$part STOP=1 QUEUE_MODEL_SCRIPTS=$work/whole timeout 60 "$work/model" "$url" 30 800 >"$work/log" 2>&1 || return 0
    done
}

# Whether it was killed for what it does, and not for being no Lua.
is_sound() {
    ! grep -qE 'user_script|ompiling script|^Bail out' "$work/log"
}

mutant() { # NAME FILE EXPRESSION
    if ! change "$2" "$3"; then
        report "not ok" "$1" "the pattern is not in lua/$2 any more"
        return
    fi
    known=$((known + 1))
    [ $((known % every)) = 0 ] || return 0
    build
    run
    killer=$(sed -n 's/^not ok [0-9]* //p' "$work/log" | head -n 1)
    invariant=$(sed -n 's/^# \([0-9]*\): .*/ (invariant \1)/p' "$work/log" | head -n 1)
    if [ -n "$killer" ] && is_sound; then
        report ok "$1" "${killer% (see above)}$invariant"
    else
        report "not ok" "$1" "${killer:+the script does not run}${killer:-nobody noticed}"
        sed 's/^/# /' "$work/log"
    fi
}

# Else everything would be killed by whatever is wrong here.
control() {
    change ack.lua ''
    build
    run
    if grep -q '^not ok' "$work/log" || ! grep -q '^1\.\.' "$work/log"; then
        report "not ok" "none: the scripts as they are" "$(grep -m 1 '^not ok' "$work/log")"
        exit 1
    else
        report ok "none: the scripts as they are" "nothing"
    fi
}

same_consumer="holder.consumer(found) == holder.consumer(held_by)"

control
mutant "a change in flight is not marked dirty" enqueue.lua "s/dirty\[#dirty \+ 1\] = item//"
mutant "recovery without looking at the lease" recover.lua "s/if lease_runs\(\) then/if false then/"
mutant "a mark is off by three" parts/waiting.lua "s/mark_of\(seq \+ i\)/mark_of(seq + i + 3)/"
mutant "all of a call have the first one's mark" parts/waiting.lua "s/mark_of\(seq \+ i\)/mark_of(seq + 1)/"
mutant "what a call pushed has no places" parts/waiting.lua "s/seq = seq \+ #items/seq = seq + 1/"
mutant "a front insert is marked as one at the back" parts/waiting.lua \
    "s/mark_of\(seq - length\)/mark_of(seq)/"
mutant "a front insert is marked one place off" parts/waiting.lua \
    "s/mark_of\(seq - length\)/mark_of(seq - length + 1)/"
mutant "settling without the token" parts/held.lua "s/if found == held_by/if $same_consumer/"
mutant "a copy of what is in flight is dropped" reserve.lua \
    "s/(if holders\[i\] or twice\[item\] then\n *)redis.call\('SADD', key.dirty, item\)/\1local _ = 0/"
mutant "adoption drops a copy of what another holds" reserve.lua \
    "s/(local function adopt.*key.inflight, item\) == 1 then\n *)redis.call\('SADD', key.dirty, item\)/\1local _ = 0/"
mutant "recovery drops a copy that was not delivered" recover.lua "s/\n  requeued = requeued \+ 1\n  waiting.push_front\(item\)//"
mutant "recovery drops a copy of what another holds" recover.lua \
    "s/(local function recover_copy\(item\)\n.*)redis.call\('SADD', key.dirty, item\)/\1/"
mutant "what waits is taken for what does not" parts/waiting.lua "s/place > left and/place > left + 1 and/"
mutant "a mark is believed without looking" parts/waiting.lua \
    "s/place and place > left and redis.call\('LINDEX'[^\n]*/place and place > left/"
mutant "nothing is adopted" reserve.lua "s/\n  adopt\(\)\nend/\nend/"
mutant "more is adopted than was asked for" reserve.lua "s/ or #accepted >= wanted//"
mutant "a lost reservation stays lost" reserve.lua "s/elseif tonumber\(given\) <= last_known then/elseif true then/"
mutant "a lost reservation comes again in the wrong order" reserve.lua "s/for i = #lost, 1, -1 do/for i = 1, #lost do/"
mutant "what was just adopted is given again" reserve.lua "s/ or #accepted > 0//"
mutant "delays are ignored" reserve.lua "s/'-inf', now,/'-inf', '+inf',/"
mutant "a pause is ignored" reserve.lua "s/if not paused then\n  pop/if true then\n  pop/"
mutant "marks of what is given stay" reserve.lua "s/if coalesce then\n *redis.call\('HDEL', key.marks/if false then\n redis.call('HDEL', key.marks/"
mutant "tokens are the clock" reserve.lua "s/math.max\(tonumber\(meta.token or 0\) \+ 1, now \* 1000\)/now * 1000/"
mutant "the dead stay dead when pushed by plain programs" parts/waiting.lua "s/redis.call\('ZREM', key.dead, item\) == 1/false/"
mutant "an ack forgets what changed" parts/done.lua "s/waiting.push_new\(changed\)//"
mutant "an ack keeps the failures" parts/done.lua "s/    forget_failures\(places\)\n//"
mutant "letting go of one lets go of all" parts/held.lua "s/if all then/if true then/"
mutant "dirty items die of failures" nack.lua "s/if not dirty and \(/if (/"
mutant "one failure more is allowed" nack.lua "s/failed_before \+ 1 >= max_failures/failed_before >= max_failures/"
mutant "a release counts as a failure" release.lua \
    "s/(  redis.call\('SREM', key.dirty, ARGV\[places\[i\]\]\)\n)/\1redis.call('HSET', key.failures, ARGV[places[i]], '1 0 0 x')\n/"
mutant "a release keeps the dirty mark" release.lua "s/redis.call\('SREM', key.dirty, ARGV\[places\[i\]\]\)//"
mutant "leaving drops what was moved" release.lua "s/    else\n      release_copy\(item\)\n//"
mutant "dirty items die of crashes" recover.lua "s/ and not dirty and / and /"
mutant "crashes are not counted" recover.lua "s/crashed \+ 1, 'its/crashed, 'its/"
mutant "an undelivered copy counts as a crash" recover.lua \
    "s/(local function recover_copy\(item\)\n)/\1failures.write(item, 0, 1, 'x')\n/"
mutant "a lease ends one millisecond early" recover.lua "s/tonumber\(lease\) >= now/tonumber(lease) > now/"
mutant "no grace after a restart" recover.lua "s/'grace_until', now \+ grace/'grace_until', now/"
mutant "one who is recovered in part is forgotten" recover.lua "s/if left == 0 then/if true then/"
mutant "a heartbeat revives who was recovered" heartbeat.lua "s/  return 0\n/  redis.call('ZADD', key.consumers, now + ARGV[2], ARGV[1])\n  return 1\n/"
mutant "a revived dead letter keeps its counts" enqueue.lua "s/redis.call\('HDEL', key.failures, item\)//"
mutant "a delayed item is queued twice" enqueue.lua "s/return JOINED/local _ = 0/"
mutant "a replayed dead letter keeps its counts" replay.lua "s/redis.call\('HDEL', key.failures, item\)//"
mutant "plain consumers have no time" recover_plain.lua "s/>= timeout/>= 0/"
mutant "what plain consumers left is queued while in flight" recover_plain.lua \
    "s/redis.call\('HEXISTS', key.inflight, item\) == 1/false/"
mutant "what plain consumers left is dropped" recover_plain.lua "s/    waiting.push_back\(\{item\}\)\n//"
mutant "removing leaves what is in flight" rm.lua "s/redis.call\('HDEL', key.inflight, item\)/0/"
mutant "removing leaves the dirty mark" rm.lua "s/redis.call\('SREM', key.dirty, item\)//"
mutant "purging leaves the marks" purge.lua "s/key.marks, //"
mutant "removing leaves what waits for later" rm.lua "s/redis.call\('ZREM', key.later, item\)/0/"
mutant "purging leaves what waits for later" purge.lua "s/key.marks, key.later,/key.marks,/"
mutant "what comes at once waits for later, too" enqueue.lua "s/later.remove\(leaving\)//"
mutant "an item that stands twice in a call is queued twice" enqueue.lua "s/in_lane\[item\] ~= nil or //"
mutant "all wait for later" enqueue.lua "s/if lane == 'later' then\n  later.add/if true then\n  later.add/"
mutant "nothing waits for later" enqueue.lua "s/if lane == 'later' then\n  later.add/if false then\n  later.add/"
mutant "what is to come sooner is dropped" enqueue.lua "s/(return ABSENT\n  end\n)  chosen\[#chosen \+ 1\] = item/\1/"
mutant "a delivered copy stays in the lane" parts/waiting.lua "s/size\[key.later\] - redis.call\('ZREM', key.later, unpack\(items\)\)/size[key.later]/"
mutant "what is taken from the lane is not given" reserve.lua "s/deliver\(later.take\(([^\n]*)\)\)/later.take(\1)/"
mutant "nobody is given what is in the lane" reserve.lua "s/while length == 0 and #accepted < wanted and size/while false and size/"
mutant "the lane comes first" reserve.lua "s/  pop\(\)\n  pop_later\(\)/  length = 0\n  pop_later()\n  length = redis.call('LLEN', key.waiting)\n  pop()/"
mutant "nothing is moved on" parts/later.lua "s/(local items = )later.take\([^\n]*/\1{}/"
mutant "as much is moved on while a consumer lives" parts/later.lua "s/LATER_FEW or/LATER_MANY or/"
mutant "dead consumers are waited for" parts/later.lua "s/ and tonumber\(newest\[2\]\) >= now//"
mutant "the newest are moved on" parts/later.lua "s/ZPOPMIN/ZPOPMAX/"
mutant "plain consumers are fed by nobody" recover_plain.lua "s/later.move_on\(\)\n//"
