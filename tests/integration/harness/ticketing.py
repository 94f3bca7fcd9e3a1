"""The ticket marketplace that most tests use: its schema and its projections."""
import os

from .box import projection

GRACE = "10 days"


def schema():
    with open(os.path.join(os.path.dirname(__file__), "ticketing.sql")) as file:
        return file.read()


def projections():
    """A fresh copy: tests change it."""
    by_venue = {"column": "id", "lookup": "SELECT id FROM event WHERE venue_id = ANY($1)"}
    by_event = {"column": "id", "lookup": "SELECT id FROM ticket WHERE event_id = ANY($1)"}
    return {
        "event": projection("event_card", {"event": "id", "ticket": "event_id", "venue": by_venue}, key="event:{id}",
                            expire_at="starts_at", expire_grace=GRACE, queues=["{search}"]),
        "ticket": projection("ticket_card", {"ticket": "id", "event": by_event}, key="ticket:{id}",
                             expire_at="starts_at", queues=["{search}"]),
    }


def event_only():
    return {"event": projections()["event"]}


def document_keys(client):
    return [key for pattern in ("event:*", "ticket:*") for key in client.scan_iter(pattern, count=5000)]
