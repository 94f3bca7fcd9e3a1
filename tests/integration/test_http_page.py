"""The status page, as a browser shows it."""
import os

import pytest

from harness import ticketing
from harness.browser import Browser
from harness.http import Http
from harness.queue import Native

HOSTILE = "<img src=x onerror=document.title='taken'>"


@pytest.fixture
def browser(workspace):
    browser = Browser(os.path.join(workspace, "browser"))
    yield browser
    browser.close()


def page(served):
    return "http://{}:{}/".format(*served.address)


def shoot(browser, url, name, *words):
    """Pictures for people, where PGUSHER_SCREENSHOTS names a folder: wide, narrow, light, dark."""
    folder = os.environ.get("PGUSHER_SCREENSHOTS")
    for width, dark in ((1280, False), (1280, True), (390, False), (390, True)) if folder else ():
        browser.open(url, width=width, dark=dark)
        browser.until(*words)
        browser.shoot(os.path.join(folder, f"{name}-{width}{'-dark' if dark else ''}.png"))


def shoot_now(browser, name):
    folder = os.environ.get("PGUSHER_SCREENSHOTS")
    if folder:
        browser.shoot(os.path.join(folder, f"{name}.png"))


def overflow(browser):
    return browser.value("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def test_in_step_then_broken(tickets, browser):
    served = Http(tickets.ready(ticketing.projections(), http=":0"))
    browser.open(page(served))
    browser.until("In step", "1 worker", "{search}", "16 of 16 partitions", "event", "ticket", "asleep")
    assert browser.value("document.title").startswith("✓ default")
    shoot(browser, page(served), "normal", "In step")
    consumer = Native(tickets.redis.client, queue="{search}")
    tickets.redis.client.lpush("{search}", HOSTILE)
    tickets.redis.client.ltrim("{search}", 0, 0)
    consumer.reserve(1)
    consumer.bury(HOSTILE, reason=f"no such field {HOSTILE}")
    tickets.redis.client.set("event:1", "a string")
    tickets.db.sql("UPDATE event SET name = 'y' WHERE id = 1")
    tickets.until(lambda: tickets.quarantined(), 5, "one is refused")
    browser.open(page(served), width=390)
    browser.until("Needs a person", "dead letter", "pgusher-queue dead", "WRONGTYPE", "Quarantine")
    browser.value("document.querySelectorAll('details').forEach(d => d.open = true)")
    browser.until(HOSTILE)
    assert browser.value("document.querySelectorAll('main img').length") == 0 and "taken" not in browser.value("document.title")
    assert overflow(browser) <= 0, "nothing but tables scrolls sideways on a phone"
    shoot(browser, page(served), "broken", "Needs a person")
    assert not browser.complaints()
    assert {url for url in browser.asked() if not url.startswith((page(served), "data:"))} <= {"about:blank"}, "nothing is asked elsewhere"


def test_empty_then_gone(tickets, browser):
    tickets.db.sql("TRUNCATE event, ticket, venue")
    served = Http(tickets.ready(ticketing.projections(), http=":0"))
    browser.open(page(served))
    browser.until("In step", "nothing yet", "nothing waits")
    shoot(browser, page(served), "empty", "In step")
    served.daemon.kill()
    browser.until("No answer", "what stands below is old")


def test_behind(tickets, browser):
    """The worker is held up by a lock, and what it has to apply is said to be a minute old."""
    served = Http(tickets.ready(ticketing.projections(), http=":0"))
    lock = tickets.db.connect()
    lock.cursor().execute("LOCK TABLE venue")
    tickets.db.sql("UPDATE event SET name = 'x'; UPDATE pgusher.changelog SET at = at - interval '50 s'")
    browser.open(page(served), dark=True)
    browser.until("Behind", "behind by 9 changes")
    shoot(browser, page(served), "behind", "ehind by 9 changes")
    lock.rollback()
    lock.close()
    browser.until("In step")
    assert not browser.complaints()


def test_replay_with_the_token(tickets, browser):
    token_file = os.path.join(tickets.folder, "token")
    with open(token_file, "w") as file:
        file.write("correct-horse-battery-staple")
    served = Http(tickets.ready(ticketing.event_only(), http={"address": ":0", "token_file": token_file}))
    consumer = Native(tickets.redis.client, queue="{search}")
    consumer.bury(*consumer.reserve(3), reason="no")
    browser.open(page(served))
    browser.until("Needs a person", "Actions")
    assert browser.value("[...document.querySelectorAll('button')].map(b => b.innerText)") == ["Use it"]
    for token, then in (("wrong", "the token is wrong"), ("correct-horse-battery-staple", "3 of {search} replayed")):
        browser.value(f"document.getElementById('token').value = '{token}'; document.querySelector('form').requestSubmit()")
        browser.until("Replay the dead letters")
        if token != "wrong":
            shoot_now(browser, "actions")
        browser.value("[...document.querySelectorAll('button')].find(b => b.innerText.startsWith('Replay')).click()")
        browser.until(then)
    browser.until("In step")
    assert [text for text in browser.complaints() if "401" not in text] == []
