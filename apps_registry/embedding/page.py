"""What shows an app: its token, its scripts, the places of its roots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import bokeh
from bokeh.core.templates import FILE
from bokeh.document import DEFAULT_TITLE
from bokeh.resources import Resources
from bokeh.util.serialization import make_globally_unique_css_safe_id
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

from .. import permissions, requests, tokens
from ..conf import settings
from ..exceptions import AppError
from ..live.context import Request
from ..live.extensions import page_scripts
from ..live.failures import again
from ..live.loading import App, Code
from ..live.session import Session
from ..runtime import Runtime
from .policy import nonce


@dataclass
class Page:
    """An app on its way into a page."""

    app: App
    token: str
    code: Code
    session: Session | None = None
    element: str = field(default_factory=make_globally_unique_css_safe_id)
    nonce: str = ""
    sees_tracebacks: bool = False
    script_urls: list[str] = field(default_factory=list)
    style_urls: list[str] = field(default_factory=list)
    raw_scripts: list[str] = field(default_factory=list)
    roots: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What the window is called until the app says otherwise."""
        if self.session is not None and self.session.document.title != DEFAULT_TITLE:
            return self.session.document.title
        return self.code.title or self.app.name

    @property
    def has_own_template(self) -> bool:
        """Whether the app lays out its page itself."""
        return self.session is not None and self.session.document.template is not FILE

    def config(self) -> dict[str, Any]:
        """What ``page.js`` has to know."""
        return {**self._addresses(), "roots": self.roots, "element": self.element, "use_for_title": True}

    def description(self) -> dict[str, Any]:
        """What ``bokeh-app.js`` has to know, in a page that is not the app's own."""
        return {
            **self._addresses(),
            "title": self.title,
            "bokeh_version": bokeh.__version__,
            "script_urls": self.script_urls,
            "style_urls": self.style_urls,
            "raw_scripts": self.raw_scripts,
            "use_for_title": False,
        }

    def _addresses(self) -> dict[str, Any]:
        name = self.app.name
        addresses = {
            "token": self.token,
            "name": name,
            "ws_path": reverse("apps_registry:ws", args=[name]),
            "page_url": reverse("apps_registry:app", args=[name]),
            "catalogue_url": reverse("apps_registry:catalogue"),
        }
        if self.sees_tracebacks:
            addresses["errors_url"] = reverse("apps_registry:failure", args=[name, "-"]).removesuffix("-")
        return addresses


async def prepare(
    host: Runtime,
    app: App,
    request: HttpRequest,
    *,
    user: Any,
    session_id: str | None = None,
    context: Any = None,
) -> Page:
    """Make the token for one page, and, for an app that must be built for its page, the session.

    ``context`` is a value that was signed (see ``sign``), for app code to find in its token's payload; None: there
    is none. Raises ``AppError`` when the app's code fails, ``InvalidToken`` when the arguments are too long.
    """
    try:
        code = await _code(host, app)
        app_request = _app_request(request, user)
        token = tokens.page_token(
            app.name,
            permissions.user_id(user),
            session_id=session_id,
            arguments=app_request.arguments,
            extra=await _extra(host, code, app_request),
            context=context,
        )
        page = Page(app, token, code, script_urls=bokeh_urls(), nonce=nonce(request))
        page.sees_tracebacks = permissions.sees_tracebacks(user)
        if code.builds_for_page:
            await _build(host, page, app_request)
        return page
    except AppError as error:
        host.report(app.name, error.reference, error)
        raise


async def _code(host: Runtime, app: App) -> Code:
    code = await host.code(app)
    if settings.WATCH is not None and app.error is not None:
        # Who edits the app wants to see the error, and not the code from before
        raise again(app.error)
    return code


def _app_request(request: HttpRequest, user: Any) -> Request:
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()
    ]
    arguments = requests.arguments(request.META.get("QUERY_STRING", ""))
    return requests.app_request({"headers": headers}, user, arguments, request.path)


async def _build(host: Runtime, page: Page, app_request: Request) -> None:
    claims = tokens.read(page.token, page.app.name)
    session = page.session = await host.open_session(
        page.app, claims.session_id, owner=claims.owner, request=app_request, token_payload=claims.payload
    )
    scripts = await host.workers.run(lambda: page_scripts(page.code, session.document))
    page.script_urls += [static(f"bokeh/extensions/{ext.name}/{ext.script}") for ext in scripts.extensions]
    page.script_urls += scripts.script_urls
    page.style_urls += scripts.style_urls
    if scripts.compiled:
        page.raw_scripts.append(scripts.compiled.replace("</script", r"<\/script"))


async def _extra(host: Runtime, code: Code, app_request: Any) -> Mapping[str, Any]:
    hook = code.hooks.process_request
    if hook is None:
        return {}
    try:
        extra = await host.workers.call(lambda: hook(app_request))
    except Exception as error:
        raise AppError(detail=f"process_request: {error!r}") from error
    if not isinstance(extra, Mapping):
        raise AppError(detail="process_request must give a dict.")
    if "context" in extra:
        # What app code finds there was signed by a template of the site, and it may rely on that
        raise AppError(
            detail='process_request must not give "context", which is for {% bokeh_app context=... %}.'
        )
    return extra


def bokeh_urls() -> list[str]:
    """The addresses of BokehJS, all its parts: what a document needs is not known before it is built."""
    return [static(f"bokeh/js/{name}.min.js") for name in Resources().components]
