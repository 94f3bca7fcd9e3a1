"""What clients saw of documents, held against what is promised.

Promised is, for each key: as one client sees it on one server it never goes back to an older version, as long as the server has not
begun anew. That is one *span*: the same process of redis-server, the same replication history and the same dataset of the fleet.
Redis replicates asynchronously, so a promoted replica, a restart and FLUSHALL may take back the last writes: each begins a new
span, and that spans differ is no violation. Within a span:

- a version is never lower than one seen before, not even when the key was gone in between;
- under one epoch of versions, a count that grows with every change of the row does not fall; under a new one it may: PostgreSQL
  itself has lost transactions then.

Over all clients, servers and spans: of two versions of a key with the same epoch, the higher never has the lower count: a version
names a state of the database. And in the end every client sees the last state that was committed.
"""
from bisect import bisect_left

ORDINAL_BITS = 43  # of a version; its epoch is above
KEPT = 1000  # versions of a key that are compared over all clients


def epoch(version):
    return version >> ORDINAL_BITS


class History:
    def __init__(self):
        self.reads = 0
        self.rewinds = 0  # of keys that went back where that is allowed, because a new span began
        self.violations = []
        self._last = {}  # (client, key): (span, version, count)
        self._states = {}  # key: [(version, count)] in order

    def read(self, client, span, key, version, count):
        """One document as it was read; version None: it was not there."""
        self.reads += 1
        if version is None:
            return
        last = self._last.get((client, key))
        if last and last[0] == span:
            self._judge(f"{client} on {span}: {key}", last[1:], (version, count))
        elif last and version < last[1]:
            self.rewinds += 1
        self._last[client, key] = (span, version, count)
        self._compare(key, (version, count))

    def _judge(self, who, before, now):
        if now[0] < before[0]:
            self._violated(f"{who} went back from version {before[0]} to {now[0]}")
        elif epoch(now[0]) == epoch(before[0]) and now[1] < before[1]:
            self._violated(f"{who} version {now[0]} has count {now[1]}, version {before[0]} had {before[1]} already")

    def _compare(self, key, state):
        """With its neighbours among all versions that anybody saw."""
        states = self._states.setdefault(key, [])
        at = bisect_left(states, state)
        if at < len(states) and states[at] == state:
            return
        states.insert(at, state)
        for lower, higher in zip(states[max(0, at - 1):at + 1], states[max(0, at - 1) + 1:at + 2]):
            if lower[0] < higher[0] and epoch(lower[0]) == epoch(higher[0]) and lower[1] > higher[1]:
                self._violated(f"{key}: version {lower[0]} has count {lower[1]}, the higher version {higher[0]} has {higher[1]}")
        del states[:-KEPT]

    def _violated(self, text):
        if len(self.violations) < 20:
            self.violations.append(text)


def unarrived(seen, committed):
    """seen: {client: {key: count or None}} after calm, committed: {key: count or None}. Lines that say who does not see the last."""
    return [f"{client}: {key} has count {counts.get(key)}, the last that was committed is {committed[key]}"
            for client, counts in seen.items() for key in committed if counts.get(key) != committed[key]]
