"""The packages and the tarball: built, installed, run, upgraded and purged in bare roots of several releases."""
import glob
import hashlib
import os
import shutil

import pytest

from harness.processes import run
from harness.programs import BUILD, ROOT
from conftest import make

SUITES = {"bookworm": 0, "trixie": 2}  # how many units wait longer before each restart, which systemd 254 learned
OUTSIDE = "-not -path '/proc/*' -not -path '/sys/*' -not -path '/root/*' -not -path '/var/log/*' -not -path '/var/lib/apt/*'"
RUN = r"""
set -e
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
pg_ctlcluster $(ls /etc/postgresql) main start
redis-server --daemonize yes --port 6379 >/dev/null
as() { user=$1; shift; runuser -u $user -- "$@"; }
as postgres createuser pgusher
as postgres createdb -O pgusher box_office
as pgusher psql -qXd box_office -c "CREATE TABLE event (id int PRIMARY KEY, name text); INSERT INTO event SELECT g, 'Event ' || g FROM generate_series(1, 20) g"
cat >/etc/pgusher/pgusher.json <<'JSON'
{"postgres": "host=/run/postgresql dbname=box_office", "redis": "redis://127.0.0.1:6379",
 "projections": {"event": {"source": "event", "id": "id", "key": "event:{id}", "queues": ["{search}"], "watch": {"event": "id"}}}}
JSON
as pgusher pgusher check
as pgusher pgusher install
as pgusher pgusherd --once
as pgusher pgusher verify
pgusher-queue consume '{search}' --once --exec 'cat >>/tmp/queued'
[ "$(sort -u /tmp/queued | grep -c event:)" = 20 ]
"""


class Container:
    """Commands in a root, each with /proc and the like around it; nothing of it outlives the command."""

    def __init__(self, root):
        self.root = root

    def run(self, script, seconds=600):
        done = run(["systemd-nspawn", "-q", "-D", self.root.path, "-M", f"test-{os.getpid()}", "--register=no", "--keep-unit", "--as-pid2",
                    "--setenv=DEBIAN_FRONTEND=noninteractive", "--", "sh", "-c", script], seconds=seconds)
        assert done.returncode == 0, f"$ {script}\n{(done.stdout + done.stderr).decode()[-3000:]}\nexit {done.returncode}"
        return done.stdout.decode()


def bytes_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def tarball():
    return next(iter(glob.glob(os.path.join(BUILD, "pgusher-*.tar.gz"))))


def test_the_tarball_is_reproducible(tmp_path):
    """Whoever makes it, wherever and whenever: from another clone, with another umask."""
    make("dist")
    clone = str(tmp_path / "clone")
    assert run(["git", "clone", "-q", ROOT, clone]).returncode == 0
    done = run(["sh", "-c", f"umask 077; cd {clone} && git checkout -q $(git -C {ROOT} rev-parse HEAD) && make -s dist B={tmp_path}/b"])
    assert done.returncode == 0, done.stderr
    other = glob.glob(str(tmp_path / "b" / "*.tar.gz"))[0]
    assert bytes_of(tarball()) == bytes_of(other)


def test_packages_are_reproducible(packages):
    before = [bytes_of(path) for path in packages]
    make("deb")
    assert [bytes_of(path) for path in packages] == before


@pytest.mark.skipif(not shutil.which("lintian"), reason="there is no lintian here")
def test_lintian(packages):
    done = run(["lintian", "--allow-root", "--fail-on", "error", *glob.glob(os.path.join(BUILD, "deb", "*.deb"))], seconds=300)
    assert done.returncode == 0, done.stdout.decode()


@pytest.fixture(params=SUITES)
def built(request, root):
    """A bare root with the packages of its release in /root, and the same of a later version in /root/later."""
    make("dist")
    build, bare = root(request.param, "build"), root(request.param, "bare")
    build.copy(tarball(), "/root/source.tar.gz")
    Container(build).run("cd /root && tar xf source.tar.gz && cd pgusher-* && DEPS=skip make -s -j2 deb && mkdir -p /root/later &&"
                         " systemd/debian/build.sh build/stage /root/later 9.9")
    for where, target in ("/root/pgusher-*/build/deb", "/root"), ("/root/later", "/root/later"):
        os.makedirs(bare.path + target, exist_ok=True)
        found = glob.glob(build.path + where + "/*.deb")
        assert len(found) == 4
        for path in found:
            bare.copy(path, target + "/")
    return Container(bare)


def test_install_run_upgrade_purge(built, request):
    built.run("apt-get update -qq && apt-get install -y -qq --no-install-recommends /root/*.deb")
    steps = built.run("grep -lx RestartSteps=6 /usr/lib/systemd/system/pgusher*; true").split()
    assert len(steps) == SUITES[request.node.callspec.params["built"]]
    built.run("pgusher --version && pgusherd --version && pgusher-queue --version && ldconfig -p | grep -q libpgusher-queue.so.0")
    built.run("test \"$(stat -c '%U:%G %a' /etc/pgusher/pgusher.json)\" = 'root:pgusher 640' && pgusher check --offline")
    built.run("printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d &&"
              " apt-get install -y -qq --no-install-recommends postgresql redis-server")
    built.run(RUN)
    built.run("echo secret >/etc/pgusher/credentials/redis")
    built.run("apt-get install -y -qq --no-install-recommends /root/later/*.deb && grep -q box_office /etc/pgusher/pgusher.json &&"
              " test \"$(stat -c '%U:%G %a' /etc/pgusher/pgusher.json)\" = 'root:pgusher 640' && dpkg-query -W -f '${Version}' pgusher | grep 9.9")
    built.run("dpkg --configure -a && dpkg-reconfigure pgusher pgusher-queue")  # scripts may be run again
    built.run("apt-get remove -y -qq 'pgusher*' && test -f /etc/pgusher/pgusher.json && apt-get install -y -qq /root/later/pgusher*.deb")
    built.run("apt-get purge -y -qq pgusher pgusher-queue libpgusher-queue0 libpgusher-queue-dev")
    left = built.run(f"find / -xdev -name '*pgusher*' {OUTSIDE} -print; getent passwd pgusher; getent group pgusher; dpkg -l '*pgusher*' 2>&1 | grep '^[ru]c'; true")
    assert not left.strip(), left
