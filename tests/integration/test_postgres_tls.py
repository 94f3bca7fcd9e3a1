"""sslmode=verify-full, which is libpq's: it works, and each refusal says what is wrong."""
import os
import shutil

import pytest

from harness import certificates as tls
from harness import ticketing
from harness.postgres import Cluster


@pytest.fixture
def certificates(workspace):
    folder = tls.make(workspace)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def serve(workspace, box, certificates):
    """Starts a PostgreSQL with that certificate; returns the conninfo of its database over TCP."""
    cluster = Cluster(os.path.join(workspace, "own"))

    def start(name, **more):
        encrypted = {"ssl": "on", "ssl_cert_file": f"{certificates}/{name}.crt", "ssl_key_file": f"{certificates}/{name}.key"}
        cluster.settings.update({"listen_addresses": "127.0.0.1", **(encrypted if name else {}), **more})
        cluster.start()
        box.db = cluster.create()
        box.db.sql(ticketing.schema())
        return f"host=localhost hostaddr=127.0.0.1 dbname={box.db.name} user=postgres sslmode=verify-full sslrootcert={certificates}/ours.crt"
    yield start
    box.stop()
    box.db.disconnect()
    cluster.remove()


def test_verify_full(box, serve):
    worker = box.ready(ticketing.projections(), postgres=serve("good"))
    encrypted = box.db.sql("SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name LIKE 'pgusherd%'")
    assert encrypted and all(ssl for ssl, in encrypted)
    box.db.sql("UPDATE event SET name = 'x' WHERE id = 1")
    box.until_has("event:1", name="x")
    worker.stop()


@pytest.mark.parametrize("certificate_of, change, words", [
    ("good", ("ours.crt", "theirs.crt"), ["certificate verify failed"]),
    ("other", ("", ""), ["db.example", "does not match host name", "localhost"]),
    ("good", ("ours.crt", "none.crt"), ["root certificate file", "none.crt", "does not exist"]),
    (None, ("", ""), ["does not support SSL"]),
])
def test_refusals(box, serve, certificate_of, change, words):
    box.use(ticketing.projections(), postgres=serve(certificate_of).replace(*change))
    result = box.pgusher("check")
    result.must(78, "localhost", *words)
    assert "\n\t" not in result.text
