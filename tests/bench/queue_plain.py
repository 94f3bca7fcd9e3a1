"""The bare pattern in Python, with redis-py, as a contestant (turn.h):

    queue_plain.py SOCKET drain BATCH          handles all that waits: RPOPLPUSH, then LREM, each a pipeline of BATCH
    queue_plain.py SOCKET produce RATE COUNT   pushes items that are the time of their pushing, RATE a second
    queue_plain.py SOCKET handle BATCH COUNT   waits for those one by one, and says how old each was when it came
"""
import json
import sys
import time

import redis


def begin():
    print("ready", flush=True)
    sys.stdin.readline() or sys.exit(1)
    return time.monotonic_ns()


def reserve(server, batch):
    pipeline = server.pipeline(transaction=False)
    for _ in range(batch):
        pipeline.rpoplpush("Q", "Q-processing")
    return [item for item in pipeline.execute() if item is not None]


def ack(server, items):
    pipeline = server.pipeline(transaction=False)
    for item in items:
        pipeline.lrem("Q-processing", -1, item)
    pipeline.execute()


def drain(server, batch):
    start, count = begin(), 0
    while items := reserve(server, batch):
        ack(server, items)
        count += len(items)
    return {"count": count, "start": start, "end": time.monotonic_ns()}


def drain_one_by_one(server):
    start, count = begin(), 0
    while item := server.rpoplpush("Q", "Q-processing"):
        server.lrem("Q-processing", -1, item)
        count += 1
    return {"count": count, "start": start, "end": time.monotonic_ns()}


def produce(server, rate, count):
    start = begin()
    for i in range(count):
        time.sleep(max(start + i * 10**9 // rate - time.monotonic_ns(), 0) / 1e9)
        server.lpush("Q", time.monotonic_ns())
    return {"count": count, "start": start, "end": time.monotonic_ns()}


def handle(server, count):
    begin()
    ages = []
    while len(ages) < count:
        item = server.brpoplpush("Q", "Q-processing", 10)
        ages.append(time.monotonic_ns() - int(item))
        server.lrem("Q-processing", -1, item)
    return {"ages": ages}


def main(socket, verb, first, second=0):
    server = redis.Redis(unix_socket_path=socket)
    server.ping()
    first, second = int(first), int(second)
    if verb == "produce":
        return produce(server, first, second)
    if verb == "handle":
        return handle(server, second)
    return drain(server, first) if first > 1 else drain_one_by_one(server)


print(json.dumps(main(*sys.argv[1:])), flush=True)
