"""Passwords are nowhere but where they were written; and what reaches the HTTP port can do but little."""
import os
import socket

import pytest

from harness import ticketing
from harness.http import Http
from harness.ports import free_ports
from harness.programs import run_program

SECRETS = ("sEcret-of-postgres", "sEcret-of-redis", "sEcret-of-http-0123456789")


@pytest.fixture
def kept(tickets):
    """All three passwords are in use; the one of PostgreSQL stands in the connection string."""
    port = free_ports(1)[0]
    tickets.redis.client.config_set("port", port)
    tickets.redis.client.execute_command("ACL", "SETUSER", "someone", "on", f">{SECRETS[1]}", "~*", "&*", "+@all")
    tickets.db.sql(f"DROP ROLE IF EXISTS locked; CREATE ROLE locked LOGIN SUPERUSER PASSWORD '{SECRETS[0]}'")
    token = os.path.join(tickets.folder, "token")
    with open(token, "w") as file:
        file.write(SECRETS[2] + "\n")
    tickets.address = f"redis://someone:{SECRETS[1]}@127.0.0.1:{port}"
    tickets.use(ticketing.projections(), postgres=f"{tickets.db.conninfo('locked')} password={SECRETS[0]}", redis=tickets.address,
                http={"address": "127.0.0.1:0", "token_file": token})
    yield tickets
    tickets.stop()
    tickets.db.sql("DROP OWNED BY locked CASCADE; DROP ROLE locked")


def without_secrets(text):
    assert not [secret for secret in SECRETS if secret in text], text


def test_no_password_is_told(kept):
    kept.install()
    worker = kept.start("--log-level", "debug")
    kept.until_asleep()
    http = Http(worker)
    for path in ("/", "/metrics", "/status.json", "/readyz", "/livez"):
        without_secrets(http.text(path))
    for verb in (["check"], ["status"], ["status", "--json"], ["verify"], ["install", "--print"], ["fleet", "list"]):
        without_secrets(kept.pgusher(*verb).text)
    with open(f"/proc/{worker.process.pid}/cmdline") as file:
        without_secrets(file.read())
    # What a server says when it refuses.
    kept.db.sql("ALTER ROLE locked PASSWORD 'another'; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'locked'")
    worker.says("password authentication failed")
    kept.redis.client.execute_command("ACL", "SETUSER", "someone", "off")
    for verb in (["status"], ["check"]):
        without_secrets(kept.pgusher(*verb).must((69, 78), "password authentication failed").text)
    without_secrets(worker.log)


def test_a_consumers_command_inherits_no_secret(kept):
    """Neither by its environment nor as an open connection."""
    kept.redis.client.lpush("q", "item")
    seen = f"{kept.folder}/seen"
    kept.path = f"{kept.folder}/queue.json"
    kept.write('{"redis": "%s"}' % kept.address)
    run_program("pgusher-queue", "-c", kept.path, "consume", "q", "--once", "--exec",
                f"cat > /dev/null; (cat /proc/$$/environ | tr '\\0' '\\n'; cat /proc/$$/cmdline; ls -l /proc/$$/fd) > {seen}").must(0)
    with open(seen) as file:
        text = file.read()
    without_secrets(text)
    assert "QUEUE=q" in text and "socket:" not in text


# ---- whoever reaches the port ----

def test_slow_and_many_connections_hold_up_nothing(kept):
    kept.install()
    worker = kept.start()
    kept.until_asleep()
    http = Http(worker)
    host, port = http.address
    links = []
    try:
        for _ in range(40):
            links.append(socket.create_connection((host, port), timeout=10))
            links[-1].sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        kept.db.sql("UPDATE event SET name = 'meanwhile' WHERE id = 1")
        kept.until_has("event:1", name="meanwhile")
        with socket.create_connection((host, port), timeout=10, source_address=("127.0.0.2", 0)) as other:
            other.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            assert other.recv(65536).startswith(b"HTTP/1.1 200")
    finally:
        for link in links:
            link.close()


REQUESTS = [
    ("GET /../../../../etc/passwd HTTP/1.1", b"404"), ("GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1", b"404"), ("GET //etc/passwd HTTP/1.1", b"404"),
    ("OPTIONS /replay HTTP/1.1", b"501"), ("TRACE / HTTP/1.1", b"501"), ("GET / HTTP/1.1\r\nHost: evil.example", b"421"),
    ("POST /retry?projection=event HTTP/1.1\r\nOrigin: https://evil.example", b"403"),
    ("POST /retry?projection=event HTTP/1.1\r\nOrigin: null", b"403"), ("POST /retry?projection=event HTTP/1.1\r\nSec-Fetch-Site: cross-site", b"403"),
    ("POST /retry?projection=event HTTP/1.1", b"200")]


def test_requests_that_would_reach_further(kept):
    """With the right token, too; the last one is what it is for."""
    kept.install()
    http = Http(kept.start())
    kept.until_asleep()
    for line, code in REQUESTS:
        host = "" if "Host:" in line else "Host: 127.0.0.1\r\n"
        answer = http.raw(f"{line}\r\n{host}Authorization: Bearer {SECRETS[2]}\r\nConnection: close\r\n\r\n".encode())
        assert answer.split(b" ", 2)[1] == code and b"Access-Control" not in answer and b"root:" not in answer, (line, answer[:300])
