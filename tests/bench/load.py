"""Writers: pgbench, with transactions of one UPDATE of one ticket."""
import os
import re
import time

from harness.postgres import program
from harness.processes import run

RANDOM = "\\set id random(2, :tickets)\nUPDATE ticket SET price = price + 1 WHERE id = :id;\n"
EACH_ONCE = "\\set n :n + 1\n\\set id :first + :client_id * :each + :n - 1\nUPDATE ticket SET price = price + 1 WHERE id = :id;\n"


def pgbench(box, script, *arguments, settings="", seconds=120, **variables):
    """What it says."""
    path = os.path.join(box.folder, "load.sql")
    with open(path, "w", encoding="utf-8") as file:
        file.write(script)
    words = [word for name, value in variables.items() for word in ("-D", f"{name}={value}")]
    environment = [f"PGOPTIONS={settings}"] if settings else []
    argv = ["/usr/bin/env", *environment, program("pgbench"), "-n", "-f", path, *words, *map(str, arguments), box.db.conninfo()]
    done = run(argv, seconds=seconds)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def rate(box, tickets, seconds, clients=32):
    """Transactions a second of so many writers for so long, on random tickets."""
    said = pgbench(box, RANDOM, "-c", clients, "-j", 2, "-T", seconds, tickets=tickets)
    return float(re.search(r"tps = ([\d.]+)", said).group(1))


def change(box, first, count, clients=8, settings="", prepared=False, rate=None):
    """Changes these tickets once each, in transactions of their own, at full speed unless told. Seconds."""
    assert count % clients == 0
    pace = ["-R", rate] if rate else []
    began = time.monotonic()
    pgbench(box, EACH_ONCE, "-c", clients, "-j", 2, "-t", count // clients, "-M", "prepared" if prepared else "simple", *pace,
            settings=settings, first=first, each=count // clients, n=0)
    return time.monotonic() - began


def backlog(box, first, count):
    """The same, as fast as it can be had."""
    return change(box, first, count, settings="-c synchronous_commit=off", prepared=True)
