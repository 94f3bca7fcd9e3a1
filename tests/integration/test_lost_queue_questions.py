"""As test_lost_questions.py, of the queue's tool: Redis is lost at each of its questions, or refuses it, or answers something else."""
import os

import pytest

from harness import refusals
from harness.queue import QUEUE, Native, run_queue
from harness.relay import Relay

from test_lost_questions import NO_SERVICE, NOT_SO, numbers

MISTAKEN = 78
RUNS = {
    "list": ["list"], "scan": ["list", "--scan"], "stats": ["stats", QUEUE], "peek": ["peek", QUEUE], "delayed": ["peek", QUEUE, "--delayed"],
    "later": ["peek", QUEUE, "--later"], "push": ["push", QUEUE, "new", "waiting"], "once": ["consume", QUEUE, "--exec", "cat", "--once"],
    "docs": ["consume", QUEUE, "--exec", "cat", "--once", "--docs", "--batch", "2"], "recover": ["recover", QUEUE], "dead": ["dead", QUEUE],
    "replay": ["replay", QUEUE, "--all"], "one": ["replay", QUEUE, "dead"], "rm": ["rm", QUEUE, "waiting"],
    "purge": ["purge", QUEUE, "--dead", "--yes"], "all": ["purge", QUEUE, "--all", "--yes"], "pause": ["pause", QUEUE],
    "resume": ["resume", QUEUE], "doctor": ["doctor", QUEUE], "fix": ["doctor", QUEUE, "--fix"],
}


@pytest.fixture
def road(queue, redis_server):
    road = Relay(redis_server.socket, os.path.join(queue.folder, "road"))
    yield road
    road.stop()


def fill(queue):
    """Something in every place where an item can be."""
    queue.client.flushall()
    queue.push("dead", "delayed", "held", "lost")
    consumer = Native(queue.client)
    consumer.reserve(4)
    consumer.bury("dead")
    consumer.nack("delayed")
    Native(queue.client, "native:1:gone", lease_ms=1).reserve()
    queue.push("waiting", "another", "third")


def run(road, words):
    return run_queue("--redis", road.redis_url, *words)


OTHER = {"lost": None, "refused": refusals.redis("ERR"), "mistyped": refusals.redis("WRONGTYPE Operation"),
         "forbidden": refusals.redis("NOPERM")}


@pytest.mark.parametrize("how", OTHER)
@pytest.mark.parametrize("words", RUNS.values(), ids=RUNS)
def test_each(queue, road, words, how):
    fill(queue)
    road.lose_question()
    usual = run(road, words).must((0, NOT_SO)).code
    for number in numbers(road.questions):
        fill(queue)
        road.replace_question(number, OTHER[how])
        result = run(road, words)
        assert result.code in (usual, NOT_SO, NO_SERVICE, MISTAKEN) or refusals.REFUSED in result.text, (number, result)
        if result.code in (NO_SERVICE, MISTAKEN):
            assert ("Redis" if how == "lost" else refusals.REFUSED) in result.text, (number, result)
        road.lose_question()
        assert run(road, words).code in (usual, NOT_SO), number


@pytest.mark.parametrize("words", RUNS.values(), ids=RUNS)
def test_odd_answers(queue, road, words):
    """It may think that all is well, or say what it cannot read; it has to end, and by itself."""
    fill(queue)
    road.lose_question()
    run(road, words)
    for number in numbers(road.questions):
        for shape in refusals.SHAPES:
            fill(queue)
            road.replace_question(number, refusals.redis_says(shape))
            result = run(road, words)
            assert result.code in (0, NOT_SO, NO_SERVICE, MISTAKEN), (number, shape, result)
            assert result.code == 0 or result.text, (number, shape)
