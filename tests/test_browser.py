"""What people see, in a real browser: the sample apps, the catalogue, and what a page says when things fail."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from bokeh.embed import server_document
from playwright.async_api import Page, TimeoutError, expect

from apps_registry.testing import RunningServer

from .browsing import (
    LIVE,
    PHONE,
    SOON,
    another_site,
    has_opened,
    log_in_on,
    open_app,
    overflows,
    problems_of,
    read,
    set_widget,
    shoot,
    until,
)
from .serving import APPS, DOOR_APPS, SAMPLES, Site
from .site_page import Cable, Sockets

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

NAMES = [
    path.stem
    for path in sorted(SAMPLES.iterdir())
    if path.suffix == ".py" or (path.is_dir() and path.name[0] != "_")
]


@pytest.fixture(scope="module")
def gallery(demo_site: Site) -> Iterator[RunningServer]:
    """The sample apps as ``make run`` serves them, and some that fail."""
    samples = [path for path in sorted(SAMPLES.iterdir()) if path.stem in NAMES]
    others = [APPS / "broken", APPS / "raises_in_callback", DOOR_APPS / "broken_template"]
    with demo_site.serve("--allow-websocket-origin", "localhost:*", *samples, *others, debug=True) as server:
        yield server


# The sample apps: each with something that a viewer does, and what Python has then computed


async def move_a_slider_by_keys(page: Page) -> None:
    assert await read(page, "Math.max(...column('curve', 'y'))") == pytest.approx(1, abs=1e-3)
    await page.get_by_role("slider").nth(1).focus()
    for _ in range(5):
        await page.keyboard.press("ArrowRight")
    await until(page, "model('amplitude').value > 1.45")
    await until(page, "Math.abs(Math.max(...column('curve', 'y')) - 1.5) < 1e-3")


async def stop_the_stream(page: Page) -> None:
    await until(page, "column('readings', 'power').length > 3 && column('gusts', 'gust').length > 0")
    await page.get_by_role("button", name="Stop").click()
    await until(page, "model('start_stop').label === 'Start'")
    count = await read(page, "column('readings', 'power').length")
    await set_widget(page, "speed", value="25 readings per second")
    await page.get_by_role("button", name="Start").click()
    await until(page, f"column('readings', 'power').length > {count}")
    assert "readings so far" in await read(page, "model('status').text")


async def choose_an_axis(page: Page) -> None:
    before = await read(page, "column('histogram', 'left')")
    await page.get_by_label("X axis").select_option(label="Year built")
    await until(page, "model('scatter').below[0].axis_label === 'Year built'")
    assert await read(page, "column('histogram', 'left')") != before
    await page.evaluate(
        "() => { Bokeh.documents[0].get_model_by_name('houses').selected.indices = [1, 2, 3] }"
    )
    await until(page, "model('summary').text.includes('3 of 400 houses')")
    await page.get_by_role("button", name="Clear the selection").click()
    await until(page, "model('summary').text.includes('0 of 400 houses')")


async def pick_a_cloud(page: Page) -> None:
    await page.get_by_label("Select a cloud").select_option("Ridge")
    await until(page, "model('statistics').text.includes('900 of 2,500')")
    await until(page, "column('x_bars', 'selected').reduce((sum, n) => sum + n, 0) > 890")


async def choose_days_and_units(page: Page) -> None:
    assert await read(page, "column('tide', 'time').length") == 2 * 240 + 1
    highest = await read(page, "Math.max(...column('tide', 'height'))")
    await set_widget(page, "days", value=3)
    await until(page, "column('tide', 'time').length === 3 * 240 + 1")
    # English of America begins with feet
    await page.get_by_role("button", name="metres").click()
    await until(page, f"Math.max(...column('tide', 'height')) < {highest} / 2")
    assert "metres" in await read(page, "model('next_tides').text")


async def throw_more_dice(page: Page) -> None:
    assert "3 dice" in await read(page, "model('summary').text")
    await set_widget(page, "dice", value=10)
    await until(page, "model('summary').text.includes('10 dice') && column('shares', 'sum').length > 30")


async def thin_the_points(page: Page) -> None:
    assert await read(page, "data('overview', 'time').length") == 1_000_000
    assert await read(page, "data('overview', 'time').constructor.name") == "Float32NDArray"
    await set_widget(page, "points", value="1 thousand")
    await until(page, "data('overview', 'time').length === 1000")
    assert "1,000 points" in await read(page, "model('status').text")
    before = await read(page, "column('detail', 'time')[0]")
    await set_widget(page, "position", value=20)
    await until(page, f"column('detail', 'time')[0] !== {before}")


async def run_a_long_job(page: Page) -> None:
    await page.get_by_label("Size").select_option("1 million darts")
    await page.get_by_role("button", name="Start").click()
    await until(page, "model('status').text.includes('Done.')")
    assert await read(page, "model('progress').value === model('progress').max")
    assert 3.1 < (await read(page, "column('estimates', 'estimate')"))[-1] < 3.2
    assert await read(page, "model('start').disabled") is False


async def report(page: Page, score: int) -> None:
    """Say in another tab how happy one is today."""
    tab = await page.context.new_page()
    await tab.goto(page.url.replace("/apps/", "/happiness/?"))
    await tab.get_by_role("radio", name=str(score), exact=True).check()
    await tab.get_by_role("button", name="Save").click()
    await expect(tab.get_by_text("Saved.")).to_be_visible()
    await tab.close()


async def report_to_oneself(page: Page) -> None:
    count = await read(page, "column('days', 'score').length")
    await report(page, 9)
    await until(page, f"column('days', 'score').length === {count} + 1")
    await until(page, "model('summary').text.startsWith('<b>9 of 10</b>')")


async def report_to_ones_leads(page: Page) -> None:
    assert set(await read(page, "column('reports', 'name')")) >= {"mara", "nils"}
    count = await read(page, "column('reports', 'score').length")
    await report(page, 3)
    await until(page, f"column('reports', 'score').length === {count} + 1")


async def report_as_the_fifth(page: Page) -> None:
    count = await read(page, "column('days', 'score').length")
    await report(page, 8)
    await until(page, f"column('days', 'score').length === {count} + 1")
    assert "from 5 people" in await read(page, "model('summary').text")


async def publish_a_week(page: Page) -> None:
    assert await read(page, "model('sales_west')") is None
    assert await read(page, "column('sales_south', 'week').length") == 52
    cookies = {cookie["name"]: cookie["value"] for cookie in await page.context.cookies()}
    answer = await page.request.put(
        page.url.replace("/apps/sales", "/api/datasets/sales_north"),
        data="week,orders,revenue\n2026-01-05,10,100.5\n",
        headers={"Content-Type": "text/csv", "X-CSRFToken": cookies["csrftoken"], "Referer": page.url},
    )
    assert answer.ok, await answer.text()
    await until(page, "column('sales_north', 'week').length === 1")
    await until(page, "model('summary').text.includes('<b>Sales north</b>: 100 ')")


DEEDS = {
    "big_data": thin_the_points,
    "crossfilter": choose_an_axis,
    "happiness_company": report_as_the_fifth,
    "happiness_me": report_to_oneself,
    "happiness_team": report_to_ones_leads,
    "long_job": run_a_long_job,
    "notebook": throw_more_dice,
    "sales": publish_a_week,
    "selection_histogram": pick_a_cloud,
    "sliders": move_a_slider_by_keys,
    "stream": stop_the_stream,
    "tides": choose_days_and_units,
}
#: As whom, of the people of the demo.
VIEWERS = {"happiness_company": "ben", "happiness_me": "zoe", "happiness_team": "mara", "sales": "nora"}


async def open_sample(page: Page, gallery: RunningServer, name: str) -> None:
    """Open a sample app, as somebody if need be."""
    if name in VIEWERS:
        await log_in_on(page, gallery, VIEWERS[name], f"/apps/{name}")
        await has_opened(page)
    else:
        await open_app(page, gallery, name)


async def test_every_sample_app_is_tried():
    assert DEEDS.keys() == set(NAMES)


@pytest.mark.parametrize("name", DEEDS)
async def test_a_sample_app_opens_and_answers(gallery: RunningServer, new_page, name: str):
    page = await new_page(locale="en-US")
    problems = problems_of(page)
    await open_sample(page, gallery, name)
    await shoot(page, name)
    await DEEDS[name](page)
    await shoot(page, f"{name}-after")
    assert problems == []


@pytest.mark.parametrize("name", DEEDS)
async def test_a_sample_app_fits_a_phone(gallery: RunningServer, new_page, name: str):
    page = await new_page(viewport=PHONE, color_scheme="dark")
    problems = problems_of(page)
    await open_sample(page, gallery, name)
    await shoot(page, f"{name}-phone")
    assert not await overflows(page)
    assert problems == []


async def test_typing_reaches_python(gallery: RunningServer, new_page):
    page = await new_page()
    await open_app(page, gallery, "sliders")
    field = page.get_by_label("Title")
    await field.fill("Tide of the day")
    await field.press("Enter")
    await until(page, "model('plot').title.text === 'Tide of the day'")


async def test_the_address_speaks_to_the_app(gallery: RunningServer, new_page):
    page = await new_page(locale="en-GB")
    await open_app(page, gallery, "tides", "?harbour=Saltness&days=3")
    assert await read(page, "[model('harbour').value, model('days').value]") == ["Saltness", 3]
    await expect(page).to_have_title("Tides at Saltness")
    assert "metres" in await read(page, "model('next_tides').text")


async def test_two_tabs_have_two_sessions(gallery: RunningServer, new_page):
    one, other = await new_page(), await new_page()
    await open_app(one, gallery, "sliders")
    await open_app(other, gallery, "sliders")
    await set_widget(one, "amplitude", value=2)
    await until(one, "Math.max(...column('curve', 'y')) > 1.9")
    assert await read(other, "Math.max(...column('curve', 'y'))") < 1.1


async def test_a_page_of_another_site_embeds_an_app(gallery: RunningServer, new_page):
    page = await new_page()
    problems = problems_of(page)
    script = server_document(f"{gallery.url}/apps/sliders", arguments={"colour": "red"})
    async with another_site(f"<title>Partner</title><link rel=icon href=data:,><body>{script}") as port:
        await page.goto(f"http://localhost:{port}/page")
        await page.wait_for_function("window.Bokeh?.documents?.length === 1 && Bokeh.documents[0].is_idle")
        await set_widget(page, "amplitude", value=2.5)
        await until(page, "Math.max(...column('curve', 'y')) > 2.4")
        await expect(page).to_have_title("Partner")
    assert problems == []


async def test_a_page_of_a_stranger_embeds_nothing(gallery: RunningServer, new_page):
    page = await new_page()
    script = server_document(f"{gallery.url}/apps/sliders")
    async with another_site(f"<title>Stranger</title><body>{script}") as port:
        wanted = page.expect_event("requestfailed", lambda request: "autoload.js" in request.url)
        async with wanted as failed:
            await page.goto(f"http://127.0.0.1:{port}/")
        await failed.value
        assert await page.evaluate("window.Bokeh?.documents?.length ?? 0") == 0


# What a page says when things fail


async def test_an_app_that_fails_is_told_within_its_page(gallery: RunningServer, new_page):
    page = await new_page()
    await page.goto(f"{gallery.url}/apps/broken")
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("This app could not be started")
    await expect(dialog).to_contain_text(re.compile("Reference: [0-9A-F]{8}"))
    await expect(dialog.get_by_role("button", name="Try again")).to_be_visible()
    await expect(dialog.get_by_role("link", name="All apps")).to_be_visible()
    # DEBUG lets everybody see what staff sees
    await dialog.get_by_text("Traceback", exact=True).click()
    await expect(dialog).to_contain_text("hunter2")
    await shoot(page, "app-error")


async def test_an_app_that_fails_for_its_page_is_an_error_page(gallery: RunningServer, new_page):
    page = await new_page()
    answer = await page.goto(f"{gallery.url}/apps/broken_template")
    assert answer.status == 500
    await expect(page.get_by_role("heading", level=1)).to_have_text("Something went wrong")
    await expect(page.get_by_text("hunter2")).to_be_visible()
    await shoot(page, "error-page")


async def test_a_failed_callback_is_told_and_the_session_lives_on(gallery: RunningServer, new_page):
    page = await new_page()
    await open_app(page, gallery, "raises_in_callback")
    await page.get_by_role("button", name="Fail").click()
    toast = page.get_by_role("alert")
    await expect(toast).to_contain_text("The app's code failed")
    await expect(toast).to_contain_text(re.compile("Reference: [0-9A-F]{8}"))
    await shoot(page, "callback-error")
    await page.get_by_role("button", name="Count", exact=True).click()
    await until(page, "model('count').text === '1'")
    await toast.get_by_role("button", name="Dismiss").click()
    await expect(toast).to_have_count(0)


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("ending", ["stop", "crash"])
async def test_a_page_outlives_the_restart_of_its_server(site: Site, new_page, port: int, ending: str):
    page = await new_page()
    options = ["--port", str(port), SAMPLES / "sliders.py"]
    with site.serve(*options) as server:
        await open_app(page, server, "sliders")
        await set_widget(page, "amplitude", value=2.5)
        await set_widget(page, "title", value="Kept")
        await until(page, "Math.max(...column('curve', 'y')) > 2.4 && model('plot').title.text === 'Kept'")
        if ending == "crash":
            server.process.kill()
        else:
            server.stop()
    await page.wait_for_selector("[data-session-state=lost]", state="attached")
    await expect(page.get_by_role("status")).to_contain_text(
        "Connection lost" if ending == "crash" else "The server is restarting"
    )
    await shoot(page, f"lost-{ending}")
    # What the viewer does meanwhile is not lost either
    await set_widget(page, "offset", value=1)
    with site.serve(*options):
        # It may have come back by itself meanwhile
        with suppress(TimeoutError):
            await page.get_by_role("button", name="Try now").click(timeout=2000)
        await page.wait_for_selector(LIVE, state="attached")
        await expect(page.get_by_role("status")).to_contain_text("Your settings were put back")
        await until(page, "model('amplitude').value === 2.5 && model('offset').value === 1")
        await until(page, "Math.max(...column('curve', 'y')) > 3.4 && model('plot').title.text === 'Kept'")
        await shoot(page, f"restored-{ending}")
        await set_widget(page, "amplitude", value=1)
        await until(page, "Math.abs(Math.max(...column('curve', 'y')) - 2) < 0.01")


async def test_a_cut_connection_finds_its_session_again(gallery: RunningServer, new_page):
    page = await new_page()
    ids = "Bokeh.documents[0].roots().map((root) => root.id).join()"
    async with Cable(gallery) as cable:
        await page.goto(f"{cable.url}/apps/sliders")
        await page.wait_for_selector(LIVE, state="attached")
        await set_widget(page, "amplitude", value=2)
        await until(page, "Math.max(...column('curve', 'y')) > 1.9")
        roots = await read(page, ids)
        await page.evaluate(
            "window.states = [];"
            "document.addEventListener('apps-registry-session', ({detail}) => states.push(detail.state))"
        )
        cable.cut()
        await page.wait_for_function("states.join() === 'lost,live'")
        await expect(page.get_by_role("status")).to_contain_text("Connected again")
        assert await read(page, ids) == roots, "The page should have found its session, and not a new one."
        assert await read(page, "Math.max(...column('curve', 'y'))") > 1.9
        await set_widget(page, "amplitude", value=1)
        await until(page, "Math.max(...column('curve', 'y')) < 1.1")


# How a session ends on a page of its own: words, and what the viewer can do
ENDS = {
    4451: ("You are no longer logged in", "button", "Log in"),
    4452: ("You may no longer open this app", "link", "All apps"),
    4453: ("This app has been switched off", "link", "All apps"),
    4454: ("This session was ended by an administrator", "button", "Load again"),
    4455: ("This session was closed because nobody used it", "button", "Open again"),
}


@pytest.mark.parametrize("code", ENDS)
async def test_an_end_is_told_by_the_page(gallery: RunningServer, new_page, code: int):
    page, sockets = await new_page(), Sockets()
    await sockets.watch(page)
    words, role, remedy = ENDS[code]
    await open_app(page, gallery, "sliders", "?tag=one")
    await set_widget(page, "amplitude", value=2)
    await until(page, "Math.max(...column('curve', 'y')) > 1.9")
    sockets.refused["one"] = 4401
    await sockets.open["one"].close(code=code)
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text(words)
    await shoot(page, f"end-{code}")
    sockets.refused.clear()
    await dialog.get_by_role(role, name=remedy).click()
    if role == "link":
        await expect(page.get_by_role("heading", level=1)).to_have_text("Apps")
        return
    await expect(dialog).to_have_count(0)
    await page.wait_for_selector(LIVE, state="attached")
    highest = 1.9 if remedy == "Open again" else 0.9
    await until(page, f"Math.max(...column('curve', 'y')) > {highest}")


async def test_an_edit_under_dev_reloads_the_page(site: Site, new_page, tmp_path: Path):
    app = tmp_path / "edited.py"
    text = (SAMPLES / "sliders.py").read_text()
    app.write_text(text)
    page = await new_page()
    with site.serve("--dev", "--", app, debug=True) as server:
        await open_app(page, server, "edited")
        app.write_text(text.replace('curdoc().title = "Sliders"', 'curdoc().title = "Edited"'))
        await expect(page).to_have_title(re.compile("Edited"), timeout=SOON)
        await page.wait_for_selector(LIVE, state="attached")


async def test_a_login_leads_to_the_app(site: Site, new_page):
    apps = {"sliders": str(SAMPLES / "sliders.py")}
    page = await new_page()
    with site.serve(APPS=apps, ACCESS="login") as server:
        await page.goto(f"{server.url}/apps/sliders?colour=red")
        await page.get_by_label("Username").fill("alice")
        await page.get_by_label("Password").fill("alice")
        await page.get_by_role("button", name="Log in").click()
        await page.wait_for_url(f"{server.url}/apps/sliders?colour=red")
        await page.wait_for_selector(LIVE, state="attached")
        await set_widget(page, "amplitude", value=2)
        await until(page, "Math.max(...column('curve', 'y')) > 1.9")


# The catalogue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [None, PHONE], ids=["desk", "phone"])
async def test_the_catalogue_is_pleasant(gallery: RunningServer, new_page, scheme: str, viewport):
    options = {"viewport": viewport} if viewport else {}
    page = await new_page(color_scheme=scheme, **options)
    problems = problems_of(page)
    await page.goto(gallery.url)
    for name in NAMES:
        assert await page.locator(f'a[href="/apps/{name}"]').count() == 1
    red, green, blue = await page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    )
    assert (red + green + blue > 600) if scheme == "light" else (red + green + blue < 200)
    assert not await overflows(page)
    await shoot(page, f"catalogue-{scheme}-{'phone' if viewport else 'desk'}")
    assert problems == []


async def test_the_catalogue_is_used_by_keyboard(gallery: RunningServer, new_page):
    page = await new_page()
    await page.goto(gallery.url)
    await page.keyboard.press("Tab")
    await expect(page.locator(":focus")).to_have_text("Skip to the content")
    await page.locator('a[href="/apps/sliders"]').focus()
    await page.keyboard.press("Enter")
    await page.wait_for_selector(LIVE, state="attached")
    await expect(page).to_have_title(re.compile("Sliders"))
