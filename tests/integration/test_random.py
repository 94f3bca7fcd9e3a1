"""Random traffic: whatever happens, every hash equals its row and every change was queued after it."""
import pytest

from harness import ticketing
from harness.consumer import Indexer
from harness.programs import SLOWER
from harness.traffic import Traffic
from harness.waiting import until


@pytest.fixture
def market(market):
    """3,000 events at three venues, all in Redis."""
    market.install()
    market.pgusher("backfill").must(0)
    market.drain()
    return market


@pytest.fixture
def held(market):
    """One transaction that changes documents and stays open for the whole test."""
    connection = market.db.connect()
    connection.cursor().execute("UPDATE event SET name = 'held' WHERE id = 1; UPDATE ticket SET event_id = 2 WHERE id = 1;"
                                "DELETE FROM event WHERE id = 3")
    yield connection
    connection.close()


def watch_queue(market):
    return Indexer(market.redis, ticketing.document_keys(market.redis.client))


def all_is_right(market, indexer):
    market.in_step(60)
    indexer.finish()
    outdated = indexer.outdated(market.redis.client, ticketing.document_keys(market.redis.client))
    assert not outdated, f"{len(outdated)} documents changed and were not queued: {outdated[:10]}"


def commit_and_check(market, held):
    """The transaction that was open all the time: its old xid must not be passed over."""
    assert market.hash("event:1")["name"] == "Event 1"
    held.commit()
    market.until_has("event:1", name="held")
    market.in_step()
    assert market.hash("event:3") is None and market.hash("event:2")["open"] == "4"


def test_live(market, held):
    with watch_queue(market) as indexer:
        market.start()
        with Traffic(market.db) as traffic:
            pass
        assert traffic.count == 2000
        all_is_right(market, indexer)
    commit_and_check(market, held)


def test_killed_in_the_middle(market, held):
    with watch_queue(market) as indexer:
        with Traffic(market.db, seed=2) as traffic:
            for share in (0.2, 0.4, 0.6, 0.8):
                worker = market.start()
                until(lambda: traffic.part(share), 120 * SLOWER)
                worker.kill()
        market.start()
        all_is_right(market, indexer)
    commit_and_check(market, held)


def test_changes_while_it_was_down(market, held):
    with watch_queue(market) as indexer:
        market.start()
        with Traffic(market.db, transactions=400, seed=3):
            pass
        market.until_caught_up()
        market.stop()
        with Traffic(market.db, transactions=1600, seed=4):
            pass
        market.start()
        all_is_right(market, indexer)
    commit_and_check(market, held)


def test_once(market, held):
    """It drains what is there, does not wait for the open transaction, and ends."""
    with watch_queue(market) as indexer:
        with Traffic(market.db, seed=5):
            pass
        market.once()
        all_is_right(market, indexer)
        assert market.hash("event:1")["name"] == "Event 1"
        held.commit()
        market.once()
        all_is_right(market, indexer)
    assert market.hash("event:1")["name"] == "held"


def test_once_beside_traffic(market):
    """It ends although changes keep coming, and what it leaves the next one takes."""
    with Traffic(market.db, transactions=800, seed=6):
        market.once()
        market.once()
    market.once()
    market.in_step()


def test_two_workers(market):
    """Nothing assumes that there is only one; each may die at any moment."""
    with watch_queue(market) as indexer:
        first, _ = market.start(), market.start()
        with Traffic(market.db, seed=8) as traffic:
            until(lambda: traffic.part(0.5), 120 * SLOWER)
            first.kill()
            market.start()
        all_is_right(market, indexer)


def test_absent_consumer_costs_one_entry_per_document(market):
    market.start()
    with Traffic(market.db, transactions=800, seed=7):
        pass
    market.in_step(60)
    items = market.queued()
    assert len(items) == len(set(items)) > 1000
