"""Rows and directories: what is found, what is kept, and what is wrong in words."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection

from apps_registry import directories, registry
from apps_registry.exceptions import AppLoadError, AppNotFound
from apps_registry.models import Access, Grant, VizApp
from apps_registry.registry import Registry, find_row, source_path, sync

from . import databases
from .serving import DOOR_APPS, MANAGE, Site, fetch, open_tab, wait_until

CODE = "from bokeh.plotting import curdoc, figure\ncurdoc().add_root(figure(name='plot'))\n"


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    """The one directory of apps."""
    folder = tmp_path / "apps"
    folder.mkdir()
    settings.APPS_REGISTRY = {"APP_DIRS": [folder]}
    return folder


@pytest.fixture
def second(folder: Path, tmp_path: Path, settings: Any) -> Path:
    """Another directory of apps, after the first."""
    second = tmp_path / "more"
    second.mkdir()
    settings.APPS_REGISTRY = {"APP_DIRS": [folder, str(second)]}
    return second


def write(path: Path) -> Path:
    """An app: a script by its suffix, else a directory."""
    file = path if path.suffix == ".py" else path / "main.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(CODE)
    return path


def remove(path: Path) -> None:
    for file in [*path.rglob("*"), path] if path.is_dir() else [path]:
        file.rmdir() if file.is_dir() else file.unlink()


def names() -> list[str]:
    return [row.name for row in VizApp.objects.all()]


# Rows appear


@pytest.mark.django_db
def test_each_app_gets_a_row_that_is_off(folder: Path):
    write(folder / "sales")
    write(folder / "stocks.py")
    report = sync()
    assert report.created == ["sales", "stocks"]
    assert report.problems == []
    assert report.has_changed
    rows = {row.name: row for row in VizApp.objects.all()}
    assert [(row.source, row.enabled, row.access) for row in rows.values()] == [
        ("sales", False, Access.LOGIN),
        ("stocks.py", False, Access.LOGIN),
    ]
    assert not sync().has_changed


@pytest.mark.django_db
def test_while_developing_new_rows_are_on_and_public(folder: Path, settings: Any):
    settings.DEBUG = True
    write(folder / "sales")
    sync()
    row = VizApp.objects.get()
    assert (row.enabled, row.access) == (True, Access.PUBLIC)


@pytest.mark.django_db
def test_the_setting_says_who_may_open_new_apps(folder: Path, settings: Any):
    settings.APPS_REGISTRY["ACCESS"] = "grant"
    write(folder / "sales")
    sync()
    assert VizApp.objects.get().access == Access.GRANT


@pytest.mark.django_db
def test_a_row_that_is_there_stays_as_it_is(folder: Path):
    write(folder / "sales")
    sync()
    VizApp.objects.update(enabled=True, access="grant", title="Sales", order=7)
    before = VizApp.objects.values().get()
    write(folder / "stocks")
    sync()
    assert VizApp.objects.filter(name="sales").values().get() == before


@pytest.mark.django_db
def test_an_app_may_have_another_name_than_its_files(folder: Path):
    write(folder / "sales.py")
    VizApp.objects.create(name="turnover", source="sales.py")
    assert not sync().has_changed
    assert names() == ["turnover"]


@pytest.mark.django_db
@pytest.mark.parametrize("source", ["sales", "./sales", "sales/", ".//sales/."])
def test_a_source_may_be_written_in_several_ways(folder: Path, source: str):
    write(folder / "sales")
    VizApp.objects.create(name="sales", source=source)
    report = sync()
    assert not report.has_changed
    assert report.problems == []


@pytest.mark.django_db
def test_a_row_may_name_one_file_of_a_directory(folder: Path):
    write(folder / "sales")
    VizApp.objects.create(name="sales", source="sales/main.py")
    report = sync()
    assert not report.has_changed
    assert report.problems == []


@pytest.mark.django_db
def test_nothing_is_written_when_only_asked(folder: Path):
    write(folder / "sales")
    VizApp.objects.create(name="gone", source="gone")
    report = sync(save=False)
    assert (report.created, report.missing) == (["sales"], ["gone"])
    assert names() == ["gone"]
    assert VizApp.objects.get().missing_since is None


# Files go and come back


@pytest.mark.django_db
def test_a_row_whose_files_are_gone_says_so_and_keeps_its_grants(folder: Path):
    app = write(folder / "sales")
    sync()
    row = VizApp.objects.get()
    grant = Grant.objects.create(app=row, user=User.objects.create(username="ann"))
    remove(app)
    gone = sync()
    assert gone.missing == ["sales"]
    assert gone.problems == ["sales: The files of this app are not there."]
    since = VizApp.objects.get().missing_since
    assert since is not None
    assert not sync().has_changed
    assert VizApp.objects.get().missing_since == since
    write(app)
    back = sync()
    assert (back.returned, back.created, back.problems) == (["sales"], [], [])
    assert VizApp.objects.get().missing_since is None
    assert list(VizApp.objects.get().grants.all()) == [grant]


@pytest.mark.django_db
@pytest.mark.parametrize("told_between", [False, True])
def test_a_script_that_becomes_a_directory_stays_the_same_app(folder: Path, told_between: bool):
    script = write(folder / "sales.py")
    sync()
    pk = VizApp.objects.get().pk
    script.unlink()
    if told_between:
        assert sync().missing == ["sales"]
    write(folder / "sales")
    report = sync()
    assert report.returned == (["sales"] if told_between else [])
    assert (report.created, report.problems) == ([], [])
    row = VizApp.objects.get()
    assert (row.pk, row.source, row.missing_since) == (pk, "sales", None)


@pytest.mark.django_db
def test_a_row_without_files_does_not_take_those_of_another_row(folder: Path):
    write(folder / "sales.py")
    VizApp.objects.create(name="turnover", source="sales.py", access="grant")
    VizApp.objects.create(name="sales", source="lost", access="public", enabled=True)
    report = sync()
    assert report.missing == ["sales"]
    assert VizApp.objects.get(name="sales").source == "lost", "Now everybody could open it."


@pytest.mark.django_db
def test_a_row_that_is_deleted_meanwhile_is_no_error(folder: Path, monkeypatch: pytest.MonkeyPatch):
    VizApp.objects.create(name="gone", source="gone")
    write(folder / "sales")

    def source_path_of_a_deleted_row(row: VizApp) -> Path:
        VizApp.objects.filter(pk=row.pk).delete()
        return source_path(row)

    monkeypatch.setattr(registry, "source_path", source_path_of_a_deleted_row)
    assert sync().created == ["sales"]
    assert names() == ["sales"]


# Clashes


@pytest.mark.django_db
def test_two_apps_of_one_name_in_a_directory_are_a_problem_of_that_name_only(folder: Path):
    for app in ("sales", "sales.py", "stocks.py"):
        write(folder / app)
    report = sync()
    assert report.created == ["stocks"]
    assert report.problems == ["There are 2 apps named sales: sales/, sales.py."]


@pytest.mark.django_db
def test_of_two_apps_of_one_name_in_two_directories_the_first_is_served(folder: Path, second: Path):
    for path in (folder / "sales", second / "sales", second / "stocks"):
        write(path)
    report = sync()
    assert report.created == ["sales", "stocks"]
    assert report.problems == [f"There are two apps named sales; the one in {second} is left out."]
    assert source_path(VizApp.objects.get(name="sales")) == folder / "sales"
    assert source_path(VizApp.objects.get(name="stocks")) == second / "stocks"


@pytest.mark.django_db
def test_a_new_app_whose_name_a_row_has_already_is_a_problem(folder: Path):
    write(folder / "stocks")
    write(folder / "sales")
    VizApp.objects.create(name="sales", source="stocks")
    report = sync()
    assert report.problems == ["sales would be sales, which is the name of another app."]
    assert names() == ["sales"]


@pytest.mark.django_db
def test_two_rows_may_share_their_files(folder: Path):
    write(folder / "sales")
    for name, access in (("open_sales", "public"), ("sales", "grant")):
        VizApp.objects.create(name=name, source="sales", access=access, enabled=True)
    report = sync()
    assert not report.has_changed
    assert report.problems == []
    both = Registry()
    one, other = both.get("open_sales"), both.get("sales")
    assert one is not other
    assert one.path == other.path
    for app in (one, other):
        app.current()
        app.close()


# Directories that cannot be read, links


@pytest.mark.django_db
def test_a_directory_that_is_none_is_named_and_the_others_are_read(
    folder: Path, tmp_path: Path, settings: Any
):
    file = tmp_path / "file"
    file.touch()
    settings.APPS_REGISTRY = {"APP_DIRS": [tmp_path / "missing", file, folder]}
    write(folder / "sales")
    report = sync()
    assert report.created == ["sales"]
    assert report.problems == [
        f"There is no directory {path}, where apps should be." for path in (tmp_path / "missing", file)
    ]


@pytest.fixture
def without_privileges(tmp_path: Path) -> Any:
    """Root reads everything; so be somebody else for the time of the test."""
    if os.geteuid() != 0:
        yield
        return
    for path in [tmp_path, *tmp_path.parents]:
        if path.owner() == "root" and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o055)
    nobody = 65534
    subprocess.run(["chown", "-R", str(nobody), str(tmp_path)], check=True)
    os.seteuid(nobody)
    yield
    os.seteuid(0)


@pytest.mark.django_db
@pytest.mark.parametrize("mode", [0o000, 0o600])
def test_an_app_that_may_not_be_read_is_named_and_the_others_are_served(
    folder: Path, without_privileges: None, mode: int
):
    write(folder / "sales")
    locked = write(folder / "locked")
    locked.chmod(mode)
    try:
        report = sync()
        assert report.created == ["sales"]
        assert report.problems == ["locked cannot be read: its permissions forbid it."]
    finally:
        locked.chmod(0o700)
    assert sync().created == ["locked"]


@pytest.mark.django_db
def test_a_directory_that_may_not_be_read_is_named_and_the_others_are_served(
    folder: Path, second: Path, without_privileges: None
):
    write(folder / "sales")
    write(second / "stocks")
    sync()
    served = Registry()
    folder.chmod(0o000)
    try:
        report = sync()
        assert report.missing == ["sales"]
        assert len(report.problems) == 2
        assert str(folder) in report.problems[0]
        assert (
            report.problems[1] == "sales: The files of this app cannot be read: their permissions forbid it."
        )
        assert [app.name for app in served.apps()] == ["stocks"]
    finally:
        folder.chmod(0o700)
    assert sync().returned == ["sales"]
    served.refresh()
    assert [app.name for app in served.apps()] == ["sales", "stocks"]


@pytest.mark.django_db
def test_links_may_lead_about_within_the_directories_but_not_out(folder: Path, second: Path, tmp_path: Path):
    write(folder / "sales")
    (second / "alias").symlink_to(folder / "sales")
    (folder / "escape").symlink_to(write(tmp_path / "outside"))
    (folder / "escape.py").symlink_to(write(tmp_path / "script.py"))
    (folder / "up").symlink_to(tmp_path)
    (folder / "circle").symlink_to(folder / "circle")
    (folder / "dangling.py").symlink_to(folder / "nothing.py")
    report = sync()
    assert report.created == ["sales", "alias"]
    assert report.problems == ["There are 2 apps named escape: escape/, escape.py."]
    (folder / "escape.py").unlink()
    assert sync().problems == ["The app escape is a link that leads out of the directories of apps."]
    assert names() == ["alias", "sales"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "source",
    ["escape", "escape/main.py", "../outside", "sales/../../outside", "/etc/passwd", "", ".", "up/outside"],
)
def test_a_row_never_leads_out_of_the_directories(folder: Path, tmp_path: Path, source: str):
    write(folder / "sales")
    (folder / "escape").symlink_to(write(tmp_path / "outside"))
    (folder / "up").symlink_to(tmp_path)
    row = VizApp(name="sales", source=source)
    with pytest.raises(AppLoadError) as error:
        source_path(row)
    assert error.value.summary == "The files of this app lie outside the directories of apps."
    row.save()
    served = Registry()
    assert served.apps() == []
    with pytest.raises(AppNotFound):
        served.get("sales")


@pytest.mark.parametrize(
    "source", ["nul\0", "x" * 400, "sales/main.py/x", "~root", "circle", "%2e%2e/outside"]
)
def test_a_row_of_files_that_cannot_be_is_missing(folder: Path, source: str):
    write(folder / "sales")
    (folder / "circle").symlink_to(folder / "circle")
    with pytest.raises(AppLoadError) as error:
        source_path(VizApp(name="sales", source=source))
    assert error.value.summary == "The files of this app are not there."


@pytest.mark.django_db
@pytest.mark.parametrize("source", ["", "/etc", "..", "../x", "a/../../b", "a\\b", "nul\0"])
def test_a_source_that_leads_out_cannot_be_written_in_a_form(source: str):
    with pytest.raises(ValidationError) as error:
        VizApp(name="sales", source=source).full_clean()
    assert list(error.value.message_dict) == ["source"]


@pytest.mark.django_db
@pytest.mark.parametrize("source", ["sales", "sales.py", "team/sales", "a b", "grüße", "..sales"])
def test_a_plain_path_can_be_written_in_a_form(source: str):
    VizApp(name="sales", source=source).full_clean()


# Names


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", ["two words", "50%", "what?", "a;b", "a#b", "a\\b", "tab\t", "bell\7", "x" * 151]
)
def test_an_app_whose_name_is_none_for_an_address_is_a_problem_and_no_row(folder: Path, name: str):
    write(folder / name)
    write(folder / "sales")
    report = sync()
    assert report.created == ["sales"]
    assert len(report.problems) == 1
    assert report.problems[0].startswith(f"The app {name} is left out: ")


@pytest.mark.django_db
def test_a_file_name_that_is_no_text_is_a_problem_that_can_be_printed(folder: Path):
    write(Path(os.fsdecode(bytes(folder) + b"/gr\xfc\xdfe")))
    report = sync()
    assert report.created == []
    assert len(report.problems) == 1
    assert r"gr\udcfc\udcdfe" in report.problems[0]
    report.problems[0].encode()


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["grüße", "数据", "a.b", "a-b_c", "O'Neil", "<b>", "a+b", "x" * 150])
def test_other_names_are_good_ones(folder: Path, name: str):
    write(folder / name)
    report = sync()
    assert (report.created, report.problems) == ([name], [])
    assert Registry().get(name).path == folder / name
    assert VizApp.objects.get().get_absolute_url().startswith("/apps/")


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["two words", "a/b", "", "50%"])
def test_a_row_with_such_a_name_is_left_out_with_a_word(
    folder: Path, name: str, caplog: pytest.LogCaptureFixture
):
    write(folder / "sales")
    VizApp.objects.create(name=name, source="sales", enabled=True)
    VizApp.objects.create(name="other", source="sales", enabled=True)
    served = Registry()
    assert [app.name for app in served.apps()] == ["other"]
    assert f"The row {name} is left out: " in caplog.text
    with pytest.raises(AppNotFound):
        served.get(name)


@pytest.mark.django_db
def test_the_empty_app_keeps_its_address(folder: Path, settings: Any):
    write(folder / "blank")
    settings.APPS_REGISTRY["BLANK_APP"] = True
    report = sync()
    assert report.created == []
    assert "BLANK_APP" in report.problems[0]
    served = Registry()
    assert served.get("blank").path.name == "blank.py"
    assert served.apps() == []
    settings.APPS_REGISTRY["BLANK_APP"] = False
    assert sync().created == ["blank"]
    assert [app.path for app in Registry().apps()] == [folder / "blank"]


# Several at once


@pytest.mark.django_db(transaction=True)
def test_two_that_look_at_the_same_moment_make_each_row_once(folder: Path):
    expected = [write(folder / f"a{number:02}").name for number in range(20)]
    start = threading.Barrier(2)
    reports = []

    def look() -> None:
        try:
            start.wait(10)
            reports.append(sync())
        finally:
            connection.close()

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert names() == expected
    assert sorted(name for report in reports for name in report.created) == expected


@pytest.mark.slow
def test_two_processes_that_look_at_the_same_moment_make_each_row_once(tmp_path: Path):
    expected = [write(tmp_path / "apps" / f"a{number:02}").name for number in range(40)]
    data = Site(tmp_path / "data", tmp_path / "journal")
    data.make()
    env = data.env(APP_DIRS=[str(tmp_path / "apps")])
    command = [sys.executable, str(MANAGE), "syncapps"]
    both = [
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    said = [line.partition(":")[0] for output in outputs for line in output.splitlines() if ": new" in line]
    assert sorted(said) == expected


# The registry of a process


@pytest.mark.django_db
def test_rows_are_joined_with_files(folder: Path):
    for app in ("sales", "stocks.py"):
        write(folder / app)
    VizApp.objects.create(name="gone", source="gone")
    VizApp.objects.create(name="last", source="stocks.py", order=9)
    VizApp.objects.create(name="first", source="sales", order=-1)
    served = Registry()
    assert [app.name for app in served.apps()] == ["first", "last"]
    assert served.get("last").path == folder / "stocks.py"
    assert served.known("first") is served.get("first")
    assert served.row("gone").source == "gone"
    assert served.row("sales") is None
    for name in ("gone", "sales", "nothing"):
        with pytest.raises(AppNotFound):
            served.get(name)


@pytest.mark.django_db
def test_a_change_of_a_row_is_seen_once_it_is_told(folder: Path):
    write(folder / "sales")
    write(folder / "stocks")
    row = VizApp.objects.create(name="app", source="sales")
    served = Registry()
    before = served.get("app")
    VizApp.objects.update(title="Sales", enabled=True)
    assert served.get("app") is before
    served.refresh()
    assert served.get("app") is before, "The code need not be loaded anew."
    assert (served.row("app").title, served.row("app").enabled) == ("Sales", True)
    VizApp.objects.update(source="stocks")
    served.refresh()
    assert served.get("app").path == folder / "stocks"
    row.delete()
    served.refresh()
    with pytest.raises(AppNotFound):
        served.get("app")


@pytest.mark.django_db
def test_an_app_that_is_being_loaded_holds_up_no_other(folder: Path):
    write(folder / "other")
    (folder / "slow").mkdir()
    (folder / "slow" / "main.py").write_text(CODE)
    VizApp.objects.create(name="slow", source="slow")
    VizApp.objects.create(name="other", source="other")
    served = Registry()
    slow = served.get("slow")
    with slow._lock:
        VizApp.objects.filter(name="slow").delete()
        served.refresh()
        # On this thread it would wait for ever; what closes the app waits on a thread of its own
        closing = threading.Thread(target=served.apps)
        served_rows = registry.VizApp.objects
        rows = list(served_rows.all())
        assert [row.name for row in rows] == ["other"]
        served._read = lambda: ({row.name: row for row in rows}, {"other": folder / "other"})
        closing.start()
        wait_until(lambda: served.row("slow") is None)
        assert served.get("other").path == folder / "other"
        assert closing.is_alive(), "The app should be closed only after its load."
    closing.join(10)
    assert not closing.is_alive()


@pytest.mark.django_db
def test_while_developing_a_new_app_is_there_without_a_word(
    folder: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
):
    settings.DEBUG = True
    monkeypatch.setattr(registry, "LOOK_EVERY", 0)
    served = Registry()
    assert served.apps() == []
    write(folder / "sales")
    assert served.get("sales").path == folder / "sales"
    assert served.row("sales").enabled


@pytest.mark.django_db
def test_in_production_a_new_app_waits_for_syncapps(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "LOOK_EVERY", 0)
    served = Registry()
    write(folder / "sales")
    assert served.apps() == []
    assert names() == []


@pytest.mark.django_db
def test_a_problem_is_logged_once(folder: Path, caplog: pytest.LogCaptureFixture):
    write(folder / "two words")
    served = Registry()
    for _ in range(3):
        served.sync()
    assert caplog.text.count("two words") == 1


@pytest.mark.django_db
def test_a_database_that_does_not_answer_is_named_and_what_is_known_is_served(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    write(folder / "sales")
    VizApp.objects.create(name="sales", source="sales")
    served = Registry()
    app = served.get("sales")

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise DatabaseError("no such table: apps_registry_vizapp")

    with monkeypatch.context() as patch:
        patch.setattr(type(VizApp.objects), "all", fail)
        patch.setattr(type(VizApp.objects), "exclude", fail)
        for _ in range(2):
            served.sync()
            assert served.apps() == [app]
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert said == [
        "The rows of the apps cannot be read: no such table: apps_registry_vizapp. Is `manage.py migrate` done?"
    ]
    VizApp.objects.all().delete()
    served.refresh()
    assert served.apps() == []


# Apps that the settings name


def test_named_apps_have_rows_that_ask_no_database(folder: Path, settings: Any):
    settings.APPS_REGISTRY = {
        "APPS": {"sales": write(folder / "sales")},
        "BLANK_APP": True,
        "ACCESS": "login",
    }
    for name in ("sales", "blank"):
        row = find_row(name)
        assert (row.name, row.enabled, row.access, row.pk) == (name, True, "login", None)
    assert find_row("nothing") is None
    served = Registry()
    served.sync()
    assert [app.name for app in served.apps()] == ["sales"]
    assert served.row("sales").access == "login"
    assert served.get("blank").path == Path(directories.__file__).parent / "live" / "blank.py"
    with pytest.raises(AppNotFound):
        served.get("nothing")


@pytest.fixture
def empty(tmp_path: Path) -> Site:
    """A site whose database has no tables."""
    journal, folder = tmp_path / "journal", tmp_path / "data"
    journal.touch()
    databases.create(folder)
    return Site(folder, journal)


@pytest.mark.slow
async def test_named_apps_are_served_without_any_table(empty: Site):
    with empty.serve(DOOR_APPS / "witness", DOOR_APPS / "templated") as server:
        for path in ("/", "/apps/witness", "/apps/templated", "/apps/witness/metadata"):
            assert fetch(server, path).status_code == 200, path
        assert fetch(server, "/apps/nothing").status_code == 404
        async with open_tab(server, "witness") as tab:
            assert (await tab.set("number", value=3)).type == "OK"
        # At its end it tries to write down what there was
        assert server.stop() == 0
    assert "Traceback" not in server.output, server.output
    assert "/apps/witness" in server.output


@pytest.mark.slow
def test_rows_without_tables_are_told_in_one_line(empty: Site):
    with empty.serve(APP_DIRS=[str(DOOR_APPS)]) as server:
        assert fetch(server, "/apps/witness").status_code == 404
    assert "manage.py migrate" in server.output
    assert "Traceback" not in server.output, server.output
