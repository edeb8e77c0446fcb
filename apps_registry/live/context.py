"""What app code learns of its session: ``session_context``, ``server_context`` and ``request``."""

from __future__ import annotations

import weakref
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from bokeh.application.application import (
    ServerContext as BokehServerContext,
    SessionContext as BokehSessionContext,
)

from ..exceptions import SessionEnded

if TYPE_CHECKING:
    from bokeh.document import Document

    from .session import Session

#: The session whose code runs here; copied with the context into tasks and threads that keep it.
current_session: ContextVar[Session | None] = ContextVar("current_session", default=None)


@dataclass(frozen=True)
class Request:
    """The request that opened a session, as ``curdoc().session_context.request``.

    ``arguments`` are lists of bytes, as in Bokeh; ``cookies`` are without those of the site's login.
    """

    arguments: Mapping[str, list[bytes]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    user: Any = None
    path: str = ""


class ServerContext(BokehServerContext):
    """What the hooks of one app learn of the server: the app's live sessions in this process."""

    def __init__(self, sessions: Callable[[], list[Session]]) -> None:
        self._sessions = sessions

    @property
    def sessions(self) -> list[Session]:  # type: ignore[override]
        """The live sessions of this app, in the order they were made."""
        return self._sessions()


class SessionContext(BokehSessionContext):
    """What app code learns of its session, as ``curdoc().session_context``."""

    def __init__(
        self,
        session: Session,
        server_context: ServerContext,
        *,
        request: Request,
        token_payload: Mapping[str, Any],
        logout_url: str | None,
    ) -> None:
        super().__init__(server_context, cast(Any, session.id))
        # Weakly, so that a session that has ended goes without a garbage collection
        self._session = weakref.ref(session)
        self._request = request
        self._token_payload = dict(token_payload)
        self._logout_url = logout_url

    @property
    def session(self) -> Session:
        """The session. Raises ``SessionEnded`` when it was let go."""
        session = self._session()
        if session is None:
            raise SessionEnded
        return session

    @property
    def document(self) -> Document:
        return self.session.document

    @property
    def destroyed(self) -> bool:
        session = self._session()
        return session is None or session.destroyed

    @property
    def request(self) -> Request:
        return self._request

    @property
    def token_payload(self) -> dict[str, Any]:
        """What the token of the page carries, and what the app's ``process_request`` added to it."""
        return self._token_payload

    @property
    def logout_url(self) -> str | None:
        return self._logout_url

    async def with_locked_document(self, func: Callable[[Document], Awaitable[None]]) -> None:
        """Run ``func`` with the document, under the session's lock."""
        if self.session.holds_lock:
            # As in a hook, or a locked callback: another turn would wait for this one, which waits for it
            await func(self.document)
        else:
            await self.session.run(lambda: func(self.document))
