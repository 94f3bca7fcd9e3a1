"""Actions over HTTP: only with the token, never for another page."""
import json
import os

import pytest

from harness import ticketing
from harness.http import Http
from harness.queue import Native

TOKEN = "correct-horse-battery-staple"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def guarded(tickets):
    """A worker with a token; three dead letters and one document in quarantine."""
    token_file = os.path.join(tickets.folder, "token")
    with open(token_file, "w") as file:
        file.write(TOKEN + "\n")
    worker = tickets.ready(ticketing.projections(), http={"address": ":0", "token_file": token_file})
    consumer = Native(tickets.redis.client, queue="{search}")
    consumer.bury(*consumer.reserve(3), reason="no")
    tickets.redis.client.set("event:1", "a string")
    tickets.db.sql("UPDATE event SET name = 'y' WHERE id = 1")
    tickets.until(lambda: tickets.quarantined(), 5, "one is refused")
    return Http(worker)


def dead(box):
    return box.redis.client.zcard("{search}:dead")


def post(served, path, **headers):
    code, _, text = served.ask(path, "POST", headers={name.replace("_", "-"): value for name, value in headers.items()})
    return code, text.strip()


def test_nothing_without_a_token_in_the_configuration(tickets):
    served = Http(tickets.ready(ticketing.projections(), http=":0"))
    code, text = post(served, "/retry?projection=event", **BEARER)
    assert code == 403 and "token_file" in text
    assert served.json("/status.json")["worker"]["acts"] is False


def test_who_may_not(tickets, guarded):
    replay, host = "/replay?queue=%7Bsearch%7D", "{}:{}".format(*guarded.address)
    assert post(guarded, replay) == (401, "the token is wrong")
    for wrong in (TOKEN[:-1], TOKEN + "x", TOKEN * 2, TOKEN[:-1] + "E", "", "x"):
        assert post(guarded, replay, Authorization=f"Bearer {wrong}")[0] == 401, wrong
    assert post(guarded, replay, Authorization=f"Basic {TOKEN}")[0] == 401
    for elsewhere in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}):
        code, text = post(guarded, replay, **BEARER, **elsewhere)
        assert (code, text) == (403, "this was asked by a page from elsewhere"), elsewhere
    assert guarded.ask(replay, headers=BEARER)[0] == 405, "a GET does nothing"
    assert post(guarded, "/replay?queue=other", **BEARER)[0] == 404 and post(guarded, "/replay", **BEARER)[0] == 404
    assert dead(tickets) == 3
    assert post(guarded, replay, **BEARER, Origin=f"http://{host}") == (200, "3 of {search} replayed")


def test_replay_all_of_many(tickets, guarded):
    tickets.redis.client.zadd("{search}:dead", {f"event:{n}": n for n in range(1000, 3500)})
    before = dead(tickets)
    assert before > 2500
    assert post(guarded, "/replay?queue=%7Bsearch%7D", **BEARER) == (200, f"{before} of {{search}} replayed")
    assert dead(tickets) == 0 and "event:3499" in tickets.queued()
    assert guarded.json("/status.json")["queues"][0]["dead"] == 0, "looked at anew"


def test_retry(tickets, guarded):
    tickets.db.sql("UPDATE pgusher.quarantine SET next_at = now() + interval '1 h'")
    tickets.redis.client.delete("event:1")
    assert post(guarded, "/retry?projection=event", **BEARER) == (200, "1 of event in quarantine to be tried again now")
    tickets.until(lambda: not tickets.quarantined(), 5, "it was built")


def test_a_server_that_is_away(tickets, guarded):
    tickets.redis.stop()
    code, text = post(guarded, "/replay?queue=%7Bsearch%7D", **BEARER)
    assert code == 503 and "Redis" in text
    tickets.redis.start()


def test_a_new_configuration_has_a_new_token(tickets, guarded):
    with open(tickets.config["http"]["token_file"], "w") as file:
        file.write(TOKEN[::-1])
    guarded.daemon.reload()
    guarded.daemon.says("configuration is adopted")
    assert post(guarded, "/retry?projection=event", **BEARER)[0] == 401
    assert post(guarded, "/retry?projection=event", Authorization=f"Bearer {TOKEN[::-1]}")[0] == 200


@pytest.mark.parametrize("content, words", [
    (None, ["cannot read", "No such file"]), ("", ["is empty"]), ("short\n", ["fewer than 16", "openssl rand"])])
def test_bad_token_files(tickets, content, words):
    token_file = os.path.join(tickets.folder, "token")
    if content is not None:
        with open(token_file, "w") as file:
            file.write(content)
    tickets.use(ticketing.projections(), http={"address": ":0", "token_file": token_file})
    tickets.install()
    worker = tickets.start()
    worker.exits(78)
    assert worker.said("http.token_file", *words), worker.log
    assert json.loads(tickets.pgusher("status", "--json").must(1).out)["fleets"], "tools need no token"
