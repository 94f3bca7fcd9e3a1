"""rediss://: it works with the right certificates, and each refusal says what is wrong with which."""
import os
import shutil

import pytest

from harness import certificates as tls
from harness import redis_cluster, redis_sentinel, ticketing
from harness.http import Http
from harness.ports import free_ports
from harness.programs import run_program
from harness.redis_server import RedisServer
from harness.waiting import until


@pytest.fixture(scope="module", autouse=True)
def built_with_tls():
    said = run_program("pgusher-queue", "list", "--redis", "rediss://127.0.0.1:1")
    if "needs TLS" in said.err:
        pytest.skip(said.err.strip())


@pytest.fixture(scope="module")
def certificates(workspace):
    folder = tls.make(workspace)
    tls.certificate(folder, "client", "pusher")
    tls.certificate(folder, "stranger", "pusher", signer="theirs")
    tls.expired(folder, "old", "localhost")
    yield folder
    shutil.rmtree(folder)


class TlsRedis(RedisServer):
    def __init__(self, folder, certificates, name, *options):
        [self.port] = free_ports(1)
        self.certificates = certificates
        super().__init__(folder, "--bind", "127.0.0.1", "--tls-port", str(self.port), *tls.servers(certificates, name), *options)

    def tls_url(self, host="localhost", ca="ours", **more):
        options = "".join(f"&{name}={value}" for name, value in more.items())
        return f"rediss://{host}:{self.port}?cacert={self.certificates}/{ca}.crt{options}"

    def own(self, name):
        """The URL's words for our own certificate."""
        return {"cert": f"{self.certificates}/{name}.crt", "key": f"{self.certificates}/{name}.key"}


@pytest.fixture
def serve(workspace, certificates):
    """Starts a Redis that shows that certificate."""
    started = []

    def start(name="good", *options):
        started.append(TlsRedis(os.path.join(workspace, f"tls-redis-{len(started)}"), certificates, name, *options))
        started[-1].start()
        return started[-1]
    yield start
    for server in started:
        server.remove()


def follow(tickets, server, url):
    """A worker of that URL, and a change that it brings over."""
    original, tickets.redis = tickets.redis, server
    try:
        worker = tickets.ready(ticketing.projections(), redis=url)
        tickets.db.sql("UPDATE event SET name = 'x' WHERE id = 1")
        tickets.until_has("event:1", seconds=60, name="x")
        tickets.in_step()
        worker.stop()
    finally:
        tickets.redis = original


def test_a_worker(tickets, serve):
    server = serve()
    server.client.config_set("port", 0)
    follow(tickets, server, server.tls_url())


def test_the_certificate_of_an_address(tickets, serve):
    server = serve("address")
    follow(tickets, server, server.tls_url("127.0.0.1"))


def test_a_name_that_is_told(tickets, serve):
    server = serve("other")
    follow(tickets, server, server.tls_url("127.0.0.1", sni="db.example"))


def test_our_own_certificate(tickets, serve):
    server = serve("good", "--tls-auth-clients", "yes")
    follow(tickets, server, server.tls_url(**server.own("client")))


def test_large_documents_and_many(tickets, serve):
    """More than one record of TLS, and more than the kernel takes at once, both ways."""
    server = serve()
    tickets.db.sql("UPDATE event SET name = repeat('ö', 300000)")
    follow(tickets, server, server.tls_url())


REFUSALS = [
    ("good", {"ca": "theirs"}, ["certificate"]),
    ("other", {}, ["hostname mismatch"]),
    ("good", {"host": "127.0.0.1"}, ["ip address mismatch"]),
    ("old", {}, ["certificate has expired"]),
]
NAMES = ["unknown authority", "wrong name", "wrong address", "expired"]


@pytest.mark.parametrize("shown, how, words", REFUSALS, ids=NAMES)
def test_refusals(tickets, serve, shown, how, words):
    """The queue's tool and library, check, and a worker, which does not end by itself."""
    server = serve(shown)
    url = server.tls_url(**how)
    words = [url.split("?")[0], *words]
    run_program("pgusher-queue", "list", "--redis", url).must(69, *words)
    tickets.install()
    tickets.use(ticketing.projections(), redis=url)
    tickets.pgusher("check").must(69, *words)
    worker = tickets.start()
    worker.says(*words, seconds=60)
    worker.stop()


def test_a_file_that_is_not_there(tickets, serve):
    url = serve().tls_url(ca="none")
    tickets.use(ticketing.projections(), redis=url)
    words = ["cannot use cacert", "none.crt: no such file"]
    run_program("pgusher-queue", "list", "--redis", url).must(78, *words)
    tickets.pgusher("check").must(78, *words)
    tickets.start().exits(78)


@pytest.mark.parametrize("ours", [None, "stranger"])
def test_a_server_that_wants_another_certificate_of_ours(tickets, serve, ours):
    """It refuses after the handshake, so that what we have sent meanwhile may be answered by a reset that overtakes its reason."""
    server = serve("good", "--tls-auth-clients", "yes")
    url = server.tls_url(**(server.own(ours) if ours else {}))
    said = run_program("pgusher-queue", "list", "--redis", url).must(69, "Redis")
    assert "alert" in said.err or "reset" in said.err or "closed" in said.err
    tickets.use(ticketing.projections(), redis=url)
    said = tickets.pgusher("check").must(69, "rediss://localhost")
    assert "alert" in said.text or "reset" in said.text or "closed" in said.text


def test_a_server_without_tls(tickets, redis_server):
    [port] = free_ports(1)
    redis_server.client.config_set("port", port)
    url = f"rediss://127.0.0.1:{port}"
    tickets.use(ticketing.projections(), redis=url)
    tickets.pgusher("check").must(69, url, "does it speak TLS there?")
    run_program("pgusher-queue", "list", "--redis", url).must(69, url, "TLS")


def show(server, name):
    """From now on it shows that certificate to who comes."""
    server.client.config_set("tls-cert-file", f"{server.certificates}/{name}.crt", "tls-key-file", f"{server.certificates}/{name}.key")


def test_it_comes_back(tickets, serve):
    """Cut off by a server whose certificate is too old, and renewed later."""
    server = serve()
    original, tickets.redis = tickets.redis, server
    worker = tickets.ready(ticketing.projections(), redis=server.tls_url())
    show(server, "old")
    server.client.client_kill_filter(_type="normal", skipme=True)
    worker.says("certificate has expired", seconds=60)
    show(server, "good")
    tickets.db.sql("UPDATE event SET name = 'back' WHERE id = 1")
    tickets.until_has("event:1", name="back", seconds=60)
    tickets.in_step()
    worker.stop()
    tickets.redis = original


def test_one_connection_that_is_refused_leaves_the_other_alone(tickets, serve):
    """OpenSSL has one list of errors for all connections of a thread; what it says of one is not of another."""
    server = serve()
    original, tickets.redis = tickets.redis, server
    token = os.path.join(tickets.folder, "token")
    with open(token, "w") as file:
        file.write("correct-horse-battery-staple\n")
    worker = tickets.ready(ticketing.projections(), redis=server.tls_url(), http={"address": ":0", "token_file": token})
    show(server, "old")
    code, _, text = Http(worker).ask("/replay?queue=%7Bsearch%7D", "POST", headers={"Authorization": "Bearer correct-horse-battery-staple"})
    assert code in (503, 504) and "certificate has expired" in text + worker.log
    tickets.db.sql("UPDATE event SET name = repeat('on', 500000)")  # more than the kernel takes at once: that is when OpenSSL is asked why
    tickets.until(lambda: tickets.redis.client.hstrlen("event:1", "name") == 1000000, 60, lambda: worker.log)
    assert not worker.said("trying again"), worker.log
    worker.stop()
    tickets.redis = original


@pytest.fixture
def watched(workspace, certificates):
    with redis_sentinel.running(os.path.join(workspace, "tls-watched"), tls=certificates) as watched:
        yield watched


@pytest.fixture
def encrypted(workspace, certificates):
    with redis_cluster.running(os.path.join(workspace, "tls-rc"), replicas=1, tls=certificates) as cluster:
        yield cluster


def changed(box, name):
    box.db.sql("UPDATE event SET name = %s WHERE id <= 9", name)
    for number in range(1, 10):
        box.until_has(f"event:{number}", 60, name=name)


def test_sentinels_and_what_they_name(tickets, watched):
    """A failover is followed."""
    tickets.redis = watched
    tickets.ready(ticketing.projections())
    changed(tickets, "before")
    old = watched.primary()
    old.stop()
    watched.until_failed_over(old)
    changed(tickets, "after")
    tickets.in_step(60)
    queued = run_program("pgusher-queue", "list", "--redis", watched.url).must(0)
    assert "{search}" in queued.out


def test_a_cluster(tickets, encrypted):
    """Every node, and the replica that takes over from one."""
    tickets.redis = encrypted
    tickets.ready(ticketing.projections())
    changed(tickets, "before")
    owner = encrypted.slot_owner("event:1")
    encrypted.nodes[owner].stop()
    until(lambda: len(encrypted.primaries()) == 3, 60, "a replica takes over")
    encrypted.client = encrypted.connect(but=owner)
    changed(tickets, "after")
    tickets.in_step(60)
    run_program("pgusher-queue", "list", "--redis", encrypted.url).must(0, "{search}")
