"""list and stats: what they count, in plain text and in JSON, once and watching."""
import json
import re

from harness.queue import QUEUE, Terminal, enqueue

COUNTERS = {"queued", "coalesced", "acked", "requeued", "failed", "died", "recovered", "released", "replayed"}
FIGURES = {"queue", "waiting", "later", "oldest_later_ms", "in_flight", "dirty", "delayed", "dead", "plain", "oldest_waiting_ms", "oldest_held_ms",
           "next_due_ms", "paused", "coalesce", "max_failures", "max_crashes", "counters", "consumers"}


def lines(text):
    """The words of each line, at least two spaces between them."""
    return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]


# list

def test_list_knows_the_queues_of_the_configuration(queue):
    projections = {"event": {"queues": ["{mail}", "{search}"]}, "venue": {"queues": "{maps}"}}
    queue.use({"{search}": {}, "{other}": {}}, projections=projections, pipeline={"anything": 1})
    queue.push("a", "b")
    enqueue(queue.client, "x", queue="{unnamed}")
    table = lines(queue.run("list").must(0).out)
    assert table[0] == ["QUEUE", "WAITING", "LATER", "IN-FLIGHT", "DELAYED", "DEAD", "OLDEST"]
    rows = {row[0]: row[1:] for row in table[1:]}
    assert set(rows) == {"{search}", "{other}", "{mail}", "{maps}"} and len(table) == 5
    assert rows["{search}"][:5] == ["2", "0", "0", "0", "0"] and rows["{search}"][5] != "-"
    assert rows["{other}"] == ["0", "0", "0", "0", "0", "-"]
    assert {entry["queue"] for entry in queue.data("list")} == set(rows)


def test_list_says_that_the_configuration_names_no_queue(queue):
    queue.write(json.dumps({"redis": queue.redis.url, "projections": {"event": {}}}))
    assert "names no queue; --scan" in queue.run("list").must(0).err
    assert queue.run("list", "--scan").must(0).err == ""


def test_list_with_scan_finds_the_others(queue):
    queue.use({"{search}": {}})
    enqueue(queue.client, "x", queue="{unnamed}")
    enqueue(queue.client, "x", queue="untagged")
    queue.client.hset("website:meta", "title", "no queue")
    queue.client.set("song:meta", "a string")
    found = {entry["queue"]: entry for entry in queue.data("list", "--scan")}
    assert set(found) == {"{search}", "{unnamed}", "untagged"}
    assert found["{unnamed}"]["waiting"] == 1
    assert len(lines(queue.run("list", "--scan").must(0).out)) == 4


def test_list_without_a_configuration_scans(queue):
    assert queue.data("list") == []
    queue.push("x")
    assert [entry["queue"] for entry in queue.data("list")] == [QUEUE]


def test_list_names_each_queue_once(queue):
    queue.use({QUEUE: {}}, projections={"a": {"queues": [QUEUE]}, "b": {"queues": [QUEUE, QUEUE]}})
    queue.push("x")
    assert [entry["queue"] for entry in queue.data("list", "--scan")] == [QUEUE]


# stats

def test_stats_as_json(mixed):
    stats = mixed.stats()
    assert set(stats) == FIGURES and set(stats["counters"]) == COUNTERS
    expected = {"queue": QUEUE, "waiting": 2, "in_flight": 2, "dirty": 1, "delayed": 1, "dead": 2, "plain": 0,
                "paused": False, "coalesce": True, "max_failures": 8, "max_crashes": 3}
    assert {name: stats[name] for name in expected} == expected
    assert 0 <= stats["oldest_waiting_ms"] < 60_000 and 0 <= stats["oldest_held_ms"] < 60_000
    assert 500_000 < stats["next_due_ms"] <= 600_000
    counted = {name: value for name, value in stats["counters"].items() if value}
    assert counted == {"queued": 7, "coalesced": 1, "failed": 3, "died": 2}
    consumer, = stats["consumers"]
    assert set(consumer) == {"name", "lease_left_ms", "held", "oldest_ms"}
    assert consumer["name"] == "native:1:a" and consumer["held"] == 2
    assert 500_000 < consumer["lease_left_ms"] <= 600_000 and 0 <= consumer["oldest_ms"] < 60_000


def test_stats_of_an_empty_queue(queue):
    stats = queue.stats()
    assert set(stats) == FIGURES
    assert stats["waiting"] == 0 and stats["consumers"] == [] and set(stats["counters"].values()) == {0}
    assert stats["oldest_waiting_ms"] is stats["oldest_held_ms"] is stats["next_due_ms"] is None
    assert not queue.client.keys(), "looking writes nothing"


def test_stats_in_plain_text(mixed):
    text = mixed.run("stats", QUEUE).must(0).out
    values = dict(line.split(None, 1) for line in text.splitlines() if len(line.split(None, 1)) == 2)
    assert (values["waiting"], values["in_flight"], values["dirty"]) == ("2", "2", "1")
    assert re.fullmatch(r"[\d.]+ (ms|s)", values["oldest_waiting"].strip()), values
    assert "native:1:a" in text
    waiting, plain = (line for line in text.splitlines() if re.match("(waiting|plain) ", line))
    assert waiting.index("2") == plain.index("0"), "aligned"


def test_stats_says_unknown_where_it_is(queue):
    queue.client.lpush(QUEUE, "undated")
    assert queue.stats()["oldest_waiting_ms"] is None
    assert re.search(r"(?m)^oldest_waiting +-$", queue.run("stats", QUEUE).must(0).out)


def test_stats_counts_what_plain_consumers_hold(queue):
    queue.push("a", "b")
    queue.client.rpoplpush(QUEUE, f"{QUEUE}-processing")
    assert queue.stats()["plain"] == 1


def watched(queue):
    consumer = queue.start("stats", QUEUE, "--watch", "0.1", "--json")
    queue.until(lambda: len(consumer.log.splitlines()) >= 2)
    queue.push("a", "b", "c")
    queue.until(lambda: '"waiting":3' in consumer.log.replace(" ", ""))
    return consumer


def test_stats_watch_as_json(queue):
    consumer = watched(queue)
    consumer.stop(2)
    printed = [json.loads(line) for line in consumer.log.splitlines()]
    assert all(set(entry) == FIGURES | {"rates"} for entry in printed)
    assert printed[0]["rates"] is None and set(printed[1]["rates"]) == {"queued", "acked", "failed"}
    rates = [entry["rates"]["queued"] for entry in printed[1:]]
    assert rates[0] == 0 and sum(rate > 0 for rate in rates) == 1
    assert 3 / 3 < max(rates) <= 3 / 0.05, "per second"


def test_stats_watch_goes_on_when_redis_comes_back(queue, redis_server):
    consumer = watched(queue)
    redis_server.save_and_stop()
    consumer.says("redis")
    redis_server.start()
    before = len(consumer.log.splitlines())
    queue.until(lambda: '"waiting":3' in "".join(consumer.log.splitlines()[before:]).replace(" ", ""))
    consumer.stop(2)


def test_stats_watch_on_a_terminal(queue):
    with Terminal(*queue.where, "stats", QUEUE, "--watch", "1") as terminal:
        terminal.draws(b"waiting")
        queue.push("a", "b", "c")
        drawn = terminal.draws(b"queued/s")
        assert b"\x1b[" in terminal.drawn or b"\x1b[" in drawn, "redrawn, not scrolled"
        terminal.process.terminate()
        terminal.ends(3).must(0)


def test_stats_of_a_name_that_is_no_queue(queue):
    """Zeros would look like a queue at rest; one that a configuration names, or that was used, may be at rest."""
    queue.use({"{search}": {}})
    done = queue.run("stats", "{serach}").must(0)
    assert 'on a queue "{serach}" in this Redis' in done.err and 'did you mean "{search}"?' in done.err and "waiting" in done.out
    assert queue.run("stats", "{search}").must(0).err == ""
    enqueue(queue.client, "x", queue="{used}")
    queue.client.delete("{used}")
    assert queue.run("stats", "{used}").must(0).err == ""
    assert "list --scan" in queue.run("stats", "{quite-another}", "--json").must(0).err
