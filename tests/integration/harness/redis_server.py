"""A private redis-server on a unix socket; it keeps nothing unless a test restarts it."""
import os
import shutil
import signal

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .processes import end, spawn
from .waiting import until


class RedisServer:
    def __init__(self, folder, *options):
        self.folder = folder
        self.socket = os.path.join(folder, "redis.sock")
        self.log = os.path.join(folder, "redis.log")
        self.options = options
        self.process = None
        self.client = self.connect()
        os.mkdir(folder)

    def connect(self, **more):
        """It tells of each error; redis-py 6 would try three times before."""
        return redis.Redis(unix_socket_path=self.socket, retry=Retry(NoBackoff(), 0), **more)

    @property
    def url(self):
        return f"unix://{self.socket}"

    def start(self, until_up=True):
        with open(self.log, "ab") as log:
            self.process = spawn(["redis-server", "--port", "0", "--unixsocket", self.socket, "--dir", self.folder,
                                  "--save", "", "--daemonize", "no", *self.options], log)
        if until_up:
            until(self.is_up, 30, "Redis accepts commands")

    def is_up(self):
        assert self.process.poll() is None, open(self.log).read()[-2000:]
        try:
            return self.client.ping()
        except (redis.AuthenticationError, redis.ResponseError):
            return True
        except (redis.ConnectionError, redis.TimeoutError):
            return False

    def save_and_stop(self):
        """Every command that was executed is in the file that the next start loads."""
        self.client.connection_pool.disconnect()
        self.connect().shutdown(save=True)
        self.process.wait(20)
        self.process = None

    def stop(self):
        if self.process:
            end(self.process, signal.SIGKILL)
            self.process = None

    def remove(self):
        self.client.connection_pool.disconnect()
        self.stop()
        until(self._folder_gone, 30, "a child that rewrites the append-only file has ended")

    def _folder_gone(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        return not os.path.exists(self.folder)
