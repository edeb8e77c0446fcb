"""A real server for tests: ``manage.py runbokeh`` on a free port, in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue


@dataclass
class RunningServer:
    """A server that runs; ``url`` has no slash at its end."""

    url: str
    process: subprocess.Popen[str]
    lines: list[str]

    @property
    def ws_url(self) -> str:
        """``url`` as that of a websocket."""
        return "ws" + self.url.removeprefix("http")

    @property
    def output(self) -> str:
        """What the server wrote so far."""
        return "".join(self.lines)

    def stop(self, how: signal.Signals = signal.SIGTERM, timeout: float = 30) -> int:
        """End the server and give its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(timeout)


@contextmanager
def run_server(
    *args: str | Path,
    manage: str | Path = "manage.py",
    env: Mapping[str, str] | None = None,
    timeout: float = 60,
) -> Iterator[RunningServer]:
    """Run ``manage.py runbokeh ARGS`` until the end of the block.

    Raises ``RuntimeError`` with the server's output when it does not come up within ``timeout`` seconds.
    """
    command = [sys.executable, "-u", str(manage), "runbokeh", "--port", "0", *map(str, args)]
    process = subprocess.Popen(  # noqa: S603
        command,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[str] = []
    urls: Queue[str | None] = Queue()
    reader = threading.Thread(target=_read, args=(process, lines, urls), daemon=True)
    reader.start()
    try:
        try:
            url = urls.get(timeout=timeout)
        except Empty:
            url = None
        if url is None:
            raise RuntimeError("The server did not start.\n" + "".join(lines))
        server = RunningServer(url.rstrip("/"), process, lines)
        yield server
    finally:
        _end(process)
        reader.join(10)
        if process.stdout is not None:
            process.stdout.close()


def _read(process: subprocess.Popen[str], lines: list[str], urls: Queue[str | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Vizserver is running at "):
            urls.put(line.removeprefix("Vizserver is running at ").strip())
    urls.put(None)


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
