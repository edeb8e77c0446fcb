"""What a browser sends of a form that nobody has filled in, hidden fields too."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []
        self._select = self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        if tag == "form":
            self.forms.append({})
        elif tag == "input" and name and self.forms:
            self._input(name, given)
        elif tag == "textarea":
            self._area = name
            self.forms[-1][name] = ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in given or self._select not in self.forms[-1]):
            self.forms[-1][self._select] = given.get("value", "")

    def _input(self, name: str, given: dict[str, str]) -> None:
        match given.get("type", "text"):
            case "checkbox" | "radio" if "checked" not in given:
                pass
            case "checkbox" | "radio":
                self.forms[-1][name] = given.get("value", "on")
            case "file" | "submit" | "button":
                pass
            case _:
                self.forms[-1][name] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""
        elif tag == "select":
            self._select = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            # As browsers do, without the line that Django begins with
            self.forms[-1][self._area] += data.removeprefix("\n")


def form_with(answer: Any, name: str) -> dict[str, str]:
    """What the form that has this field sends as it stands on a page."""
    parser = _Forms()
    parser.feed(answer.content.decode())
    (found,) = [form for form in parser.forms if name in form]
    return found
