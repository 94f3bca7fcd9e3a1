"""What has a server refuse a question in its own words and its own state: another question, which it cannot but refuse, goes in its place.
And, for a Redis that is not what it seems, one whose answer has another shape."""
import struct

REFUSED = "refused by the test"
_STATEMENT = f"DO $$BEGIN RAISE EXCEPTION '{REFUSED}' USING ERRCODE = '%s'; END$$"
SHAPES = ("{}", "7", "'x'", "{1, {2, 'x'}}", "false", "{ok = 'x'}", "{'1', '2', '3', '4', '5', '6', '7'}")  # as a script gives them
_SIMPLE, _SYNC = b"Q", b"S"


def postgres(state):
    """By an error of this SQLSTATE. What is no whole message of the protocol after authentication goes on as it is."""
    text = (_STATEMENT % state).encode() + b"\0"
    query = _SIMPLE + struct.pack("!I", 4 + len(text)) + text

    def refuse(data):
        answers = [kind for kind in _kinds(data) if kind in (_SIMPLE, _SYNC)]
        return query * len(answers) if answers else data
    return refuse


def _kinds(data):
    """Of the messages; none if they are not whole, as the first of a connection never seems."""
    found, at = [], 0
    while at + 5 <= len(data):
        found.append(data[at:at + 1])
        at += 1 + struct.unpack_from("!I", data, at + 1)[0]
    return found if at == len(data) else []


def redis(code):
    """By an error of this code."""
    return redis_says(f"redis.error_reply('{code} {REFUSED}')")


def redis_says(value):
    """What a script gives that returns this."""
    words = ["EVAL", f"return {value}", "0"]
    command = b"*3\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words)

    def refuse(data):
        count = _commands(data)
        return command * count if count else data
    return refuse


def _commands(data):
    """How many; 0 if they are not whole."""
    count = at = 0
    while data[at:at + 1] == b"*":
        words, at = _number(data, at)
        for _ in range(words):
            size, at = _number(data, at)
            at += size + 2
        count += 1
    return count if at == len(data) else 0


def _number(data, at):
    end = data.find(b"\r\n", at)
    return (int(data[at + 1:end]), end + 2) if end > at else (0, len(data) + 1)
