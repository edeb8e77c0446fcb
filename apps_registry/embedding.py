"""What a page needs to show an app: its token, its scripts, the places of its roots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bokeh.core.templates import FILE, MACROS, get_env
from bokeh.document import DEFAULT_TITLE
from bokeh.embed.elements import div_for_render_item
from bokeh.embed.util import RenderItem
from bokeh.resources import Resources
from bokeh.util.serialization import make_globally_unique_css_safe_id
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html, format_html_join, json_script
from django.utils.safestring import SafeString, mark_safe

from . import permissions, requests, tokens
from .conf import settings
from .exceptions import AppError
from .live.extensions import page_scripts
from .live.failures import again
from .live.loading import App, Code
from .live.session import Session
from .runtime import Runtime

#: The element in which a page leaves what ``page.js`` has to know.
CONFIG_ID = "apps-registry-session"


@dataclass
class Page:
    """An app on its way into a page."""

    app: App
    token: str
    code: Code
    session: Session | None
    element: str
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
        config = {
            "token": self.token,
            "name": self.app.name,
            "ws_path": reverse("apps_registry:ws", args=[self.app.name]),
            "roots": self.roots,
            "element": self.element,
            "use_for_title": True,
            "page_url": reverse("apps_registry:app", args=[self.app.name]),
            "catalogue_url": reverse("apps_registry:catalogue"),
        }
        if self.sees_tracebacks:
            config["errors_url"] = reverse("apps_registry:failure", args=[self.app.name, "-"]).removesuffix(
                "-"
            )
        return config


async def prepare(
    host: Runtime, app: App, request: HttpRequest, *, user: Any, session_id: str | None = None
) -> Page:
    """Make the token for one page, and, for an app that must be built for its page, the session.

    Raises ``AppError`` when the app's code fails.
    """
    try:
        return await _prepare(host, app, request, user, session_id)
    except AppError as error:
        host.report(app.name, error.reference, error)
        raise


async def _prepare(host: Runtime, app: App, request: HttpRequest, user: Any, session_id: str | None) -> Page:
    code = await host.code(app)
    if settings.WATCH is not None and app.error is not None:
        # Who edits the app wants to see the error, and not the code from before
        raise again(app.error)
    arguments = requests.arguments(request.META.get("QUERY_STRING", ""))
    app_request = requests.app_request(_scope(request), user, arguments, request.path)
    extra = await _extra(host, code, app_request)
    user_id = permissions.user_id(user)
    token = tokens.page_token(app.name, user_id, session_id=session_id, arguments=arguments, extra=extra)
    session = None
    if code.builds_for_page:
        claims = tokens.read(token, app.name)
        session = await host.open_session(
            app, claims.session_id, owner=claims.owner, request=app_request, token_payload=claims.payload
        )
    page = Page(app, token, code, session, make_globally_unique_css_safe_id())
    page.sees_tracebacks = permissions.sees_tracebacks(user)
    page.script_urls = bokeh_urls()
    if session is not None:
        document = session.document
        scripts = await host.workers.run(lambda: page_scripts(code, document))
        page.script_urls += [
            static(f"bokeh/extensions/{ext.name}/{ext.script}") for ext in scripts.extensions
        ]
        page.script_urls += scripts.script_urls
        page.style_urls += scripts.style_urls
        if scripts.compiled:
            page.raw_scripts.append(scripts.compiled.replace("</script", r"<\/script"))
    return page


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
    return extra


def _scope(request: HttpRequest) -> Mapping[str, Any]:
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()
    ]
    return {"headers": headers}


def bokeh_urls() -> list[str]:
    """The addresses of BokehJS, all its parts: what a document needs is not known before it is built."""
    return [static(f"bokeh/js/{name}.min.js") for name in Resources().components]


def render_own_template(page: Page) -> str:
    """The page of an app that has a template of its own, as ``bokeh serve`` would render it."""
    assert page.session is not None
    document = page.session.document
    item = RenderItem(token=page.token, roots=document.roots, use_for_title=True)
    if item.roots is not None:
        page.roots = {str(root.id): str(root.elementid) for root in item.roots}
    config = json_script(page.config(), CONFIG_ID)
    context = {
        **document.template_variables,
        "title": document.title,
        "bokeh_js": _script_tags(page),
        "bokeh_css": _style_tags(page),
        "plot_script": config + _page_script(),
        "docs": [item],
        "doc": item,
        "roots": item.roots,
        "base": FILE,
        "macros": MACROS,
        "plot_div": div_for_render_item(item),
    }
    template = document.template
    if isinstance(template, str):
        template = get_env().from_string("{% extends base %}\n" + template)
    return template.render(context)


def _page_script() -> SafeString:
    return format_html('<script type="module" src="{}"></script>', static("apps_registry/page.js"))


def _style_tags(page: Page) -> SafeString:
    tags = format_html_join("\n", '<link rel="stylesheet" href="{}">', ((url,) for url in page.style_urls))
    # Without an icon of its own a page makes browsers ask for /favicon.ico
    icon = '<link rel="icon" href="{}" type="image/svg+xml">'
    return tags + format_html(icon, static("apps_registry/icon.svg"))


def _script_tags(page: Page) -> SafeString:
    tags = format_html_join("\n", '<script src="{}"></script>', ((url,) for url in page.script_urls))
    # Compiled by the server from the app's own files: script, not text
    return mark_safe(tags + "".join(f"<script>{script}</script>" for script in page.raw_scripts))  # noqa: S308
