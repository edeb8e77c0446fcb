"""The servers under test and their load clients, as processes that surely end."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

ROOT = Path(__file__).resolve().parent.parent
APP_FOLDER = ROOT / "bench" / "apps"
APPS = [APP_FOLDER / f"models{models}.py" for models in (39, 195)]
SERVERS = ("ours", "bokeh", "asgi")
#: The file with the table for the measures of data, which stock apps read themselves.
TABLE = "rows.parquet"

_START_LIMIT = 60.0
_STOP_LIMIT = 10.0
_ANSWER_LIMIT = 600.0
_ADDRESS = "127.0.0.1"


class BenchError(Exception):
    """A process did not start, died, or did not answer; the message says which and what it printed."""


@dataclass(frozen=True)
class Lifetime:
    """How long a session without a connection lives, and how often that is looked at; in ms."""

    unused: int
    check: int


LONG_LIVED = Lifetime(unused=3_600_000, check=17_000)
SHORT_LIVED = Lifetime(unused=2_000, check=500)


@dataclass(frozen=True)
class Server:
    """A running server; `name` is one of SERVERS."""

    name: str
    port: int
    pid: int

    @property
    def site(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://{_ADDRESS}:{self.port}"

    def page(self, app: str) -> str:
        """Address of the page of an app."""
        return f"{self.site}{'/apps' if self.name == 'ours' else ''}/{app}"


class Client:
    """A load client; its commands are the methods of `bench.client.Load`."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def ask(self, do: str, **arguments: object) -> dict[str, float]:
        """Have one command obeyed and return its figures."""
        await self.tell(do, **arguments)
        return await self.answer()

    async def tell(self, do: str, **arguments: object) -> None:
        """Send one command; `answer` must be awaited before the next."""
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps({"do": do, **arguments}) + b"\n")
        await self._process.stdin.drain()

    async def answer(self) -> dict[str, float]:
        """Wait for the figures of the command that was sent."""
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), _ANSWER_LIMIT)
        if not line:
            raise BenchError("a load client died")
        answer = orjson.loads(line)
        if "error" in answer:
            raise BenchError(f"a load client failed: {answer['error']}")
        figures: dict[str, float] = answer
        return figures


@asynccontextmanager
async def serving(
    name: str, lifetime: Lifetime, folder: Path, apps: Sequence[Path] = APPS, **environment: str
) -> AsyncIterator[Server]:
    """Start a server on a free port, wait until it listens, and end it afterwards.

    What it prints, and its data if it keeps any, goes to `folder`.
    """
    port = _free_port()
    log = folder / f"{name}-{port}.log"
    command = _command(name, port, lifetime, apps)
    async with _process(command, _environment(folder) | environment, log) as process:
        await _wait_for(name, process, port, log)
        yield Server(name, port, process.pid)


@asynccontextmanager
async def telling(folder: Path) -> AsyncIterator[str]:
    """Start a Redis, and end it afterwards; gives its address."""
    port = _free_port()
    log = folder / f"redis-{port}.log"
    command = ["redis-server", "--port", str(port), "--bind", _ADDRESS, "--save", "", "--appendonly", "no"]
    async with _process(command, os.environ, log) as process:
        await _wait_for("redis-server", process, port, log)
        yield f"redis://{_ADDRESS}:{port}/0"


@asynccontextmanager
async def loading(server: Server, folder: Path) -> AsyncIterator[Client]:
    """Start a load client for the server and end it afterwards."""
    command = [sys.executable, "-m", "bench.client", "--server-pid", str(server.pid)]
    log = folder / f"client-of-{server.name}-{server.port}.log"
    async with _process(command, _environment(folder), log, piped=True) as process:
        yield Client(process)


async def prepare(name: str, folder: Path) -> None:
    """Do once what the server needs before its first start: ours, in production, tables and static files."""
    if name != "ours":
        return
    for task in ("migrate", "collectstatic"):
        await run("manage.py", task, "--no-input", folder=folder)


async def run(*command: str, folder: Path) -> str:
    """Run Python with these arguments among the settings of our server; gives what it printed."""
    log = folder / "task.log"
    async with _process([sys.executable, *command], _environment(folder), log) as process:
        if await process.wait():
            raise BenchError(f"{' '.join(command)} failed:\n{_tail(log)}")
    return log.read_text()


def missing(name: str) -> str | None:
    """Why this server cannot be measured here, or None."""
    if name == "ours" and not (ROOT / "apps_registry" / "management" / "commands" / "runbokeh.py").exists():
        return "there is no runbokeh command yet"
    return None


def _command(name: str, port: int, lifetime: Lifetime, apps: Sequence[Path]) -> list[str]:
    options = [
        *(str(path) for path in apps),
        f"--port={port}",
        f"--unused-session-lifetime={lifetime.unused}",
        f"--check-unused-sessions={lifetime.check}",
    ]
    if name == "asgi":
        return [sys.executable, "-m", "bench.asgi", *options]
    options += [f"--address={_ADDRESS}", "--log-level=warning"]
    if name == "bokeh":
        origin = f"--allow-websocket-origin={_ADDRESS}:{port}"
        return [sys.executable, "-m", "bokeh", "serve", *options, origin]
    return [sys.executable, "manage.py", "runbokeh", *options]


def _environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SECRET_KEY": "for-the-benchmark-only-" + "x" * 40,
        "DEBUG": "false",
        "ALLOWED_HOSTS": _ADDRESS,
        "DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "vizserver.settings",
        # Copies of published data are in it
        "TMPDIR": str(folder),
        "BENCH_TABLE": str(folder / TABLE),
    }


@asynccontextmanager
async def _process(
    command: Sequence[str], environment: Mapping[str, str], log: Path, *, piped: bool = False
) -> AsyncIterator[Process]:
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=ROOT,
            env=environment,
            stdin=PIPE if piped else asyncio.subprocess.DEVNULL,
            stdout=PIPE if piped else output,
            stderr=output,
        )
    try:
        yield process
    finally:
        await _ended(process)


async def _ended(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_LIMIT)
    except TimeoutError:
        # A server that is letting hundreds of sessions go may not hear the signal for half a minute.
        process.kill()
        await process.wait()


async def _wait_for(name: str, process: Process, port: int, log: Path) -> None:
    try:
        await asyncio.wait_for(_listening(process, port), _START_LIMIT)
    except (TimeoutError, ChildProcessError) as error:
        raise BenchError(f"{name} does not listen on port {port}:\n{_tail(log)}") from error


async def _listening(process: Process, port: int) -> None:
    while True:
        if process.returncode is not None:
            raise ChildProcessError(f"ended with status {process.returncode}")
        try:
            _, writer = await asyncio.open_connection(_ADDRESS, port)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        writer.close()
        return


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_ADDRESS, 0))
        port: int = probe.getsockname()[1]
        return port
