"""Static files under ASGI, and the names that `collectstatic` gives them."""

from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.core.files.storage import FileSystemStorage
from django.test import AsyncClient, Client

from vizserver.staticfiles import CHUNK_BYTES, StaticFilesStorage

LARGE = "bokeh/js/bokeh.min.js"


@pytest.fixture
def large() -> bytes:
    found = finders.find(LARGE)
    assert found
    content = Path(found).read_bytes()
    assert len(content) > 2 * CHUNK_BYTES
    return content


async def test_a_large_file_arrives_whole_and_in_pieces(async_client: AsyncClient, large: bytes) -> None:
    response = await async_client.get(f"/static/{LARGE}")
    pieces = [piece async for piece in response]
    assert b"".join(pieces) == large
    assert len(pieces) == -(-len(large) // CHUNK_BYTES)
    assert response["X-Content-Type-Options"] == "nosniff"


async def test_a_range_is_answered_with_that_range(async_client: AsyncClient, large: bytes) -> None:
    response = await async_client.get(f"/static/{LARGE}", headers={"Range": "bytes=10-19"})
    assert response.status_code == 206
    assert b"".join([piece async for piece in response]) == large[10:20]


async def test_a_file_that_the_browser_has_is_not_sent_again(async_client: AsyncClient) -> None:
    first = await async_client.get(f"/static/{LARGE}")
    again = await async_client.get(f"/static/{LARGE}", headers={"If-None-Match": first["ETag"]})
    first.close()
    assert again.status_code == 304


async def test_an_answer_without_a_file_is_empty(async_client: AsyncClient) -> None:
    response = await async_client.post(f"/static/{LARGE}")
    assert response.status_code == 405
    assert [piece async for piece in response] == []


@pytest.mark.parametrize("path", ["/static/none.css", "/static/../manage.py", "/static/bokeh"])
async def test_what_is_no_static_file_is_not_found(async_client: AsyncClient, path: str) -> None:
    assert (await async_client.get(path)).status_code == 404


def test_files_are_served_without_asgi_too(client: Client, large: bytes) -> None:
    assert b"".join(client.get(f"/static/{LARGE}")) == large


def test_a_reference_to_nothing_stays_and_the_others_get_hashed_names(tmp_path: Path) -> None:
    source = FileSystemStorage(location=tmp_path / "source")
    files = {
        "page.css": "a { background: url(there.png) } b { background: url(gone.png) }",
        "lib.js": "1;\n//# sourceMappingURL=lib.js.map\n",
        "there.png": "png",
    }
    collected = StaticFilesStorage(location=tmp_path / "collected", base_url="/static/")
    for name, text in files.items():
        (tmp_path / "source").mkdir(exist_ok=True)
        (tmp_path / "source" / name).write_text(text)
        with source.open(name) as file:
            collected.save(name, file)

    done = {name: made for name, made, _ in collected.post_process({name: (source, name) for name in files})}

    css = (tmp_path / "collected" / done["page.css"]).read_text()
    assert f'url("{done["there.png"]}")' in css
    assert "url(gone.png)" in css
    assert "sourceMappingURL=lib.js.map" in (tmp_path / "collected" / done["lib.js"]).read_text()
