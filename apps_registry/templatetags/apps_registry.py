"""``{% load apps_registry %}``: apps in any Django template."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.template import Context, Library, TemplateSyntaxError
from django.utils.safestring import SafeString

from .. import embedding
from ..embedding import EmbeddedApp

register = Library()


@register.simple_tag(takes_context=True)
def bokeh_app(context: Context, name: Any, /, **arguments: Any) -> EmbeddedApp:
    """An app: ``{% bokeh_app "sales" region="EU" %}``.

    ``context=`` is a value that is signed; all other named ones are request arguments of the app. With ``as NAME``
    nothing is written, and NAME is for ``{% bokeh_root %}``.
    """
    signed = arguments.pop("context", None)
    return embedding.app(_request(context, "bokeh_app"), name, arguments=arguments, context=signed)


@register.simple_tag
def bokeh_root(app: Any, name: str, /) -> SafeString:
    """One root of an app: ``{% bokeh_app "sales" as sales %}{% bokeh_root sales "plot" %}``."""
    if not isinstance(app, EmbeddedApp):
        raise TemplateSyntaxError(
            '{% bokeh_root %} takes what {% bokeh_app "NAME" as NAME %} has made, and the name of a root.'
        )
    return embedding.root(app, name)


@register.simple_tag(takes_context=True)
def bokeh_resources(context: Context, *, bokehjs: bool = True) -> SafeString:
    """The stylesheet and scripts of embedded apps, where the template wants them."""
    return embedding.resources(_request(context, "bokeh_resources"), bokehjs=bokehjs)


def _request(context: Context, tag: str) -> HttpRequest:
    request = context.get("request")
    if request is None:
        raise ImproperlyConfigured(
            f"{{% {tag} %}} needs the request: render the template with it, and name the context processor "
            "'django.template.context_processors.request' in TEMPLATES."
        )
    found: HttpRequest = request
    return found
