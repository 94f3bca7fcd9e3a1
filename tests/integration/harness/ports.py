"""Ports of 127.0.0.1 that were free when they were asked for."""
import socket

import pytest


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    except OSError as error:
        pytest.skip(f"no ports can be had: {error}")
    finally:
        for one in sockets:
            one.close()
