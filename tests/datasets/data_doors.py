"""The ways to the rows of a data set, each as a function that gives the numbers of the rows that come out."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from django.contrib.auth.models import AnonymousUser, User
from django.test import Client
from django.urls import reverse

from apps_registry.data import MayNotSee, OpenDataset, open_dataset
from apps_registry.models import ApiToken, Dataset

from .plain_world import MAKER, word

#: The numbers of rows; None: what a door says to who may not see the data set at all.
type Seen = list[int] | None
type Door = Callable[["Visitor", str], Seen]

_WORD = re.compile(word(0).replace("000", r"(\d{3})"))


@dataclass
class Visitor:
    """Somebody at the doors."""

    #: Empty: nobody who could log in
    name: str
    user: Any

    @property
    def is_off(self) -> bool:
        """Whether he is switched off, so that no login of his is one."""
        return bool(self.name) and not self.user.is_active

    @property
    def is_login(self) -> bool:
        """Whether he is somebody who is logged in."""
        return bool(self.name) and not self.is_off

    @cached_property
    def browser(self) -> Client:
        """His browser, in which he has logged in."""
        browser = Client()
        if self.name:
            browser.force_login(self.user)
        if (link := getattr(self.user, "guest_link", None)) is not None:
            browser.cookies["apps_registry_guest"] = link.key
        return browser

    @cached_property
    def program(self) -> Client:
        """His program, which comes with a token."""
        if not self.name:
            return Client()
        return Client(headers={"Authorization": f"Bearer {ApiToken.objects.issue(self.user, ['read'])[1]}"})


def nobody() -> Visitor:
    """Who is not logged in."""
    return Visitor("", AnonymousUser())


# In code


def _in_code(take: Callable[[OpenDataset], Any]) -> Door:
    def door(visitor: Visitor, name: str) -> Seen:
        try:
            return [int(number) for number in take(open_dataset(name, user=visitor.user))]
        except MayNotSee:
            return None

    return door


def _as_seen_by(visitor: Visitor, name: str) -> Seen:
    """By who sees all, through the eyes of another one."""
    try:
        opened = open_dataset(name, user=User.objects.get(username=MAKER))
        return numbers_in(opened.rows_for(visitor.user))
    except MayNotSee:
        return None


def numbers_in(table: Any) -> list[int]:
    """The rows of a ``pyarrow.Table``, whose words say the same."""
    found: list[int] = table["row"].to_pylist()
    assert "word" not in table.column_names or [word(n) for n in found] == table["word"].to_pylist()
    return found


IN_CODE: dict[str, Door] = {
    "to_arrow": _in_code(lambda opened: numbers_in(opened.to_arrow())),
    "to_arrow, without the column of the rule": _in_code(
        lambda opened: opened.to_arrow(["row"])["row"].to_pylist()
    ),
    "to_arrow, with a condition": _in_code(
        lambda opened: numbers_in(
            opened.to_arrow(where=(pc.field("row") > 0) | pc.field("who").is_valid() | pc.scalar(True))
        )
    ),
    "to_pandas": _in_code(lambda opened: opened.to_pandas()["row"]),
    "source": _in_code(lambda opened: opened.source().data["row"]),
    "source, of one column": _in_code(lambda opened: opened.source(["row"]).data["row"]),
    "rows_for himself": _in_code(lambda opened: numbers_in(opened.rows_for(opened._shown._user))),
    "rows_for, by who sees all": _as_seen_by,
}


# Downloads


def _records(content: bytes, form: str) -> list[dict[str, Any]]:
    match form:
        case "csv":
            return list(csv.DictReader(io.StringIO(content.decode())))
        case "json":
            return list(json.loads(content))
        case "parquet":
            return list(pq.read_table(io.BytesIO(content)).to_pylist())
        case _:
            return list(pa.ipc.open_file(content).read_all().to_pylist())


def _download(form: str, by: str, **query: Any) -> Door:
    def door(visitor: Visitor, name: str) -> Seen:
        client: Client = getattr(visitor, by)
        answer = client.get(
            reverse("apps_registry:api:data", args=[name]), {"format": form, **query}, follow=False
        )
        if answer.status_code in (401, 404):
            return None
        assert answer.status_code == 200, answer.content
        content = b"".join(answer.streaming_content)
        records = _records(content, form)
        found = [int(record["row"]) for record in records]
        # Nor are others in it anywhere
        assert form == "parquet" or {*words_in(content.decode(errors="replace"))} <= {*found}
        return found

    return door


def words_in(text: str) -> list[int]:
    """The numbers of the rows whose words stand in a text, in their order, once each."""
    return list(dict.fromkeys(map(int, _WORD.findall(text))))


DOWNLOADS: dict[str, Door] = {
    f"download of {form}": _download(form, "browser") for form in ("csv", "json", "parquet", "arrow")
} | {
    "download by a program": _download("csv", "program"),
    "download of an old version": _download("csv", "browser", version=1),
    "download of one column": _download("parquet", "browser", columns="row"),
}


# Pages


def page(visitor: Visitor, name: str) -> Seen:
    """The page of a data set: its first rows, which are those that are drawn."""
    answer = visitor.browser.get(reverse("apps_registry:dataset", args=[name]), {"x": "", "y": "row"})
    text = answer.content.decode()
    if answer.status_code in (302, 403) or "This data set is deleted" in text:
        assert not words_in(text)
        return None
    assert answer.status_code == 200, answer.status_code
    found = words_in(text)
    assert drawn(text) == found
    return found


def drawn(text: str) -> list[int]:
    """The numbers in the plot of a page."""
    item = re.search(r'id="ar-plot-item"[^>]*>(.*?)</script>', text)
    if item is None:
        return []
    drawings = re.findall(r'\["y",(\[[^\]]*\])\]', item[1].replace(" ", ""))
    assert drawings
    [values] = {tuple(json.loads(values)) for values in drawings}
    return [int(value) for value in values]


def look(manager: Client, viewer: str, name: str) -> Seen:
    """What the sharing page shows of somebody else."""
    answer = manager.get(reverse("apps_registry:dataset_sharing", args=[name]), {"as": viewer})
    text = answer.content.decode()
    if answer.status_code != 200 or "may not see it." in text or "Only who sees all rows" in text:
        assert not words_in(text)
        return None
    return words_in(text)


# Lists


def listed(visitor: Visitor) -> dict[str, set[str]]:
    """The names of data sets in each list."""
    text = visitor.browser.get(reverse("apps_registry:datasets")).content.decode()
    shown, _, deleted = text.partition('id="ar-deleted"')
    answer = visitor.browser.get(reverse("apps_registry:api:datasets"))
    assert answer.status_code == 200, answer.content
    return {
        "page": {*re.findall(r'href="/data/([\w.]+)"', shown)},
        "deleted on the page": {*re.findall(r"<code>([\w.]+)</code>", deleted)},
        "API": {one["name"] for one in answer.json()["items"]},
        "visible_to": {one.name for one in Dataset.objects.visible_to(visitor.user)},
    }
