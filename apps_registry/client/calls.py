"""What programs do with data sets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Self
from urllib.parse import quote
from uuid import uuid4

import httpx

from .answers import Dataset, Version
from .errors import ClientError
from .progress import Progress
from .sending import CHUNK, payload_of
from .transport import Transport

URL_VARIABLE = "VIZSERVER_URL"
TOKEN_VARIABLE = "VIZSERVER_TOKEN"  # noqa: S105
_PAGE = 500
_IN_MEMORY = 2**24


class Client:
    """A server, as the user of an API token: ``with Client("https://viz.example.org", "viz_...") as client:``."""

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        tries: int = 6,
        timeout: float = 600,
        progress: bool | None = None,
    ) -> None:
        """Without ``url`` and ``token``, those of ``VIZSERVER_URL`` and ``VIZSERVER_TOKEN``.

        ``url`` is the address of the site, with its prefix. A request is tried so often when the connection fails or
        the server is busy; ``timeout`` is in seconds, of silence. ``progress``: None for when stderr is a terminal.
        """
        url = url or os.environ.get(URL_VARIABLE)
        if not url:
            raise ClientError(f"Give the address of the server, or set {URL_VARIABLE}.")
        token = token or os.environ.get(TOKEN_VARIABLE)
        self._transport = Transport(url, token, tries=tries, timeout=timeout)
        self._progress = progress

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the server."""
        self._transport.close()

    def publish(
        self,
        name: str,
        data: Any,
        *,
        note: str = "",
        append: bool = False,
        expected: int | None = None,
        create: bool = True,
        format: str | None = None,
        filename: str = "",
        key: str | None = None,
    ) -> Version:
        """Publish a frame (pandas, polars, pyarrow), a path, bytes or an open binary file under ``name``.

        With ``append``, its rows come after those of the newest version. ``expected`` is the number of the version
        that this one follows, 0 for none. Without ``create``, a data set that is not there is an error. ``format`` is
        "csv", "parquet", "arrow", "json", "xlsx", or "file" for what is no table; by default, the name of the file
        tells. The same ``key`` publishes the same data once; each call has one of its own.

        Raises ``Refused`` with the sentence of the server, or ``Unreachable``.
        """
        with (
            payload_of(data, filename) as payload,
            Progress(name, payload.size, shown=self._progress) as progress,
        ):

            def body() -> Iterator[bytes]:
                progress.start()
                return payload.chunks(progress.advance)

            headers = {
                "Content-Length": str(payload.size),
                "Content-Type": payload.media_type or "application/octet-stream",
                "Idempotency-Key": _checked_key(key or uuid4().hex),
            }
            if expected is not None:
                headers["If-Match"] = f'"{expected}"'
            params = {"format": format, "filename": payload.filename, "note": note}
            answer = self._transport.ask(
                *(("POST", f"{_path(name)}/rows") if append else ("PUT", _path(name))),
                body=body,
                headers=headers,
                params={key: value for key, value in params.items() if value}
                | ({} if create else {"create": "false"}),
            )
        return Version.from_answer(answer.json())

    def read(self, name: str, *, columns: Iterable[str] | None = None, version: int | None = None) -> Any:
        """The rows that the user may see, as a frame of pandas: of the newest version, or of another one."""
        try:
            import pandas  # noqa: F401
            import pyarrow.parquet as pq
        except ImportError:
            raise ClientError(
                "To read into a frame, install pandas and pyarrow; or use download()."
            ) from None
        with SpooledTemporaryFile(_IN_MEMORY) as file:
            self._load(name, "data", file, {"format": "parquet"} | _choice(columns, version))
            return pq.read_table(file).to_pandas()

    def download(
        self,
        name: str,
        path: str | os.PathLike[str],
        *,
        format: str = "csv",
        columns: Iterable[str] | None = None,
        version: int | None = None,
    ) -> Path:
        """Write the rows that the user may see to a file, in one of the formats; with "file", a plain file."""
        target = Path(path)
        unfinished = target.with_name(f"{target.name}.part")
        try:
            with unfinished.open("wb") as file:
                if format == "file":
                    self._load(name, "file", file, _choice(None, version))
                else:
                    self._load(name, "data", file, {"format": format} | _choice(columns, version))
            return unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)

    def datasets(self) -> list[Dataset]:
        """The data sets that the user may see."""
        return [Dataset.from_answer(item) for item in self._items("datasets")]

    def versions(self, name: str) -> list[Version]:
        """The versions of a data set that are kept, the newest first."""
        return [Version.from_answer(item) for item in self._items(f"{_path(name)}/versions")]

    def _items(self, path: str) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            page = self._transport.ask("GET", path, params={"limit": _PAGE, "offset": offset}).json()
            yield from page["items"]
            offset += len(page["items"])
            if not page["items"] or offset >= page["count"]:
                return

    def _load(self, name: str, part: str, file: IO[bytes], params: dict[str, Any]) -> None:
        with Progress(name, None, shown=self._progress) as progress:
            self._transport.load(f"{_path(name)}/{part}", _into(file, progress), params=params)
        file.seek(0)


def _into(file: IO[bytes], progress: Progress) -> Callable[[httpx.Response], None]:
    def take(answer: httpx.Response) -> None:
        file.seek(0)
        file.truncate()
        progress.start()
        for chunk in answer.iter_bytes(CHUNK):
            file.write(chunk)
            progress.advance(len(chunk))

    return take


def _path(name: str) -> str:
    try:
        return f"datasets/{quote(name, safe='')}"
    except UnicodeEncodeError as error:
        raise ClientError(f"{name!r} is no name of a data set.") from error


def _checked_key(key: str) -> str:
    if not (key.isascii() and key.isprintable()):
        raise ClientError("A key has letters, digits and signs of ASCII only.")
    return key


def _choice(columns: Iterable[str] | None, version: int | None) -> dict[str, Any]:
    chosen: dict[str, Any] = {} if version is None else {"version": version}
    if columns is not None:
        chosen["columns"] = [] if isinstance(columns, str) else list(columns)
        if not chosen["columns"]:
            raise ClientError("Give the columns as a list of names.")
    return chosen
