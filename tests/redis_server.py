"""A Redis for tests of several processes."""

from __future__ import annotations

import socket
import subprocess
from typing import Self

import redis

from .serving import wait_until


class RedisServer:
    """A Redis without a memory, which can be stopped and started again at the same port."""

    def __init__(self, program: str) -> None:
        self._program = program
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]

    @property
    def env(self) -> dict[str, str]:
        """What makes a process of the site use it."""
        return {"REDIS_URL": f"redis://127.0.0.1:{self._port}/0"}

    def __enter__(self) -> Self:
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen([self._program, *options], stdout=subprocess.DEVNULL)
        wait_until(self._answers)
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.wait(20)

    def _answers(self) -> bool:
        with redis.Redis(port=self._port) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False
