"""libpgusher-queue through ctypes: the header's functions and structures, and a handle that reads like Python."""
import ctypes
from ctypes import (CFUNCTYPE, POINTER, Structure, byref, c_bool, c_char_p, c_int, c_int64, c_size_t, c_uint64, c_void_p,
                    string_at)

from .programs import path
from .queue import QUEUE

OK, AGAIN, LOST, REFUSED, CONFIG = range(5)
QUEUED, COALESCED, DIRTY, JOINED, REVIVED = range(5)
WAITING, DELAYED, DEAD = range(3)
BACKOFF, BURY = -1, -2


class Options(Structure):
    _fields_ = [("redis", c_char_p), ("password", c_char_p), ("queue", c_char_p), ("consumer", c_char_p),
                ("lease_ms", c_int64), ("timeout_ms", c_int), ("max_failures", c_int), ("max_crashes", c_int),
                ("plain_timeout_ms", c_int64), ("coalesce", c_int)]


class Item(Structure):
    _fields_ = [("data", c_char_p), ("len", c_size_t)]


class Acked(Structure):
    _fields_ = [("acked", c_size_t), ("requeued", c_size_t), ("stale", c_size_t)]


class ConsumerStats(Structure):
    _fields_ = [("name", c_char_p), ("lease_left_ms", c_int64), ("held", c_size_t), ("oldest_ms", c_int64)]


COUNTERS = ("queued", "coalesced", "acked", "requeued", "failed", "died", "recovered", "released", "replayed")


class Stats(Structure):
    _fields_ = [(name, c_size_t) for name in ("waiting", "in_flight", "dirty", "delayed", "dead", "plain")] + \
        [(name, c_int64) for name in ("oldest_waiting_ms", "oldest_held_ms", "next_due_ms")] + \
        [("paused", c_bool), ("coalesce", c_bool), ("max_failures", c_int), ("max_crashes", c_int)] + \
        [(name, c_uint64) for name in COUNTERS] + \
        [("now_ms", c_int64), ("consumers", POINTER(ConsumerStats)), ("nconsumers", c_size_t),
         ("later", c_size_t), ("oldest_later_ms", c_int64)]


class Entry(Structure):
    _fields_ = [("item", c_void_p), ("len", c_size_t), ("when_ms", c_int64), ("failures", c_int), ("crashes", c_int),
                ("reason", c_char_p)]


EntryFunction = CFUNCTYPE(c_bool, c_void_p, POINTER(Entry))
_H, _B, _ITEMS, _INDEXES, _BOOLS = c_void_p, c_void_p, POINTER(Item), POINTER(c_size_t), POINTER(c_bool)

SIGNATURES = {
    "open": (c_void_p, POINTER(Options), c_char_p, c_size_t), "new": (c_void_p, POINTER(Options), c_char_p, c_size_t),
    "close": (None, _H), "error": (c_char_p, _H), "status": (c_int, _H), "name": (c_char_p, _H), "consumer": (c_char_p, _H),
    "push": (c_int, _H, _ITEMS, c_size_t, POINTER(c_int)),
    "push_later": (c_int, _H, _ITEMS, c_size_t, POINTER(c_int)),
    "reserve": (c_int, _H, c_size_t, c_int64, POINTER(c_void_p)),
    "batch_count": (c_size_t, _B), "batch_item": (c_void_p, _B, c_size_t, POINTER(c_size_t)),
    "batch_attempt": (c_int, _B, c_size_t), "batch_token": (c_uint64, _B), "batch_settled": (c_bool, _B, c_size_t),
    "batch_free": (None, _B),
    "ack": (c_int, _H, _B, _INDEXES, c_size_t, POINTER(Acked)),
    "ack_reserve": (c_int, _H, _B, c_size_t, POINTER(c_void_p), POINTER(Acked)),
    "nack": (c_int, _H, _B, _INDEXES, c_size_t, c_char_p, c_int64),
    "release": (c_int, _H, _B, _INDEXES, c_size_t), "heartbeat": (c_int, _H),
    "wait_begin": (c_int, _H, c_int64), "wait_end": (c_int, _H), "wait_cancel": (c_int, _H),
    "wait_ms": (c_int64, _H),
    "left": (c_size_t, _H), "due_ms": (c_int64, _H),
    "stats": (c_int, _H, POINTER(Stats)), "stats_free": (None, POINTER(Stats)), "recover": (c_int, _H),
    "each": (c_int, _H, c_int, c_size_t, c_size_t, EntryFunction, c_void_p),
    "replay": (c_int64, _H, _ITEMS, c_size_t, _BOOLS), "replay_all": (c_int64, _H),
    "remove": (c_int64, _H, _ITEMS, c_size_t, _BOOLS), "purge_dead": (c_int64, _H), "purge_all": (c_int64, _H),
    "pause": (c_int, _H, c_bool),
}


def load():
    library = ctypes.CDLL(path("libpgusher-queue.so.0"))
    for name, (result, *arguments) in SIGNATURES.items():
        function = getattr(library, f"pgusher_queue_{name}")
        function.restype, function.argtypes = result, arguments
    return library


def options(redis, **more):
    values = {"redis": redis, "queue": QUEUE, **more}
    return Options(**{name: value.encode() if isinstance(value, str) else value for name, value in values.items()})


def items_of(words):
    words = [word.encode() if isinstance(word, str) else word for word in words]
    return (Item * max(len(words), 1))(*(Item(word, len(word)) for word in words)), len(words)


def indexes_of(numbers):
    return ((c_size_t * max(len(numbers), 1))(*numbers), len(numbers)) if numbers is not None else (None, 0)


class Batch:
    def __init__(self, library, pointer):
        self.library, self.pointer = library, pointer

    @property
    def items(self):
        length = c_size_t()
        count = self.library.pgusher_queue_batch_count(self.pointer)
        return [string_at(self.library.pgusher_queue_batch_item(self.pointer, index, byref(length)), length.value)
                for index in range(count)]

    @property
    def token(self):
        return self.library.pgusher_queue_batch_token(self.pointer)

    def attempt(self, index=0):
        return self.library.pgusher_queue_batch_attempt(self.pointer, index)

    @property
    def settled(self):
        return [self.library.pgusher_queue_batch_settled(self.pointer, index)
                for index in range(self.library.pgusher_queue_batch_count(self.pointer))]

    def free(self):
        self.library.pgusher_queue_batch_free(self.pointer)


class Handle:
    """One pgusher_queue. Calls return what the C functions return; a name that is not here is the C function's."""

    def __init__(self, library, redis, connect=True, **more):
        self.library = library
        error = ctypes.create_string_buffer(512)
        opener = library.pgusher_queue_open if connect else library.pgusher_queue_new
        self.pointer = opener(byref(options(redis, **more)), error, len(error))
        self.opening_error = error.value.decode()

    def __getattr__(self, name):
        function = getattr(self.library, f"pgusher_queue_{name}")
        return lambda *arguments: function(self.pointer, *arguments)

    def close(self):
        self.library.pgusher_queue_close(self.pointer)
        self.pointer = None

    def push(self, *words):
        """The outcomes, or -1."""
        items, count = items_of(words)
        outcomes = (c_int * max(count, 1))()
        done = self.library.pgusher_queue_push(self.pointer, items, count, outcomes)
        return done if done < 0 else list(outcomes[:count])

    def reserve(self, most=10, wait_ms=0):
        """A batch, None, or -1."""
        pointer = c_void_p()
        count = self.library.pgusher_queue_reserve(self.pointer, most, wait_ms, byref(pointer))
        assert (count > 0) == bool(pointer), (count, pointer)
        return Batch(self.library, pointer) if count > 0 else count or None

    def ack(self, batch, numbers=None):
        """(result, acked, requeued, stale)"""
        indexes, count = indexes_of(numbers)
        acked = Acked()
        done = self.library.pgusher_queue_ack(self.pointer, batch.pointer, indexes, count, byref(acked))
        return done, acked.acked, acked.requeued, acked.stale

    def ack_reserve(self, batch, most=10):
        """(the next batch, None or -1; acked, requeued, stale)"""
        pointer, acked = c_void_p(), Acked()
        count = self.library.pgusher_queue_ack_reserve(self.pointer, batch.pointer, most, byref(pointer), byref(acked))
        assert (count > 0) == bool(pointer), (count, pointer)
        return (Batch(self.library, pointer) if count > 0 else count or None), acked.acked, acked.requeued, acked.stale

    def nack(self, batch, numbers=None, reason="no", delay_ms=BACKOFF):
        indexes, count = indexes_of(numbers)
        return self.library.pgusher_queue_nack(self.pointer, batch.pointer, indexes, count, reason.encode(), delay_ms)

    def release(self, batch, numbers=None):
        indexes, count = indexes_of(numbers)
        return self.library.pgusher_queue_release(self.pointer, batch.pointer, indexes, count)

    def stats(self):
        """A dictionary, consumers as dictionaries in it; or -1."""
        stats = Stats()
        if self.library.pgusher_queue_stats(self.pointer, byref(stats)) < 0:
            return -1
        found = {name: getattr(stats, name) for name, _ in Stats._fields_}
        found["consumers"] = [{name: getattr(one, name) for name, _ in ConsumerStats._fields_}
                              for one in stats.consumers[:stats.nconsumers]]
        self.library.pgusher_queue_stats_free(byref(stats))
        return found

    def each(self, place, offset=0, most=0, stop_after=None):
        """(item, when_ms, failures, crashes, reason) of each entry."""
        found = []

        def note(_, entry):
            one = entry.contents
            found.append((string_at(one.item, one.len), one.when_ms, one.failures, one.crashes, one.reason))
            return stop_after is None or len(found) < stop_after
        done = self.library.pgusher_queue_each(self.pointer, place, offset, most, EntryFunction(note), None)
        return found if done >= 0 else done

    def _of_items(self, name, words):
        items, count = items_of(words)
        flags = (c_bool * max(count, 1))()
        done = getattr(self.library, f"pgusher_queue_{name}")(self.pointer, items, count, flags)
        return done, list(flags[:count])

    def replay(self, *words):
        return self._of_items("replay", words)

    def remove(self, *words):
        return self._of_items("remove", words)
