"""A real Redis on a socket in a folder of its own: Debian's `redis-server`."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

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
