"""The short form: a few seeds, one of them fresh, and that a difference would be found. `make whole` is the long one."""
import random

import pytest

import whole
from expect import Expected
from round import Failure, Round, Run, Tally
from traffic import Step

SEEDS = [2, 5]


@pytest.fixture(scope="module")
def servers():
    with whole.Servers() as servers:
        yield servers


def check(servers, seed):
    found = whole.run_round(servers, Round(seed, servers.merge), Tally())
    assert not found, f"make whole SEED={seed}\n{found[0]}\n{found[1]}"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_known_round(servers, seed):
    check(servers, seed)


def test_a_fresh_round(servers):
    seed = random.SystemRandom().randrange(10 ** 9)
    print("seed", seed)
    check(servers, seed)


def ghost(key):
    """Another key of the same form."""
    return key.replace(b":", b":9", 1)


def plant(client, key, how):
    if how == "field":
        client.hset(key, "planted", "x")
    elif how == "gone":
        client.delete(key)
    elif how == "ghost":
        client.hset(ghost(key), "planted", "x")
    else:
        client.persist(key) if client.pttl(key) > 0 else client.pexpire(key, 10 ** 9)


def test_what_is_planted_is_found(servers):
    """In Redis, field by field; in the queue; by pgusher itself."""
    round_ = Round(SEEDS[-1], servers.merge)
    with Run(servers.cluster, servers.redis, round_, Tally()) as run:
        run.go()
        key = min(key for key in run.expected.sure if key.split(b":")[1].isdigit())
        for how in ("field", "gone", "ghost", "expiry"):
            servers.redis.client.copy(key, b"pgusher:kept", replace=True)
            plant(servers.redis.client, key, how)
            assert list(Expected(run.db, run.projections).differences(servers.redis.client)), how
            with pytest.raises(Failure, match="verify"):
                run.do_verify(None)
            servers.redis.client.copy(b"pgusher:kept", key, replace=True)
            servers.redis.client.delete(ghost(key))
        run.before[key], run.patience = {}, 1
        with pytest.raises(Failure, match="was not told of"):
            run.do_settle(Step(0, "settle", ""))
