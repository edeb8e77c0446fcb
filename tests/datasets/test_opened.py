"""Data sets as app code has them: whose user it is, what it can ask, and how a refusal looks."""

from __future__ import annotations

import datetime as dt
import gc
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pyarrow.compute as pc
import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from apps_registry.data import MayNotSee, NothingPublished, open_dataset
from apps_registry.datasets import copies, retention
from apps_registry.datasets.managing import create_dataset, delete, to_publish
from apps_registry.datasets.publishing import publish
from apps_registry.exceptions import AppError, DataLost, NoSuchColumn, UserNeeded
from apps_registry.models import Dataset, DatasetVersion, GuestLink, VizApp
from apps_registry.permissions import GuestUser
from apps_registry.testing import CallbackFailed, OpenedApp, open_app

from . import making
from .published import SALES, change, grant, publisher, put, user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("folders")]


@pytest.fixture
def app(tmp_path: Path) -> Callable[..., OpenedApp]:
    """``app(main, user)`` opens an app of one file, or of several by their names."""

    def app(files: str | dict[str, str], person: Any = None) -> OpenedApp:
        if isinstance(files, str):
            files = {"main.py": files}
        for name, text in files.items():
            path = tmp_path / "app" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(dedent(text))
        return open_app(tmp_path / "app", user=person)

    return app


MAIN = """
    from bokeh.models import Div
    from bokeh.plotting import curdoc
    from apps_registry.data import open_dataset

    sales = open_dataset("sales")
    curdoc().add_root(sales.source(live=True))
    curdoc().add_root(Div(text=f"{len(sales.to_pandas())} rows of version {sales.version.number}", name="text"))
"""


# As whom


def test_the_main_file_sees_what_the_user_of_the_session_sees(app: Any):
    put(row_rule="groups", row_column="region")
    with app(MAIN, user("ann", "EU")) as opened:
        assert opened.find("text").text == "2 rows of version 1"
        assert list(opened.document.roots[0].data["region"]) == ["EU", "EU"]


def test_callbacks_threads_and_hooks_see_the_same(app: Any):
    put(row_rule="groups", row_column="region")
    files = {
        "app_hooks.py": """
            from apps_registry.data import open_dataset

            def on_session_created(context):
                context.rows = len(open_dataset("sales").to_arrow())
        """,
        "main.py": """
            import contextvars, threading
            from django.db import connections
            from bokeh.models import Button, Div
            from bokeh.layouts import column
            from bokeh.plotting import curdoc
            from apps_registry.data import open_dataset

            text, button = Div(text=str(curdoc().session_context.rows), name="text"), Button(name="press")
            document = curdoc()

            def count(by):
                rows = len(open_dataset("sales").to_arrow())
                document.add_next_tick_callback(lambda: setattr(text, "text", f"{text.text} {by}{rows}"))

            def press():
                count("callback")
                context = contextvars.copy_context()
                thread = threading.Thread(target=context.run, args=(count_apart,))
                thread.start()
                thread.join()

            def count_apart():
                count("thread")
                connections.close_all()

            button.on_click(press)
            document.add_root(column(text, button))
        """,
    }
    with app(files, user("ann", "EU")) as opened:
        opened.press("press")
        opened.wait()
        assert opened.find("text").text == "2 callback2 thread2"


def test_async_callbacks_ask_on_a_thread(app: Any):
    put(row_rule="groups", row_column="region")
    main = """
        from bokeh.models import Button
        from bokeh.plotting import curdoc
        from channels.db import database_sync_to_async
        from apps_registry.data import open_dataset

        button = Button(name="press")
        async def press():
            sales = await database_sync_to_async(open_dataset)("sales")
            button.label = str(len(await database_sync_to_async(sales.to_arrow)()))
        async def press_wrongly():
            open_dataset("sales")
        button.on_click(press)
        wrong = Button(name="wrong")
        wrong.on_click(press_wrongly)
        curdoc().add_root(button)
        curdoc().add_root(wrong)
    """
    with app(main, user("ann", "EU")) as opened:
        opened.press("press")
        opened.wait()
        assert opened.find("press").label == "2"
        opened.press("wrong")
        with pytest.raises(CallbackFailed, match="async context"):
            opened.wait()


def test_outside_of_a_session_the_user_is_needed():
    put()
    with pytest.raises(
        UserNeeded, match=r"There is no session here .* Say as whom: open_dataset\('sales', user="
    ):
        open_dataset("sales")
    sales = open_dataset("sales", user=user("ann"))
    assert len(sales.to_arrow()) == 5
    assert list(sales.source(["price"]).data["price"]) == SALES["price"].to_pylist()
    for what in (
        lambda: sales.source(live=True),
        lambda: sales.on_update(print),
        lambda: sales.on_lost(print),
    ):
        with pytest.raises(UserNeeded):
            what()


def test_visitors_and_guests():
    put(access="public")
    put("internal")
    row = VizApp.objects.create(name="app", source="app", enabled=True)
    link = GuestLink.objects.create(app=row, expires_at=timezone.now() + dt.timedelta(days=1))
    for visitor in (None, AnonymousUser(), GuestUser(link)):
        assert len(open_dataset("sales", user=visitor).to_arrow()) == 5
        with pytest.raises(MayNotSee, match="You may not see 'internal'"):
            open_dataset("internal", user=visitor)


def test_the_user_is_whom_the_database_has_now():
    put(access="grant")
    root = user("root", is_superuser=True)
    sales = open_dataset("sales", user=root)
    type(root).objects.filter(pk=root.pk).update(is_superuser=False)
    assert root.is_superuser
    for what in (sales.to_pandas, sales.to_arrow, sales.source, lambda: open_dataset("sales", user=root)):
        with pytest.raises(MayNotSee):
            what()


# Refusals


@pytest.mark.parametrize("name", ["secret", "nowhere", "no such/name", "NUL\0", "x" * 500])
def test_one_sentence_for_what_may_not_be_seen_and_what_is_not_there(name: str):
    put("secret", access="grant")
    with pytest.raises(MayNotSee) as caught:
        open_dataset(name, user=user("ann"))
    shown = name.replace("\0", "\ufffd") if len(name) < 40 else name[:39] + "…"
    assert str(caught.value) == f"You may not see '{shown}'."
    assert (caught.value.status, caught.value.close_code) == (403, 4456)


def test_a_refusal_in_the_main_file_reaches_the_viewer_in_its_own_words(app: Any):
    put(access="grant")
    with pytest.raises(MayNotSee, match=r"^You may not see 'sales'\.$") as caught, app(MAIN, user("ann")):
        pass
    assert not isinstance(caught.value, AppError)
    assert caught.value.__cause__ is caught.value.__context__ is None
    files = [str(entry.path) for entry in caught.traceback]
    assert not any("main.py" in file for file in files)


def test_a_refusal_in_a_callback_is_told_to_the_viewers(app: Any):
    put(access="grant")
    main = """
        from bokeh.models import Button
        from bokeh.plotting import curdoc
        from apps_registry.data import open_dataset

        button = Button(name="press")
        button.on_click(lambda: open_dataset("sales"))
        curdoc().add_root(button)
    """
    with app(main, user("ann")) as opened:
        opened.press("press")
        opened.wait()
        texts = [frame for frame in opened._tab._frames if isinstance(frame, str)]
        assert any('"apps-registry-message"' in text and "You may not see 'sales'." in text for text in texts)


def test_other_failures_of_the_main_file_are_the_apps(app: Any):
    put()
    with (
        pytest.raises(AppError, match=r"^This app could not be started\. Reference:") as caught,
        app("1 / 0"),
    ):
        pass
    assert "ZeroDivisionError" in caught.value.detail
    with (
        pytest.raises(AppError) as caught,
        app(MAIN.replace("sales.source(", "sales.source(['cost'], "), user("ann")),
    ):
        pass
    assert "There is no column 'cost'" in caught.value.detail


def test_what_has_no_version_yet():
    create_dataset("empty", user=publisher(), access="login")
    with pytest.raises(NothingPublished, match="Nothing has been published as 'empty' yet"):
        open_dataset("empty", user=user("ann"))
    with pytest.raises(MayNotSee):
        open_dataset("empty", user=None)


def test_a_deleted_data_set():
    put()
    delete(Dataset.objects.get(), publisher())
    for person in (user("ann"), publisher()):
        with pytest.raises(MayNotSee):
            open_dataset("sales", user=person)


# What can be asked


def test_what_it_says_of_itself():
    put()
    sales = open_dataset("sales", user=user("ann"))
    assert sales.name == "sales"
    assert sales.columns == {"region": "text", "price": "number", "count": "integer"}
    version = sales.version
    assert (version.number, version.rows, version.created_by) == (1, 5, "publisher")
    assert repr(sales) == "<OpenDataset sales version 1>"
    put(table=SALES.slice(0, 1))
    assert (sales.version.number, len(sales.to_pandas())) == (1, 5)
    assert open_dataset("sales", user=user("ann")).version.number == 2


CONDITIONS = {
    "a value": ({"region": "EU"}, [1.5, 3.25]),
    "values": ({"region": ["US", "Asia"]}, [2.0, 4.0]),
    "a set": ({"count": {1, 5}}, [1.5, 5.0]),
    "no value": ({"region": []}, []),
    "what is missing": ({"region": None}, [5.0]),
    "one or missing": ({"region": ["Asia", None]}, [4.0, 5.0]),
    "several columns": ({"region": "EU", "count": [3, 4]}, [3.25]),
    "an expression": ((pc.field("price") > 2) & (pc.field("count") < 5), [3.25, 4.0]),
    "nothing": (None, [1.5, 2.0, 3.25, 4.0, 5.0]),
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_conditions(condition: str):
    put()
    where, prices = CONDITIONS[condition]
    sales = open_dataset("sales", user=user("ann"))
    assert sales.to_arrow(["price"], where).to_pydict() == {"price": prices}
    assert sales.to_pandas(["price"], where)["price"].tolist() == prices
    assert list(sales.source(["price"], where).data["price"]) == prices
    assert sales.source("price", where).data.keys() == {"price"}


def test_conditions_on_dates():
    put(table=making.TABLE, schema=making.SCHEMA)
    things = open_dataset("sales", user=user("ann"))
    for name, value in (
        ("day", dt.date(2026, 1, 31)),
        ("at", dt.datetime(1999, 12, 31)),
        ("new", [False, True]),
    ):
        assert 1 <= len(things.to_arrow(where={name: value})) <= 2
    assert str(things.to_pandas()["day"].dtype).startswith("datetime64")


def test_conditions_that_make_no_sense():
    put()
    sales = open_dataset("sales", user=user("ann"))
    with pytest.raises(NoSuchColumn, match="no column 'cost'"):
        sales.to_arrow(where={"cost": 1})
    for where in ({"count": "one"}, {"count": True}, {"region": 1}):
        with pytest.raises(ValueError, match="has no such values"):
            sales.to_arrow(where=where)


def test_what_a_frame_holds_is_shared_until_it_is_copied():
    put()
    sales = open_dataset("sales", user=user("ann"))
    first, second = sales.to_pandas(), sales.to_pandas()
    prices = first["price"].to_numpy()
    assert prices.base is not None
    assert prices.__array_interface__["data"][0] == second["price"].to_numpy().__array_interface__["data"][0]
    own = first.copy()
    own.loc[0, "price"] = 9
    first["double"] = first["price"] * 2
    assert second["price"][0] == 1.5


# Files


def put_file(content: bytes = b"%PDF-1.7 a report", **values: Any) -> None:
    dataset = to_publish("report", user=publisher(), **{"access": "login", "kind": "file", **values})
    publish(
        dataset, io.BytesIO(content), user=publisher(), filename="report.pdf", media_type="application/pdf"
    )


def test_files():
    put_file()
    report = open_dataset("report", user=user("ann"))
    with report.open() as file:
        assert file.read() == b"%PDF-1.7 a report"
    assert report.path.read_bytes() == b"%PDF-1.7 a report"
    assert (report.version.filename, report.version.media_type) == ("report.pdf", "application/pdf")
    with pytest.raises(TypeError, match=r"'report' is a file: use open\(\)"):
        report.to_pandas()
    put()
    with pytest.raises(TypeError, match=r"'sales' is a table: use to_pandas\(\)"):
        open_dataset("sales", user=user("ann")).open()


def test_a_file_that_may_no_longer_be_seen():
    put_file()
    report = open_dataset("report", user=user("ann"))
    change("report", access="grant")
    for what in (lambda: report.path, report.open):
        with pytest.raises(MayNotSee):
            what()


def test_a_rule_on_rows_hides_a_file():
    put_file()
    Dataset.objects.update(row_rule="username", row_column="who")
    with pytest.raises(MayNotSee):
        _ = open_dataset("report", user=user("ann")).path
    grant("report", user("helper"), "publish")
    assert open_dataset("report", user=user("helper")).path.exists()


def test_a_file_that_is_lost(folders: Path):
    # No other test has opened this
    put_file(b"a lost report")
    version = Dataset.objects.get(name="report").newest
    assert version is not None
    version.file.storage.delete(str(version.file.name))
    report = open_dataset("report", user=user("ann"))
    with pytest.raises(DataLost):
        report.open()


@pytest.mark.parametrize("is_read", [False, True])
def test_what_is_open_stays_readable_when_its_version_has_gone(
    folders: Path, monkeypatch: pytest.MonkeyPatch, is_read: bool
):
    monkeypatch.setattr(retention, "GRACE", dt.timedelta(0))
    # No other test has arrays of this
    put(table=SALES.slice(3), keep_versions=1)
    sales, version = open_dataset("sales", user=user("ann")), DatasetVersion.objects.get()
    if is_read:
        assert len(sales.to_pandas(["price"])) == 2
    put(table=SALES.slice(0, 1))
    retention.run()
    assert not version.file.storage.exists(version.file.name)
    shutil.rmtree(folders, ignore_errors=True)
    assert sales.to_pandas(["region"])["region"][0] == "Asia"
    # Nothing keeps the file any longer
    del sales
    gc.collect()
    assert version.sha256 not in copies._held
