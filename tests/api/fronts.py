"""A proxy before the server that fails on purpose, as proxies and networks do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

#: Headers that are for one connection alone.
_OWN = {"host", "connection", "transfer-encoding", "content-length", "date", "server"}


@dataclass
class Front:
    """Hands on requests to a server, unless a failure is up: these come one for each request."""

    url: str = ""
    failures: list[str] = field(default_factory=list)
    #: Of all requests: the method, and the idempotency key
    seen: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def front(server_url: str) -> Iterator[Front]:
    """A front until the end of the block."""
    with httpx.Client(base_url=server_url, timeout=30) as behind:
        state = Front()

        class Handler(_Handler):
            about, upstream = state, behind

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as proxy:
            thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            state.url = f"http://127.0.0.1:{proxy.server_port}"
            try:
                yield state
            finally:
                proxy.shutdown()
                thread.join()


class _Handler(BaseHTTPRequestHandler):
    about: Front
    upstream: httpx.Client

    def handle_any(self) -> None:
        self.close_connection = True
        self.about.seen.append((self.command, self.headers.get("Idempotency-Key", "")))
        failure = self.about.failures.pop(0) if self.about.failures else ""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if failure == "cut before":
            return
        if failure.isdecimal():
            self._answer(httpx.Response(int(failure), headers={"Retry-After": "0"}, text="<h1>Busy</h1>"))
            return
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _OWN}
        answer = self.upstream.request(self.command, self.path, content=body, headers=headers)
        if failure != "cut after":
            self._answer(answer, most=len(answer.content) // 2 if failure == "cut within" else None)

    do_GET = do_PUT = do_POST = handle_any  # noqa: N815

    def _answer(self, answer: httpx.Response, most: int | None = None) -> None:
        self.send_response(answer.status_code)
        for name, value in answer.headers.items():
            if name.lower() not in _OWN:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content[:most])

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests look at ``seen``."""
