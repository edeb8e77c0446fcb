"""The page of an app that lays it out itself, by a template of its own."""

from __future__ import annotations

from bokeh.core.templates import FILE, MACROS, get_env
from bokeh.embed.elements import div_for_render_item
from bokeh.embed.util import RenderItem
from django.templatetags.static import static
from django.utils.html import format_html, json_script
from django.utils.safestring import SafeString, mark_safe

from .elements import element, lines, script, stylesheet
from .page import Page

#: The element in which a page leaves what ``page.js`` has to know.
CONFIG_ID = "apps-registry-session"


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
        "plot_script": config + _page_script(page),
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


def _page_script(page: Page) -> SafeString:
    return script(static("apps_registry/page.js"), page.nonce, type="module")


def _style_tags(page: Page) -> SafeString:
    # Without an icon of its own a page makes browsers ask for /favicon.ico
    icon = format_html('<link rel="icon" href="{}" type="image/svg+xml">', static("apps_registry/icon.svg"))
    return lines([*(stylesheet(url, page.nonce) for url in page.style_urls), icon])


def _script_tags(page: Page) -> SafeString:
    # Compiled by the server from the app's own files: script, not text
    compiled = [mark_safe(text) for text in page.raw_scripts]  # noqa: S308
    return lines(
        [
            *(script(url, page.nonce) for url in page.script_urls),
            *(element("script", text, nonce=page.nonce) for text in compiled),
        ]
    )
