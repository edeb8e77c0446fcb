"""An app in a page of the site: what template tags, views and Jinja put there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bokeh.util.serialization import make_globally_unique_css_safe_id
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from .. import access, permissions, registry, requests, tokens
from ..exceptions import InvalidToken, VizserverError
from ..models import VizApp
from .context import sign
from .elements import element, lines, script, stylesheet
from .page import bokeh_urls
from .policy import nonce
from .refusal import placeholder

type Part = Callable[[str], Iterator[SafeString]]

_NO_SCRIPT = format_html(
    "<noscript><p>{}</p></noscript>",
    "This app needs JavaScript. Please switch it on and load the page again.",
)
#: The attribute of a request that says which parts its page has got.
_PLACED = "_apps_registry_placed"


class EmbeddedApp:
    """An app for a page, or the note that stands in its place; as HTML, the element that shows it.

    Each time that it is written it is a session of its own, save that all its ``root`` places share one.
    """

    def __init__(
        self, request: HttpRequest, *, src: str = "", context: str = "", refused: SafeString | None = None
    ) -> None:
        self._request = request
        self._attributes = {"src": src, "context": context}
        self._refused = refused
        self._apart_id = ""

    @property
    def is_refused(self) -> bool:
        """Whether the visitor gets a note in place of the app."""
        return self._refused is not None

    def __html__(self) -> SafeString:
        return self._written(make_globally_unique_css_safe_id())

    # Django's templates write what `str` gives
    __str__ = __html__

    def root(self, name: str) -> SafeString:
        """The place of the root model with this name."""
        before = SafeString("")
        if not self._apart_id:
            self._apart_id = make_globally_unique_css_safe_id()
            before = self._written(self._apart_id, apart=True)
        if self.is_refused:
            return before
        return before + element("bokeh-root", for_=self._apart_id, name=name)

    def _written(self, element_id: str, *, apart: bool = False) -> SafeString:
        if self._refused is not None:
            return _once(self._request, _styles) + self._refused
        shown = element(
            "bokeh-app", _NO_SCRIPT, id=element_id, **self._attributes, class_="bokeh-app", apart=apart
        )
        return resources(self._request) + shown


def app(
    request: HttpRequest,
    name: str | VizApp,
    *,
    arguments: Mapping[str, Any] | None = None,
    context: Any = None,
) -> EmbeddedApp:
    """An app for the page that answers ``request``, if the visitor may open it; this asks the database.

    ``arguments`` are the app's request arguments: a list stands for an argument that is there several times, None for
    one that is not there. ``context`` is any JSON value; it is signed, so that app code may trust what it finds as
    ``session_context.token_payload["context"]``. Raises ``TypeError`` for a context that JSON cannot hold, and
    ``ValueError`` for one that is too big.
    """
    row = name if isinstance(name, VizApp) else registry.find_row(str(name))
    user = getattr(request, "user", None) or AnonymousUser()
    given = _texts(arguments or {})
    try:
        entrant = access.let_in(user, row, given.get(access.GUEST, [""])[0] or access.guest_key(request))
    except VizserverError as error:
        return EmbeddedApp(request, refused=_refused(request, error, user, str(name), row))
    assert row is not None
    if isinstance(entrant, permissions.GuestUser) and access.GUEST in request.GET:
        # He may have no cookie for the app, only the key in the address of this page
        given.setdefault(access.GUEST, [entrant.guest_link.key])
    query = urlencode(given, doseq=True)
    src = reverse("apps_registry:app", args=[row.name]) + (f"?{query}" if query else "")
    signed = "" if context is None else _signed(context, row.name, entrant, query)
    return EmbeddedApp(request, src=src, context=signed)


def root(embedded: EmbeddedApp, name: str) -> SafeString:
    """The place of one root model of an app, by the model's name; all places of ``embedded`` show one session."""
    return embedded.root(name)


def resources(request: HttpRequest, *, bokehjs: bool = True) -> SafeString:
    """The stylesheet and the scripts of embedded apps, once for a page; the first app brings them by itself.

    Without ``bokehjs``, BokehJS is loaded when the first app has been asked for, and not before.
    """
    if _element in _placed(request):
        return SafeString("")
    return _once(request, _styles, *([_bokehjs] if bokehjs else []), _element)


def _refused(
    request: HttpRequest, error: VizserverError, user: Any, name: str, row: VizApp | None
) -> SafeString:
    if row is not None:
        access.note_refusal_in_page(row, user, request, error)
        name = row.name
    return placeholder(request, error, user=user, name=name, row=row)


def _texts(arguments: Mapping[str, Any]) -> dict[str, list[str]]:
    many = {name: value if isinstance(value, list | tuple) else [value] for name, value in arguments.items()}
    texts = {name: [str(one) for one in values if one is not None] for name, values in many.items()}
    return {name: values for name, values in texts.items() if values}


def _signed(context: Any, app_name: str, user: Any, query: str) -> str:
    signed = sign(context, app_name, user)
    try:
        # As the door will make it: whoever writes the template shall hear of it, and not who looks at the page
        arguments = requests.arguments(query)
        tokens.page_token(app_name, permissions.user_id(user), arguments=arguments, context=context)
    except InvalidToken:
        raise ValueError(
            f"The context of {app_name} is too big: with the arguments, a token holds {tokens.MAX_LENGTH} characters."
        ) from None
    return signed


def _placed(request: HttpRequest) -> set[Part]:
    placed: set[Part] = vars(request).setdefault(_PLACED, set())
    return placed


def _once(request: HttpRequest, *parts: Part) -> SafeString:
    """Those of ``parts`` that the page has not got yet."""
    placed = _placed(request)
    new = [part for part in parts if part not in placed]
    placed.update(new)
    return lines(tag for part in new for tag in part(nonce(request)))


def _styles(nonce: str) -> Iterator[SafeString]:
    yield stylesheet(static("apps_registry/bokeh-app.css"), nonce)


def _bokehjs(nonce: str) -> Iterator[SafeString]:
    # The page is read on while they load, and they run in this order before modules do
    yield from (script(url, nonce, defer=True) for url in bokeh_urls())


def _element(nonce: str) -> Iterator[SafeString]:
    yield script(static("apps_registry/bokeh-app.js"), nonce, type="module")
