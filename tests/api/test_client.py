"""``apps_registry.client`` against a server: frames out and in, and what it does when something fails on the way."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from apps_registry import client as api
from apps_registry.client import Client

from ..serving import ROOT
from .conftest import MAX_BYTES
from .fronts import Front, front
from .world import CSV, LETTER, World

FRAME = pd.DataFrame({"day": [date(2026, 1, 1), date(2026, 1, 2)], "word": ["a", None], "price": [1.5, 2.5]})


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    """A client of Mona's, straight to the server."""
    with Client(world.server.url, world.tokens["mona/all"]) as client:
        yield client


@pytest.fixture(scope="module")
def the_front(world: World) -> Iterator[Front]:
    with front(world.server.url) as shown:
        yield shown


@pytest.fixture
def failing(the_front: Front) -> Front:
    """A proxy before the server that fails as its ``failures`` say."""
    the_front.failures.clear()
    the_front.seen.clear()
    return the_front


@pytest.fixture
def patient(world: World, failing: Front) -> Iterator[Client]:
    """A client of Mona's behind that proxy."""
    with Client(failing.url, world.tokens["mona/all"], tries=4) as client:
        yield client


# Out and in


def test_a_frame_comes_back_as_it_went(client: Client, name: str):
    version = client.publish(name, FRAME, note="Two days")
    assert (version.dataset, version.number, version.rows, version.note) == (name, 1, 2, "Two days")
    assert version.created_at.tzinfo is not None
    assert [column["type"] for column in version.columns] == ["date", "text", "number"]
    pd.testing.assert_frame_equal(client.read(name), FRAME)
    assert client.read(name, columns=["price"]).columns.tolist() == ["price"]


def test_rows_are_added_and_old_versions_read(client: Client, name: str):
    client.publish(name, FRAME)
    version = client.publish(name, FRAME.head(1), append=True, expected=1)
    assert (version.number, version.rows, version.appended) == (2, 3, True)
    assert len(client.read(name)) == 3
    assert len(client.read(name, version=1)) == 2
    assert [one.number for one in client.versions(name)] == [2, 1]


def test_what_is_published_may_be_many_things(client: Client, name: str, tmp_path: Path):
    path = tmp_path / "march.csv"
    path.write_text(CSV)
    indexed = pd.DataFrame({"price": [1, 2, 3]}, index=pd.Index(["a", "b", "c"], name="who"))
    things: list[tuple[Any, dict[str, str]]] = [
        (path, {}),
        (str(path), {}),
        (CSV.encode(), {"format": "csv"}),
        (io.BytesIO(CSV.encode()), {"filename": "march.csv"}),
        (pa.table({"who": ["a", "b", "c"]}), {}),
        (indexed, {}),
        (pd.DataFrame({"kind": pd.Categorical(["a", "b", "a"])}), {}),
    ]
    for number, (thing, options) in enumerate(things, start=1):
        version = client.publish(name, thing, **options)
        assert (version.number, version.rows) == (number, 3), thing
    assert client.versions(name)[-1].filename == "march.csv"
    assert client.read(name, version=6)["who"].tolist() == ["a", "b", "c"]


def test_a_plain_file_goes_and_comes(client: Client, name: str, tmp_path: Path):
    path = tmp_path / "letter.pdf"
    path.write_bytes(LETTER)
    assert client.publish(name, path).rows is None
    got = client.download(name, tmp_path / "again.pdf", format="file")
    assert got.read_bytes() == LETTER


def test_downloads_are_whole_files_or_none(client: Client, name: str, tmp_path: Path):
    client.publish(name, FRAME)
    target = tmp_path / "out.csv"
    assert client.download(name, target, columns=["word", "price"]) == target
    assert target.read_text().splitlines()[:2] == ['"word","price"', '"a",1.5']
    with pytest.raises(api.NotFound):
        client.download(name, target, version=9)
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_the_list_holds_what_the_user_may_see(world: World):
    with Client(world.server.url, world.tokens["carol/all"]) as client:
        found = {dataset.name: dataset for dataset in client.datasets()}
    assert found["granted"].role == "publisher"
    assert found["granted"].newest is not None
    assert found["granted"].newest.dataset == "granted"
    assert found["empty"].newest is None
    assert "deleted" not in found


def test_the_environment_names_server_and_token(world: World, name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VIZSERVER_URL", world.server.url)
    monkeypatch.setenv("VIZSERVER_TOKEN", world.tokens["mona/all"])
    assert api.publish(name, FRAME).number == 1
    assert len(api.read(name)) == 2
    monkeypatch.delenv("VIZSERVER_URL")
    with pytest.raises(api.ClientError, match="VIZSERVER_URL"):
        Client()


def test_nobody_need_have_a_token_for_what_is_public(world: World):
    with Client(f"{world.server.url}/") as client:
        assert len(client.read("open", version=1)) == 3


# What is refused


def test_errors_are_classes_with_the_words_of_the_server(world: World, client: Client, name: str):
    client.publish(name, FRAME)
    bad = b"a,b\n1,2\n3\n"
    with pytest.raises(api.BadData, match="Row 3: 1 value, but the header has 2") as caught:
        client.publish(name, bad, format="csv")
    assert (caught.value.status, caught.value.code, caught.value.row) == (422, "BadData", 3)
    with pytest.raises(api.Conflict, match="its newest version is 1"):
        client.publish(name, FRAME, expected=0)
    client.publish(name, FRAME, key="once")
    with pytest.raises(api.Conflict, match="idempotency key"):
        client.publish(name, FRAME.head(1), key="once")
    with pytest.raises(api.NotFound, match="There is no such data set, or you may not see it"):
        client.read("granted")
    with pytest.raises(api.NotFound):
        client.publish("nothing-here", FRAME, create=False)
    with pytest.raises(api.Refused, match="There is no column 'colour'") as refused:
        client.read(name, columns=["colour"])
    assert not isinstance(refused.value, api.BadData)
    with Client(world.server.url, world.tokens["bob/all"]) as bob, pytest.raises(api.NotAllowed):
        bob.publish("granted", FRAME)
    with Client(world.server.url, "viz_nothing") as nobody, pytest.raises(api.NotAllowed, match="mistyped"):
        nobody.datasets()


def test_what_is_too_big_is_said_so(client: Client, name: str):
    for size in (MAX_BYTES + 1, 10 * MAX_BYTES):
        with pytest.raises(api.TooBig, match=r"bigger than 1\.91 MiB"):
            client.publish(name, b"a" * size, format="csv")


def test_what_cannot_be_sent_is_said_at_once(client: Client, name: str, tmp_path: Path):
    for thing, words in (
        (7, "is no table"),
        (tmp_path / "nothing.csv", "cannot be read"),
        (io.StringIO("text"), "'rb'"),
        (pd.DataFrame({"a": [1, "x"]}), "cannot be written"),
        (pd.DataFrame({"a": [1]}, index=pd.Index([1], name="a")), "cannot be written"),
    ):
        with pytest.raises(api.ClientError, match=words):
            client.publish(name, thing)
    for words, options in (
        ("letters, digits and signs of ASCII", {"key": "März"}),
        ("letters, digits and signs of ASCII", {"key": "a\nb"}),
        ("cannot be sent", {"filename": "\udcff.csv"}),
        ("cannot be sent", {"note": "\ud800"}),
        ("cannot be sent", {"note": "x" * 100_000}),
    ):
        with pytest.raises(api.ClientError, match=words):
            client.publish(name, CSV.encode(), format="csv", **options)
    for path in ("a\0b.csv", "\ud800.csv"):
        with pytest.raises(api.ClientError, match="is no path of a file"):
            client.publish(name, path)
    for ask in (client.read, client.versions, lambda name: client.publish(name, CSV.encode(), format="csv")):
        with pytest.raises(api.ClientError, match="is no name of a data set"):
            ask("a\ud800")
    with pytest.raises(api.ClientError, match="cannot be sent"):
        client.read("open", columns=["\ud800"])
    for columns in ("price", []):
        with pytest.raises(api.ClientError, match="list of names"):
            client.read("open", columns=columns)


@pytest.mark.parametrize("token", ["viz_two words", "viz_line\nbreak", "viz_ö"])
def test_a_token_that_cannot_be_is_not_repeated(world: World, token: str):
    with pytest.raises(api.ClientError) as caught:
        Client(world.server.url, token)
    assert "viz_" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["viz.example.org", "ftp://viz.example.org", "http://", "http://[::", "http://h/\ud800"]
)
def test_an_address_that_cannot_be_is_refused(url: str):
    with pytest.raises(api.ClientError, match="is no address of a server"):
        Client(url, "viz_x")


# What fails on the way


@pytest.mark.parametrize("failure", ["503", "502", "429", "cut before", "cut after"])
def test_it_publishes_once_however_often_it_sends(patient: Client, failing: Front, name: str, failure: str):
    failing.failures[:] = [failure, failure]
    assert patient.publish(name, FRAME, expected=0).number == 1
    keys = {key for method, key in failing.seen}
    assert [method for method, key in failing.seen] == ["PUT"] * 3
    assert len(keys) == 1
    assert "" not in keys
    assert [version.number for version in patient.versions(name)] == [1]


def test_rows_are_added_once_however_often_they_are_sent(patient: Client, failing: Front, name: str):
    patient.publish(name, FRAME)
    failing.failures[:] = ["cut after", "503"]
    assert patient.publish(name, FRAME, append=True).rows == 4
    assert len(patient.read(name)) == 4


def test_each_publication_has_a_key_of_its_own(patient: Client, failing: Front, name: str):
    assert [patient.publish(name, FRAME).number for _ in range(2)] == [1, 2]
    assert len({key for method, key in failing.seen}) == 2


@pytest.mark.parametrize("failure", ["503", "cut before", "cut within"])
def test_what_is_cut_off_is_read_again(patient: Client, failing: Front, name: str, failure: str):
    patient.publish(name, FRAME)
    failing.failures[:] = [failure]
    pd.testing.assert_frame_equal(patient.read(name), FRAME)


def test_it_gives_up_with_what_it_last_heard(world: World, failing: Front):
    with Client(failing.url, world.tokens["mona/all"], tries=2) as client:
        failing.failures[:] = ["503"] * 2
        with pytest.raises(api.ServerTrouble, match="503"):
            client.datasets()
        failing.failures[:] = ["cut before"] * 2
        with pytest.raises(api.Unreachable, match="does not answer"):
            client.datasets()
    assert len(failing.seen) == 4


def test_what_is_refused_is_not_sent_again(patient: Client, failing: Front):
    with pytest.raises(api.NotFound):
        patient.publish("granted", FRAME, create=False)
    failing.failures[:] = ["500"]
    with pytest.raises(api.ServerTrouble):
        patient.datasets()
    assert len(failing.seen) == 2


# What is shown


def test_progress_is_shown_to_who_wants_it(
    world: World, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    # As where tqdm is not installed
    monkeypatch.setitem(sys.modules, "tqdm", None)
    for progress in (True, None, False):
        with Client(world.server.url, world.tokens["mona/all"], progress=progress) as client:
            client.publish(name, FRAME)
            client.read(name)
        shown = capsys.readouterr().err
        assert ("100%" in shown) == (progress is True), shown
        assert (name in shown) == (progress is True)


# What it needs

_ALONE = """
import sys
for name in ("asgiref", "bokeh", "channels", "django", "ninja", "pandas", "pyarrow", "pydantic", "uvicorn"):
    sys.modules[name] = None
from apps_registry.client import publish
print(publish(sys.argv[1], sys.argv[2]).number)
ours = sorted(name for name in sys.modules if name.startswith("apps_registry."))
assert all(name.startswith("apps_registry.client") for name in ours), ours
"""


def test_it_needs_nothing_of_the_server(world: World, name: str, tmp_path: Path):
    path = tmp_path / "march.csv"
    path.write_text(CSV)
    own = {"VIZSERVER_URL": world.server.url, "VIZSERVER_TOKEN": world.tokens["mona/publish"]}
    command = [sys.executable, "-W", "error", "-c", _ALONE, name, str(path)]
    env = {**os.environ, **own, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("1\n", "")
