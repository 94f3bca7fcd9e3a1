#!/usr/bin/python3
"""make whole: rounds with fresh seeds for so many seconds, or the one of a seed. Ends with what was done; exit 1 when a round failed."""
import argparse
import os
import random
import shutil
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))

from harness.postgres import BINARIES, Cluster  # noqa: E402
from harness.redis_server import RedisServer  # noqa: E402
from round import Failure, Round, Run, Tally  # noqa: E402
from shrink import Shrinker, script  # noqa: E402

SETTINGS = {"max_prepared_transactions": 20, "deadlock_timeout": "20ms", "log_min_duration_statement": 1000,
            "jit": "off"}


class Servers:
    def __enter__(self):
        self.merge = int(BINARIES.split("/")[4]) >= 15
        self.folder = tempfile.mkdtemp(prefix="pgw-")
        os.chmod(self.folder, 0o755)
        self.cluster = Cluster(os.path.join(self.folder, "pg"), SETTINGS)
        self.redis = RedisServer(os.path.join(self.folder, "r"))
        try:
            self.cluster.start()
            self.redis.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.redis.remove()
        self.cluster.remove()
        shutil.rmtree(self.folder)


def run_round(servers, round_, tally):
    """None, or (Failure, report)."""
    with Run(servers.cluster, servers.redis, round_, tally) as run:
        try:
            run.go()
        except Failure as failure:
            return failure, run.report()
        except Exception as error:  # noqa: BLE001 what the harness raises is a finding, too
            return Failure("other", f"{error}\n{traceback.format_exc()}"), run.report()
    return None


def shrunk(servers, round_, failure, seconds):
    """The smaller round, in words."""
    def run(smaller):
        found = run_round(servers, smaller, Tally())
        return found[0].kind if found else None
    return script(Shrinker(round_, failure.kind, run, seconds).shrunk())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, help="only this one; it is not made smaller unless it fails")
    parser.add_argument("--shrink", type=float, default=90, metavar="SECONDS", help="how long to make a failing round smaller")
    parser.add_argument("--keep", action="store_true", help="go on after a failure")
    arguments = parser.parse_args()
    tally, failed = Tally(), []
    deadline = time.monotonic() + arguments.seconds
    with Servers() as servers:
        while True:
            seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(10 ** 9)
            began, round_ = time.monotonic(), Round(seed, servers.merge)
            found = run_round(servers, round_, tally)
            print(f"seed {seed}: {'failed' if found else 'ok'}, {time.monotonic() - began:.1f} s", flush=True)
            if found:
                failed.append((seed, found[0]))
                print(*found, sep="\n", flush=True)
                if arguments.shrink:
                    print("made smaller:", shrunk(servers, round_, found[0], arguments.shrink), sep="\n", flush=True)
            if arguments.seed is not None or time.monotonic() > deadline or (found and not arguments.keep):
                break
    print(tally)
    for seed, failure in failed:
        print(f"failed: {failure.kind}; make whole SEED={seed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
