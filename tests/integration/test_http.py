"""/metrics, /livez, /readyz: what a worker tells over HTTP."""
import shutil
import signal
import socket
import subprocess

import pytest

from harness import ticketing
from harness.http import Http, parse
from harness.ports import free_ports
from harness.waiting import stays, until


@pytest.fixture
def served(tickets):
    """A worker that rests, and its server."""
    return Http(tickets.ready(ticketing.projections(), http=":0"))


def test_metrics_of_the_process(tickets):
    served = Http(tickets.ready(ticketing.event_only(), http=":0"))
    before = served.metrics()
    assert before["pgusher_build_info", 'version="0.1.0",fleet="default"'] == 1
    assert before["pgusher_gate", 'state="asleep"'] == 1 and before["pgusher_partitions_owned", ""] == 16
    tickets.db.sql("UPDATE event SET name = 'x' WHERE id <= 5")
    tickets.in_step()
    until(lambda: served.metrics()["pgusher_changes_applied_total", ""] == before["pgusher_changes_applied_total", ""] + 5)
    after = served.metrics()
    assert after["pgusher_documents_total", 'outcome="put"'] == before["pgusher_documents_total", 'outcome="put"'] + 5
    assert after["pgusher_redis_replies_total", 'class="ok"'] > before["pgusher_redis_replies_total", 'class="ok"']
    for stage in ("read", "select", "put", "enqueue", "save"):
        assert after["pgusher_stage_duration_seconds_count", f'stage="{stage}"'] > 0, stage
    assert after["pgusher_batch_duration_seconds_count", ""] > before["pgusher_batch_duration_seconds_count", ""]


def test_promtool_is_content(served):
    text = served.text("/metrics")
    parse(text)
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed (package prometheus)")
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_totals_outlive_sessions(tickets, served):
    before = served.metrics()
    tickets.db.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'pgusherd%'")
    until(lambda: served.metrics()["pgusher_sessions_total", ""] == 2)
    after = served.metrics()
    assert after["pgusher_documents_total", 'outcome="put"'] >= before["pgusher_documents_total", 'outcome="put"']
    assert after["pgusher_session_failures_total", ""] == 1


def test_ready_while_servers_come_and_go(tickets, served):
    until(lambda: served.ready() == (True, "ready: asleep"), 10, served.ready)
    assert served.text("/livez") == "alive\n"
    tickets.redis.stop()
    served.until_not_ready("not connected: Redis")
    assert served.text("/livez") == "alive\n" and served.metrics()["pgusher_connected", ""] == 0
    tickets.redis.start()
    served.until_ready()


def test_a_stopped_redis_is_not_ready(tickets, served):
    tickets.redis.process.send_signal(signal.SIGSTOP)
    served.until_not_ready("Redis has not answered")
    tickets.redis.process.send_signal(signal.SIGCONT)
    served.until_ready()


def test_a_configuration_that_does_not_fit_is_not_ready(tickets, served):
    tickets.db.sql("ALTER VIEW event_card RENAME TO x; ALTER VIEW ticket_card RENAME TO y")
    tickets.db.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'pgusherd%'")
    served.until_not_ready("not connected", "event_card")


def test_answers_in_the_middle_of_a_page(tickets, served):
    """The view waits for a lock, and so does the page: nothing gets on, and the server says so."""
    lock = tickets.db.connect()
    lock.cursor().execute("LOCK TABLE venue")
    tickets.db.sql("UPDATE event SET name = 'x' WHERE id = 1")
    until(lambda: served.metrics()["pgusher_gate", 'state="awake"'] == 1 or served.metrics()["pgusher_stalled_seconds", ""] > 0.5)
    assert served.ready()[0], "not for a moment yet"
    served.until_not_ready("PostgreSQL has not answered for", seconds=15)
    lock.rollback()
    served.until_ready()
    lock.close()


def test_only_what_is_there(served):
    code, headers, text = served.ask("/nothing")
    assert code == 404 and "/metrics" in text
    assert "default-src 'none'" in headers["Content-Security-Policy"] and headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert served.ask("/metrics", "POST")[0] == 405
    assert served.ask("/metrics", "DELETE")[0] == 501
    assert served.ask("/metrics", body="x")[0] == 413
    assert served.ask("/metrics", "HEAD")[2] == ""
    assert served.ask("/metrics", headers={"Host": "evil.example:80"})[0] == 421, "another's name for this address"
    assert served.ask("/livez", headers={"Host": "localhost"})[0] == 200


def test_long_and_many_requests(served):
    assert b" 431 " in served.raw(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20000 + b"\r\n\r\n").split(b"\r\n")[0]
    links = [socket.create_connection(served.address) for _ in range(70)]
    for link in links:
        link.close()

    def answers():
        """Not yet while it takes the others for open."""
        try:
            return served.ask("/livez")[0] == 200
        except ConnectionError:
            return False
    until(answers)


def test_workers_share_a_range_of_ports(tickets):
    first, = free_ports(1)
    tickets.ready(ticketing.projections(), http=f"127.0.0.1:{first}-{min(first + 20, 65535)}")
    others = [tickets.start() for _ in range(2)]
    ports = {Http(daemon).address[1] for daemon in tickets.daemons}
    assert len(ports) == 3 and all(Http(daemon).ready() for daemon in others)


def test_a_taken_port_is_said_once_and_taken_later(tickets):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        worker = tickets.ready(ticketing.projections(), http=f":{port}")
        worker.says("warn", f"cannot listen on :{port}", "Address already in use", "range of ports")
        stays(lambda: worker.said("cannot listen") == 1, 2.5, "it tries again without a word")
        assert not worker.said("listening")
    worker.says("http: listening on", str(port))


def test_reload_moves_and_ends_it(tickets, served):
    port, = free_ports(1)
    tickets.use(ticketing.projections(), http=f"[::1]:{port}")
    served.daemon.reload()
    served.daemon.says(f"listening on [::1]:{port}")
    assert served.text("/livez") == "alive\n"
    tickets.use(ticketing.projections())
    served.daemon.reload()
    until(lambda: served.daemon.said("configuration is adopted") == 2)
    with pytest.raises(ConnectionRefusedError):
        served.ask("/livez")


def test_check_warns_of_an_address_for_all(tickets):
    tickets.use(ticketing.projections(), http="0.0.0.0:9187")
    tickets.install()
    assert "warning: http: whoever reaches 0.0.0.0:9187" in tickets.pgusher("check").must(0, "ssh -L").text
    tickets.use(ticketing.projections(), http=":9187")
    assert "http" not in tickets.pgusher("check").must(0).text
