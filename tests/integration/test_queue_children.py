"""consume and its commands as processes: signals, limits on time, and file descriptors."""
import os
import signal

import pytest

from harness.programs import SLOWER
from harness.queue import PYTHON, QUEUE
from harness.waiting import stays, until


def busy(queue, body="", *options, items=("a", "b")):
    """A consumer whose command runs until `gate` exists; returns it when it does so."""
    gate = queue.file("gate")
    consumer = queue.consume(queue.handler(f'echo $$ >{queue.file("pid")}\n{body}\nuntil [ -e {gate} ]; do sleep 0.02; done'),
                             *options)
    queue.push(*items)
    queue.until(lambda: queue.read("pid").strip() and queue.runs())
    return consumer


def alive(pid):
    """Whether it runs; a zombie that nobody has reaped does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def untouched(queue, *items):
    """The items wait at the front in their order, and nothing was counted against them."""
    assert queue.waiting() == list(items)
    assert not queue.client.exists(f"{QUEUE}:failures", f"{QUEUE}:inflight", f"{QUEUE}:dead", f"{QUEUE}:delayed")
    assert queue.stats()["consumers"] == [], "it has left"


# the end of consume

@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_signal_while_idle(queue, sign):
    consumer = queue.consume(queue.handler())
    queue.until_idle()
    consumer.process.send_signal(sign)
    consumer.exits(0, seconds=1)
    queue.push("a")
    assert queue.waiting() == ["a"], "no blocking move of its is left behind"
    assert queue.stats()["consumers"] == []


def test_sigterm_while_the_command_runs(queue):
    """It may finish, and its result counts."""
    consumer = busy(queue)
    consumer.process.terminate()
    queue.push("c")
    stays(consumer.alive, 0.3)
    queue.file("gate", "")
    consumer.exits(0, seconds=2)
    queue.settled(acked=2)
    assert queue.runs() == [["a", "b"]] and queue.waiting() == ["c"]


def test_sigterm_while_a_bisection_runs(queue):
    """The half that runs finishes; the halves that have not begun are released."""
    queue.run("pause", QUEUE).must(0)
    consumer = queue.consume(queue.handler(f'[ $# = 4 ] && exit 1; until [ -e {queue.file("gate")} ]; do sleep 0.02; done'))
    queue.push("a", "b", "c", "d")
    queue.run("resume", QUEUE).must(0)
    queue.until(lambda: len(queue.runs()) == 2)
    consumer.process.terminate()
    queue.file("gate", "")
    consumer.exits(0, seconds=3)
    assert len(queue.runs()) == 2 and queue.runs()[1] == ["a", "b"]
    queue.settled(acked=2, released=2)
    untouched(queue, "c", "d")


def test_sigterm_with_a_command_that_takes_too_long(queue):
    consumer = busy(queue, "", "--grace", "200 ms")
    queue.push("c")
    consumer.process.terminate()
    consumer.exits(0, seconds=2)
    untouched(queue, "a", "b", "c")
    until(lambda: not alive(queue.read("pid").strip()), 1)


def test_a_command_may_clean_up_after_sigterm(queue):
    """Two seconds, though the shell that runs it ends at once."""
    consumer = busy(queue, f"trap 'sleep 0.5; echo cleaned >{queue.file('cleaned')}; exit 1' TERM", "--grace", "100 ms")
    consumer.process.terminate()
    consumer.exits(0, seconds=3)
    assert queue.read("cleaned") == "cleaned\n"
    untouched(queue, "a", "b")


def test_sigterm_with_a_command_that_ignores_it(queue):
    """Killed two seconds after the grace, with all its children."""
    consumer = busy(queue, f"trap '' TERM; (trap '' TERM; exec sleep 60) & echo $! >{queue.file('grandchild')}",
                    "--grace", "100 ms")
    consumer.process.terminate()
    consumer.exits(0, seconds=4)
    untouched(queue, "a", "b")
    until(lambda: not alive(queue.read("pid").strip()), 1)
    until(lambda: not alive(queue.read("grandchild").strip()), 1)


def test_a_second_sigterm_kills_at_once(queue):
    consumer = busy(queue, "trap '' TERM")
    consumer.process.terminate()
    stays(consumer.alive, 0.3)
    consumer.process.terminate()
    consumer.exits(0, seconds=1)
    untouched(queue, "a", "b")
    until(lambda: not alive(queue.read("pid").strip()), 1)


def test_verdicts_count_though_it_was_killed_by_our_end(queue):
    consumer = busy(queue, r'printf "ok\ta\nfail\tb\tno\n" >&3', "--grace", "200 ms", items=("a", "b", "c"))
    consumer.process.terminate()
    consumer.exits(0, seconds=3)
    queue.settled(acked=1, failed=1, released=1)
    assert queue.waiting() == ["c"]


@pytest.mark.parametrize("command_first", [False, True], ids=["consume first", "command first"])
def test_everybody_gets_sigterm(queue, command_first):
    """As systemd ends a service: all its processes are signalled at once, and no item is charged for that."""
    consumer = busy(queue, items=("a",))
    command = int(queue.read("pid"))
    consumer.process.send_signal(signal.SIGSTOP)
    for pid in [command, consumer.process.pid][::1 if command_first else -1]:
        os.kill(pid, signal.SIGTERM)
    until(lambda: not alive(command), 2)
    consumer.process.send_signal(signal.SIGCONT)
    consumer.exits(0, seconds=3)
    untouched(queue, "a")


def test_sigterm_while_it_backs_off(queue):
    queue.push("a")
    consumer = queue.consume(queue.handler("exit 75"))
    queue.until_counted(released=1)
    consumer.stop(1)
    untouched(queue, "a")


def test_sigterm_while_it_lingers(queue):
    consumer = queue.consume(queue.handler(), "--linger", "20000")
    queue.until_idle()
    queue.push("a")
    queue.until(lambda: not queue.client.llen(QUEUE))
    consumer.stop(2)
    untouched(queue, "a")


def test_sigterm_while_redis_is_away(queue, redis_server):
    consumer = queue.consume(queue.handler())
    queue.until_idle()
    queue.redis.stop()
    consumer.says("redis")
    consumer.stop(7)
    queue.redis.start()


def test_sigterm_with_parallel_commands(queue):
    consumer = busy(queue, "", "--parallel", "3", "--batch", "1", "--grace", "100 ms", items=("a", "b", "c", "d"))
    queue.until(lambda: len(queue.runs()) == 3)
    consumer.process.terminate()
    consumer.exits(0, seconds=3)
    assert sorted(queue.waiting()) == ["a", "b", "c", "d"] and queue.waiting()[3] == "d"
    assert queue.stats()["consumers"] == [] and not queue.client.exists(f"{QUEUE}:failures")


def test_the_command_dies_with_consume(queue):
    """kill -9 leaves no child behind that would go on indexing what others have by then."""
    consumer = busy(queue, 'exec sleep 60')
    consumer.kill()
    until(lambda: not alive(queue.read("pid").strip()), 2)


# limits on time

def test_timeout(queue):
    queue.push("a")
    result = queue.once(queue.handler(f"echo $$ >{queue.file('pid')}; exec sleep 60"), "--timeout", "200 ms")
    queue.settled(failed=1)
    assert "took longer than" in queue.delayed()["a"]["reason"] and "took longer" in result.err
    until(lambda: not alive(queue.read("pid").strip()), 1)


def test_timeout_of_a_command_that_ignores_sigterm(queue):
    queue.push("a")
    queue.once(queue.handler(f"trap '' TERM; echo $$ >{queue.file('pid')}; while :; do sleep 0.1; done"),
               "--timeout", "100 ms")
    queue.settled(failed=1)
    until(lambda: not alive(queue.read("pid").strip()), 1)


def test_timeout_of_each_run_of_a_bisection(queue):
    queue.push("a", "SLOW", "c", "d")
    queue.once(queue.handler('case " $* " in *SLOW*) exec sleep 60;; esac'), "--timeout", "300 ms")
    queue.settled(acked=3, failed=1)
    assert list(queue.delayed()) == ["SLOW"]


def test_timeout_lets_the_command_clean_up(queue):
    queue.push("a")
    body = f"trap 'sleep 0.5; echo cleaned >{queue.file('cleaned')}; exit 1' TERM; while :; do sleep 0.05; done"
    queue.once(queue.handler(body), "--timeout", "200 ms")
    queue.settled(failed=1)
    assert queue.read("cleaned") == "cleaned\n"


def test_a_command_within_the_timeout(queue):
    queue.push("a")
    queue.once(queue.handler("sleep 0.2"), "--timeout", "10 s")
    queue.settled(acked=1)


def test_a_slow_command_keeps_its_lease(queue):
    """Three leases long, while another consumer is idle: it is never taken away."""
    first = busy(queue, "", "--lease", "1 s", items=("a",))
    second = queue.consume(queue.handler(name="other.sh"), "--lease", "1 s")
    queue.until_registered(2)
    stays(lambda: queue.runs() == [["a"]] and queue.client.hlen(f"{QUEUE}:inflight") == 1, 3.2)
    queue.file("gate", "")
    queue.until_counted(acked=1)
    first.stop(), second.stop()
    queue.settled(acked=1)
    assert not first.said("level=warn")


# stdin and verdicts as pipes

def large_batch(queue):
    """More than a pipe holds."""
    items = [f"{number:04}" + "x" * 996 for number in range(1000)]
    queue.push(*items)
    return items


@pytest.mark.parametrize("command", ["exit 0", "exec <&-; sleep 0.3", "head -c 10 >/dev/null", "sleep 0.3"],
                         ids=["exits", "closes", "reads a bit", "ignores"])
def test_a_command_that_does_not_read(queue, command):
    """No error by itself: the exit status counts."""
    large_batch(queue)
    queue.once(command, "--batch", "1000")
    queue.settled(acked=1000)


def test_a_command_that_does_not_read_and_fails(queue):
    large_batch(queue)
    queue.once("read -r first; case $first in 0000*) exit 3;; esac; exit 0", "--batch", "1000")
    queue.settled(acked=999, failed=1)


def test_verdicts_before_the_input_is_read(queue):
    """Both pipes are full at once, if one waits for the other."""
    items = large_batch(queue)
    verdicts = queue.file("verdicts", "".join(f"ok\t{item}\n" for item in items[:500]))
    queue.once(f"cat {verdicts} >&3; cat >/dev/null", "--batch", "1000")
    queue.settled(acked=1000)


@pytest.mark.parametrize("command", ["exec 3>&-; cat >/dev/null; sleep 1", "exec <&-; sleep 1", "exec 3>&- <&-; sleep 1",
                                     "cat >/dev/null; sleep 1"], ids=["fd 3", "stdin", "both", "none"])
def test_it_does_not_spin_while_the_command_runs(queue, command):
    large_batch(queue)
    consumer = queue.consume(command, "--batch", "1000")
    queue.until_counted(acked=1000)
    assert consumer.cpu_seconds() < 0.5 * SLOWER
    consumer.stop()
    assert not consumer.said("level=warn") and not consumer.said("level=error")


def test_a_grandchild_that_keeps_the_pipe_open(queue):
    """Who waits for the end of the verdicts waits for it."""
    queue.push("a", "b")
    try:
        queue.once(queue.handler(rf'printf "fail\ta\tno\n" >&3; sleep 60 >/dev/null 2>&1 & echo $! >{queue.file("pid")}'),
                   seconds=10)
    finally:
        os.kill(int(queue.read("pid")), signal.SIGKILL)
    queue.settled(acked=1, failed=1)


def test_descriptors_of_the_command(queue):
    """stdin, stdout, stderr, the verdicts, and nothing else; signals are as they are by default."""
    program = queue.file("fds.py", f"""
import os, sys, time
sys.stdin.read()
fds = []
for fd in map(int, os.listdir('/proc/self/fd')):
    try:
        os.fstat(fd)
        fds.append(fd)
    except OSError:
        pass
with open({queue.file('fds')!r}, 'a') as file:
    print(*sorted(fds), file=file)
while len(open({queue.file('fds')!r}).readlines()) < 4:
    time.sleep(0.01)
""")
    queue.push("a", "b", "c", "d")
    queue.once(f"exec {PYTHON} {program}", "--parallel", "4", "--batch", "1")
    assert queue.read("fds").splitlines() == ["0 1 2 3"] * 4


def test_signals_of_the_command(queue):
    queue.push("a")
    queue.once(f"exec grep -E '^Sig(Blk|Ign)' /proc/self/status >{queue.file('signals')}")
    values = [line.split()[1] for line in queue.read("signals").splitlines()]
    ordinary = (1 << 31) - 1  # those above belong to the C library, and may be inherited from whoever runs the tests
    assert [int(value, 16) & ordinary for value in values] == [0, 0]


def test_each_run_has_a_process_group_of_its_own(queue):
    """A signal from the terminal reaches consume alone."""
    groups = queue.file("groups")
    consumer = queue.consume(f"cut -d ' ' -f 5 /proc/$$/stat >>{groups}", "--batch", "1")
    queue.push("a", "b")
    queue.until_counted(acked=2)
    first, second = map(int, queue.read("groups").split())
    assert len({first, second, consumer.process.pid}) == 3
    consumer.stop()


def test_no_zombies_and_no_descriptors_are_left(queue):
    consumer = queue.consume(queue.handler('[ "$1" != event:7 ]'), "--batch", "1", "--parallel", "2")
    queue.push("first")
    queue.until_counted(acked=1)
    queue.until_idle(2)
    before = descriptors(consumer)
    queue.push(*(f"event:{number}" for number in range(60)))
    queue.until_counted(acked=60, seconds=30)
    queue.until(lambda: queue.client.hexists(f"{QUEUE}:meta", "failed"))
    queue.until_idle(2)
    until(lambda: descriptors(consumer) == before and not children(consumer), 10)
    consumer.stop()


def children(consumer):
    with open(f"/proc/{consumer.process.pid}/task/{consumer.process.pid}/children") as file:
        return file.read().split()


def descriptors(consumer):
    return len(os.listdir(f"/proc/{consumer.process.pid}/fd"))
