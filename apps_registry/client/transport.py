"""Asks the server, and asks again when something on the way fails."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from .errors import ClientError, Unreachable, refusal

#: Something before the server, or the server itself, cannot answer right now.
PASSING = frozenset({429, 502, 503, 504})
_LONGEST_PAUSE = 30.0


class Transport:
    """Requests to one server, with one token. Each request may safely come twice."""

    def __init__(self, url: str, token: str | None, *, tries: int, timeout: float) -> None:
        try:
            base = httpx.URL(url)
        except (UnicodeError, httpx.InvalidURL):
            base = httpx.URL("")
        if base.scheme not in ("http", "https") or not base.host:
            raise ClientError(f"{url!r} is no address of a server: write it like https://viz.example.org.")
        # To send a gigabyte takes the server a while to read, and it answers when it has
        limits = httpx.Timeout(timeout, connect=min(timeout, 10.0))
        headers = {"Accept": "application/json", "User-Agent": "vizserver-client"}
        if token:
            headers["Authorization"] = f"Bearer {_checked_token(token.strip())}"
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/').removesuffix('/api')}/api/", headers=headers, timeout=limits
        )
        self._tries = max(1, tries)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: Callable[[], Iterator[bytes]] | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        """The whole answer; ``body`` is called anew for each try. Raises ``Refused`` or ``Unreachable``."""

        def attempt() -> httpx.Response:
            content = body() if body is not None else None
            answer = self._http.request(method, path, content=content, headers=headers, params=params)
            return _checked(answer)

        return self._until_answered(attempt)

    def load(
        self, path: str, take: Callable[[httpx.Response], None], *, params: Mapping[str, Any]
    ) -> httpx.Response:
        """Give an answer to ``take`` as it comes; once more from the start if the connection is lost meanwhile."""

        def attempt() -> httpx.Response:
            with self._streamed(path, params) as answer:
                take(answer)
            return answer

        return self._until_answered(attempt)

    @contextmanager
    def _streamed(self, path: str, params: Mapping[str, Any]) -> Iterator[httpx.Response]:
        with self._http.stream("GET", path, params=params) as answer:
            if not answer.is_success:
                answer.read()
            yield _checked(answer)

    def _until_answered(self, attempt: Callable[[], httpx.Response]) -> httpx.Response:
        for number in range(1, self._tries + 1):
            try:
                return attempt()
            except _Passing as passing:
                error: ClientError = refusal(passing.answer)
                pause = _pause(number, passing.answer.headers.get("Retry-After", ""))
            except (
                UnicodeError,
                httpx.InvalidURL,
                httpx.LocalProtocolError,
                httpx.UnsupportedProtocol,
            ) as failure:
                # It would be the same the next time
                raise ClientError(f"This cannot be sent: {failure}.") from failure
            except httpx.TransportError as failure:
                what = str(failure) or type(failure).__name__
                error = Unreachable(f"The server at {self._http.base_url.host} does not answer: {what}.")
                pause = _pause(number)
            if number == self._tries:
                raise error
            time.sleep(pause)
        raise AssertionError("There is at least one try.")


def _checked_token(token: str) -> str:
    # The libraries below would show in their errors what they cannot send
    if not all("!" <= letter <= "~" for letter in token):
        raise ClientError("The API token is mistyped: there are spaces or foreign letters in it.")
    return token


class _Passing(Exception):
    """An answer that may be another one in a moment."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(answer.status_code)
        self.answer = answer


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.status_code in PASSING:
        raise _Passing(answer)
    if not answer.is_success:
        raise refusal(answer)
    return answer


def _pause(number: int, retry_after: str = "") -> float:
    """Seconds before the next try; not the same for all who were cut off together."""
    if retry_after.isdecimal():
        return min(float(retry_after), _LONGEST_PAUSE)
    return min(2.0**number / 4, _LONGEST_PAUSE) * random.uniform(0.5, 1)  # noqa: S311
