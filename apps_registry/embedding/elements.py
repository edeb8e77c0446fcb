"""HTML elements, escaped; none has script or style in it."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

type Attributes = dict[str, str | bool | None]


def element(name: str, content: str = "", /, **attributes: str | bool | None) -> SafeString:
    """One element. An attribute that is true stands there without a value; false, None and ``""`` leave it out."""
    return format_html("<{}{}>{}</{}>", name, _written(attributes), content, name)


def stylesheet(url: str, nonce: str = "") -> SafeString:
    """A link to a stylesheet."""
    return format_html("<link{}>", _written({"rel": "stylesheet", "href": url, "nonce": nonce}))


def script(url: str, nonce: str = "", **attributes: str | bool) -> SafeString:
    """A script in a file of its own."""
    return element("script", src=url, nonce=nonce, **attributes)


def lines(elements: Iterable[SafeString]) -> SafeString:
    """Elements, each on a line."""
    return format_html_join("\n", "{}", ((element,) for element in elements))


def _written(attributes: Attributes) -> SafeString:
    given = [(name.strip("_"), value) for name, value in attributes.items() if value]
    words = format_html_join("", " {}", ((name,) for name, value in given if value is True))
    return format_html_join("", ' {}="{}"', ((n, v) for n, v in given if v is not True)) + words
