"""Fixtures: servers, sandboxes, and what is shown when a test fails. See README.md."""
import os
import shutil
import signal
import sys
import tempfile

sys.dont_write_bytecode = True

import pytest  # noqa: E402

from harness import queue_library, redis_cluster, redis_sentinel, ticketing  # noqa: E402
from harness.box import Box  # noqa: E402
from harness.changelog import Log, Reader  # noqa: E402
from harness.inject import Inject  # noqa: E402
from harness.postgres import Cluster  # noqa: E402
from harness.programs import SANITIZED  # noqa: E402
from harness.queue import Native, QueueBox  # noqa: E402
from harness.redis_server import RedisServer  # noqa: E402
from harness.traffic import EVENTS  # noqa: E402


def pytest_configure(config):
    """A termination cleans up as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    # A shell has processes in the background ignore these, and programs would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    box = item.funcargs.get("box") if hasattr(item, "funcargs") else None
    if report.failed and box and call.when != "teardown":
        report.sections += list(box.report())
        report.sections.append(("PostgreSQL", "".join(box.db.cluster.complaints(box.log_start)[-20:])))
    queue = item.funcargs.get("queue") if hasattr(item, "funcargs") else None
    if report.failed and queue and call.when != "teardown":
        report.sections += list(queue.report())


@pytest.fixture(scope="session")
def workspace():
    folder = tempfile.mkdtemp(prefix="pgusher-")
    os.chmod(folder, 0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def cluster(workspace):
    """The PostgreSQL that all tests share; each has a database of its own in it."""
    cluster = Cluster(os.path.join(workspace, "pg"))
    try:
        cluster.start()
        cluster.admin("CREATE EXTENSION pg_stat_statements")
        cluster.create(name="ticketing").once(ticketing.schema())
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture
def own_cluster(workspace):
    """A PostgreSQL that a test may stop; not started yet."""
    cluster = Cluster(os.path.join(workspace, "own"))
    try:
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture
def redis_server(workspace):
    server = RedisServer(os.path.join(workspace, "redis"))
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def watched(workspace):
    """Three servers and three sentinels."""
    with redis_sentinel.running(os.path.join(workspace, "watched")) as watched:
        yield watched


@pytest.fixture
def three(workspace):
    """A cluster of three primaries."""
    with redis_cluster.running(os.path.join(workspace, "rc")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def queue_redis(workspace):
    """The Redis that tests of the queue share; those that disturb it ask for redis_server instead."""
    server = RedisServer(os.path.join(workspace, "queue-redis"))
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def queue(workspace, request):
    """An empty Redis and a folder for what consumers leave behind."""
    own = "redis_server" in request.fixturenames
    server = request.getfixturevalue("redis_server" if own else "queue_redis")
    server.client.flushall()
    folder = os.path.join(workspace, "queue")
    os.mkdir(folder)
    queue = QueueBox(folder, server)
    yield queue
    try:
        queue.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def mixed(queue):
    """a, b wait; c is in flight and dirty, d in flight; e is delayed; f and g are dead."""
    consumer = Native(queue.client)
    queue.push("e", "f", "g", "c", "d")
    consumer.reserve(3)
    consumer.nack("e", reason="busy")
    consumer.bury("f", reason="bad f")
    consumer.bury("g", reason="bad\ng")
    consumer.reserve(2)
    queue.push("c", "a", "b")
    return queue


@pytest.fixture(scope="session")
def library():
    if SANITIZED:
        pytest.skip("a sanitized library cannot be loaded into this Python")
    return queue_library.load()


@pytest.fixture
def opened(queue, library):
    """Opens handles of the library and closes them after the test."""
    handles = []

    def open_handle(**more):
        handles.append(queue_library.Handle(library, queue.redis.url, **more))
        assert handles[-1].pointer, handles[-1].opening_error
        return handles[-1]
    yield open_handle
    for handle in handles:
        handle.close()


@pytest.fixture
def handle(opened):
    return opened()


@pytest.fixture(scope="session")
def inject(workspace):
    folder = os.path.join(workspace, "inject")
    os.mkdir(folder)
    return Inject(folder)


@pytest.fixture
def db(cluster, request):
    """An empty database, or a copy of the marketplace for tests that ask for tickets."""
    marketplace = {"tickets", "market"} & set(request.fixturenames)
    db = cluster.create("ticketing" if marketplace else "template1")
    yield db
    db.drop()


@pytest.fixture
def box(workspace, db, redis_server):
    folder = os.path.join(workspace, "box")
    os.mkdir(folder)
    box = Box(folder, db, redis_server)
    box.log_start = db.cluster.log_size()
    yield box
    try:
        box.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def tickets(box):
    """A box with the marketplace's nine events, configured; nothing installed."""
    box.use(ticketing.projections())
    return box


@pytest.fixture
def market(tickets):
    """The same with as many events as Traffic wants."""
    tickets.db.sql("CALL grow(10, %s)", EVENTS)
    tickets.db.sql("ANALYZE")
    return tickets


@pytest.fixture
def log(workspace, db):
    """A database with one logged table; nothing installed."""
    folder = os.path.join(workspace, "log")
    os.mkdir(folder)
    yield Log(folder, db)
    shutil.rmtree(folder)


@pytest.fixture
def reader(db):
    """Opens readers and closes them after the test."""
    readers = []

    def open_reader(*arguments, **more):
        readers.append(Reader(db, *arguments, **more))
        return readers[-1]
    yield open_reader
    for reader in readers:
        reader.close()
