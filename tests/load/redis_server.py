"""A real Redis on a socket in a folder of its own, and an address that processes share over it."""

import shutil
import subprocess
import tempfile
import threading
from itertools import count
from pathlib import Path

import pytest
from redis import Redis

from load.pace.pacer import Pacer
from load.pace.shared import SharedLimiter
from tests.load.conftest import FakeTime

# Stands in the place of the server's own.
CLOCK = "local clock = tonumber(redis.call('GET', 'clock'))"
_numbers = count()

BINARY = shutil.which("redis-server")
needs_redis = pytest.mark.skipif(
    BINARY is None, reason="redis-server is not installed (Debian: apt-get install redis-server)"
)


class RedisServer:
    """Started and stopped at will; what it knew is lost with it."""

    def __init__(self) -> None:
        # pytest's own folders can be too deep for the path of a socket.
        self.folder = Path(tempfile.mkdtemp(prefix="p2p-redis-"))
        self.url = f"unix://{self.folder}/redis.sock"
        self.start()

    def start(self) -> None:
        assert BINARY is not None
        settings = f"port 0\nunixsocket {self.folder}/redis.sock\nsave ''\ndir {self.folder}\n"
        self.process = subprocess.Popen(
            [BINARY, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(settings)
        self.process.stdin.close()
        for line in self.process.stdout:
            if "accept connections" in line:
                return
        raise AssertionError("redis-server did not start")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder)


class Egress:
    """An address that several processes share, on a clock that is set here."""

    def __init__(self, server: RedisServer, rate: float = 10) -> None:
        self.server, self.rate, self.name = server, rate, f"exchange-{next(_numbers)}"
        self.redis = Redis.from_url(server.url, decode_responses=True)
        self.time = FakeTime()
        self.time.wait = self.wait  # type: ignore[method-assign]
        self.set_clock()

    def wait(self, seconds: float, stop: threading.Event) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.time.seconds += seconds
        self.set_clock()

    def set_clock(self, behind: float = 0) -> None:
        if self.server.process.poll() is None:
            self.redis.set("clock", repr(self.time.seconds - behind))

    def process(self) -> SharedLimiter:
        """What another process would have."""
        limiter = SharedLimiter(
            self.server.url, self.name, self.rate, now=self.time.now, clock=CLOCK
        )
        limiter._name = f"host:{next(_numbers)}"
        return limiter

    def pacer(self) -> Pacer:
        return Pacer(self.rate, time=self.time, limiter=self.process())


def waits(*limiters: SharedLimiter) -> list[float]:
    return [limiter.reserve().wait for limiter in limiters]
