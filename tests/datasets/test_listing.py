"""Lists of the data sets that a user may see, and what their sessions hear."""

from __future__ import annotations

from typing import Any

import pytest
from bokeh.io import curdoc
from bokeh.models import Div

from apps_registry.data import DatasetList, list_datasets
from apps_registry.datasets import listing as listing_module
from apps_registry.datasets.listing import Listed
from apps_registry.datasets.managing import create_dataset, delete, undelete
from apps_registry.exceptions import UserNeeded
from apps_registry.live.session import Session
from apps_registry.models import Dataset

from .published import change, grant, publisher, put, user
from .watching import Watching


def furnish() -> Any:
    """Data sets, and ann, who sees some of them."""
    put("sales_a", access="login", title="A", tags=["sales", "weekly"])
    put("sales_b", access="grant", tags=["sales"])
    put("sales_c", access="public")
    put("other", access="public", tags=["sales", "weekly"])
    create_dataset("sales_empty", user=publisher(), access="public")
    return user("ann")


@pytest.mark.usefixtures("transactional_db", "folders")
class TestAList:
    def test_it_has_what_the_user_may_see(self):
        ann = furnish()
        assert list_datasets(user=ann).names == ["other", "sales_a", "sales_c"]
        assert list_datasets(user=None).names == ["other", "sales_c"]
        assert list_datasets("sales_", user=ann).names == ["sales_a", "sales_c"]
        assert list_datasets("sales_", user=publisher()).names == ["sales_a", "sales_b", "sales_c"]
        assert list_datasets(tags=["weekly", "sales"], user=ann).names == ["other", "sales_a"]
        assert list_datasets("sales_", tags="weekly", user=ann).names == ["sales_a"]
        assert list_datasets(kind="file", user=ann).names == []

    def test_it_says_what_they_are(self):
        ann = furnish()
        listed = list_datasets("sales_", user=ann)
        assert [str(one) for one in listed] == ["A", "sales_c"]
        assert (listed[0].kind, listed[0].tags) == ("table", ("sales", "weekly"))
        assert len(listed) == len(listed[:5]) == 2
        assert repr(listed) == "<DatasetList sales_a, sales_c>"

    def test_it_needs_a_user_and_callbacks_a_session(self):
        with pytest.raises(UserNeeded, match="list_datasets"):
            list_datasets()
        with pytest.raises(UserNeeded, match="session"):
            list_datasets(user=None).on_update(print)


def listing(*args: Any, **options: Any):
    """Fills a document with the names of a list, and how often they were written."""

    def build(document: Any) -> None:
        shown = Div(name="0")
        document.add_root(shown)
        listed: DatasetList = list_datasets(*args, **options)

        def show() -> None:
            assert curdoc() is document
            shown.text = " ".join(listed.names)
            shown.name = str(int(shown.name) + 1)

        listed.on_update(show)
        show()

    return build


def shown(session: Session) -> tuple[str, int]:
    """The names, and how often the callback was called."""
    [div] = session.document.roots
    return div.text, int(div.name) - 1


async def test_what_comes_and_goes_is_heard_of(watched: Watching):
    ann = await watched.workers.run(furnish)
    anns = await watched.open(listing("sales_"), ann)
    visitors = await watched.open(listing("sales_"))
    assert shown(anns) == ("sales_a sales_c", 0)
    # Shared, and taken back
    await watched.do(grant, "sales_b", ann)
    assert shown(anns) == ("sales_a sales_b sales_c", 1)
    await watched.do(lambda: Dataset.objects.get(name="sales_b").grants.get().delete())
    assert shown(anns) == ("sales_a sales_c", 2)
    # By a group
    await watched.do(lambda: grant("sales_b", user("bob", "team").groups.get()))
    await watched.do(lambda: ann.groups.add(user("bob").groups.get()))
    assert shown(anns) == ("sales_a sales_b sales_c", 3)
    # New ones, first publications, other names, deleted ones
    await watched.do(put, "sales_d", access="login")
    assert shown(anns)[0] == "sales_a sales_b sales_c sales_d"
    await watched.do(put, "sales_empty")
    assert shown(anns)[0] == "sales_a sales_b sales_c sales_d sales_empty"
    await watched.do(lambda: delete(Dataset.objects.get(name="sales_d"), publisher()))
    assert shown(anns)[0] == "sales_a sales_b sales_c sales_empty"
    await watched.do(lambda: undelete(Dataset.objects.get(name="sales_d"), publisher()))
    assert shown(anns)[0] == "sales_a sales_b sales_c sales_d sales_empty"
    await watched.do(change, "sales_a", access="public")
    assert shown(visitors)[0] == "sales_a sales_c sales_empty"
    # Who is switched off is a visitor
    await watched.do(lambda: type(ann).objects.filter(pk=ann.pk).first().delete())
    assert shown(anns)[0] == "sales_a sales_c sales_empty"


@pytest.mark.parametrize("moment", ["asking", "asked"])
async def test_what_comes_before_its_callback_is_heard_of(
    watched: Watching, monkeypatch: pytest.MonkeyPatch, moment: str
):
    await watched.workers.run(furnish)
    ask = listing_module._Wanted.ask

    def publish() -> None:
        watched.do_meanwhile(put, "sales_d", access="public")

    def ask_and_publish(*args: Any) -> tuple[Listed, ...]:
        monkeypatch.setattr(listing_module._Wanted, "ask", ask)
        listed = ask(*args)
        publish()
        return listed

    def build(document: Any) -> None:
        if moment == "asking":
            monkeypatch.setattr(listing_module._Wanted, "ask", ask_and_publish)
        listed = list_datasets("sales_")
        if moment == "asked":
            publish()
        shown = Div()
        document.add_root(shown)

        def show() -> None:
            shown.text = " ".join(listed.names)

        listed.on_update(show)
        show()

    session = await watched.open(build)
    await watched.settled()
    [div] = session.document.roots
    assert div.text == "sales_c sales_d"


async def test_what_changes_nothing_in_it_is_not_told(watched: Watching):
    ann = await watched.workers.run(furnish)
    session = await watched.open(listing("sales_"), ann)
    await watched.do(put, "sales_a")
    await watched.do(put, "other")
    await watched.do(change, "other", access="grant")
    await watched.do(change, "sales_a", description="new")
    assert shown(session) == ("sales_a sales_c", 0)
    await watched.do(change, "sales_a", title="Another title")
    assert shown(session) == ("sales_a sales_c", 1)


async def test_a_list_that_cannot_be_asked_for_is_empty(watched: Watching, monkeypatch: pytest.MonkeyPatch):
    def fail(*args: Any) -> Any:
        raise OSError("Who may see what does not answer.")

    ann = await watched.workers.run(furnish)
    session = await watched.open(listing("sales_"), ann)
    monkeypatch.setattr(listing_module._Wanted, "ask", fail)
    await watched.do(change, "sales_a", access="grant")
    assert shown(session) == ("", 1)
