"""libpgusher-queue in a program whose memory runs out: it says so, and the host goes on. See tests/inject/library.c."""
import subprocess

import pytest

from harness.inject import WHOLE
from harness.processes import run
from harness.programs import SLOWER


def callers():
    """hiredis 0.14 aborts by itself when it cannot allocate."""
    newer = subprocess.run(["pkg-config", "--atleast-version=1.0", "hiredis"]).returncode == 0
    return ["libpgusher", *(["libpgusher,hiredis"] if newer else [])]


def host(inject, callers, address):
    done = run([*inject.prefix(callers), inject.program("library"), address, *([] if WHOLE else ["quick"])], seconds=600 * SLOWER)
    told = done.stdout.decode()
    assert done.returncode == 0 and "\n1.." in told and "not ok" not in told, f"{told}{done.stderr.decode()}"


@pytest.mark.parametrize("callers", callers())
def test_no_allocation_that_fails_ends_the_host_or_loses_an_item(inject, queue, callers):
    host(inject, callers, queue.redis.url)


if WHOLE:  # `make inject` only, because it takes a while
    @pytest.mark.parametrize("servers", ["watched", "three"])
    def test_nor_does_it_behind_sentinels_or_in_a_cluster(inject, servers, request):
        host(inject, "libpgusher", request.getfixturevalue(servers).url)
