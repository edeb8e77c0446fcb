"""Apps in pages of the site, by the custom elements ``<bokeh-app>`` and ``<bokeh-root>``, in a real browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from apps_registry.testing import RunningServer

from .browsing import PHONE, another_site, overflows, problems_of, shoot
from .serving import APPS, DOOR_APPS, ROOT, SAMPLES, Site
from .site_page import SitePage, Sockets

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ELEMENT_APPS = ROOT / "tests" / "apps_elements"
NONCE = "r4nd0m"
HEAD = f"""<title>A page</title><link rel=icon href=data:,>
<meta name=viewport content="width=device-width"><meta name=color-scheme content="light dark">
<link rel=stylesheet href=/static/apps_registry/bokeh-app.css>
<script nonce={NONCE}>
  window.seen = {{}};
  document.addEventListener("apps-registry-session", ({{ target, detail }}) => {{
    (seen[target.id] ??= []).push(detail);
  }});
  const model = (id, name) => seen[id].at(-1).document.get_model_by_name(name);
</script>
<script type=module src=/static/apps_registry/bokeh-app.js nonce={NONCE}></script><body>"""


@pytest.fixture(scope="session")
def element_site(site: Site) -> Site:
    return site.with_journal("elements.txt")


@pytest.fixture(scope="session")
def element_server(element_site: Site) -> Iterator[RunningServer]:
    """Apps for pages of others, with DEBUG."""
    apps = [*sorted(ELEMENT_APPS.iterdir()), SAMPLES / "sliders.py", APPS / "broken", DOOR_APPS / "witness"]
    with element_site.serve("--allow-websocket-origin", "localhost:*", *apps, debug=True) as server:
        yield server


def bokeh_app(name: str, query: str = "", *, id: str | None = None, more: str = "") -> str:
    return f'<bokeh-app id="{id or name}" src="/apps/{name}{query}" {more}></bokeh-app>'


async def live(page: Page, *ids: str) -> None:
    for name in ids:
        await page.wait_for_selector(f"#{name}[state=live]", state="attached")


async def set_model(page: Page, element: str, name: str, **values: Any) -> None:
    await page.evaluate("([id, name, values]) => model(id, name).setv(values)", [element, name, values])


async def model_text(page: Page, element: str, name: str) -> str:
    return await page.evaluate("([id, name]) => model(id, name).text", [element, name])


async def until_text(page: Page, element: str, name: str, text: str) -> None:
    await page.wait_for_function(
        "([id, name, text]) => model(id, name).text === text", arg=[element, name, text]
    )


async def test_several_apps_stand_on_a_page(element_server: RunningServer, new_page):
    page = await new_page()
    problems = problems_of(page)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    body = (
        "<input id=field autofocus>"
        + bokeh_app("parts", "?tag=one", id="one")
        + bokeh_app("parts", "?tag=two", id="two")
        + bokeh_app("sliders")
        + bokeh_app("witness")
    )
    async with SitePage(element_server, HEAD + body) as site:
        await page.goto(f"{site.url}/page")
        await live(page, "one", "two", "sliders", "witness")
        await set_model(page, "one", "number", value=21)
        await until_text(page, "one", "double", "42")
        await set_model(page, "two", "number", value=4)
        await until_text(page, "two", "double", "8")
        assert await model_text(page, "one", "double") == "42"
        await expect(page.locator("#field")).to_be_focused()
        await expect(page).to_have_title("A page")
        await shoot(page, "elements")
    scripts = [url for url in requests if url.endswith(".js")]
    assert len(scripts) == len(set(scripts))
    assert any("bokeh.min.js" in url for url in scripts)
    assert problems == []


# A session begins and ends with its element


async def test_an_element_that_is_taken_away_ends_its_session(
    element_server: RunningServer, element_site: Site, new_page
):
    page = await new_page()
    body = f"<div id=place>{bokeh_app('parts', '?tag=gone', id='one')}</div>{bokeh_app('parts', id='two')}"
    async with SitePage(element_server, HEAD + body) as site:
        await page.goto(f"{site.url}/page")
        await live(page, "one", "two")
        await page.evaluate("document.getElementById('one').remove()")
        await in_journal(element_site, "gone", "destroyed")
        await page.wait_for_function("Bokeh.documents.length === 1")
        # What is left of BokehJS is the other app's
        left = "[...Bokeh.index.roots].every(({ model }) => model.document === seen.two.at(-1).document)"
        assert await page.evaluate(left)
        await set_model(page, "two", "number", value=2)
        await until_text(page, "two", "double", "4")


async def in_journal(site: Site, tag: str, what: str) -> None:
    async with asyncio.timeout(20):
        while what not in site.notes(tag):
            await asyncio.sleep(0.02)


async def test_an_element_that_moves_keeps_its_session(
    element_server: RunningServer, element_site: Site, new_page
):
    page = await new_page()
    body = f"<div id=here>{bokeh_app('parts', '?tag=moves', id='one')}</div><div id=there></div>"
    async with SitePage(element_server, HEAD + body) as site:
        await page.goto(f"{site.url}/page")
        await live(page, "one")
        for script in (
            "document.getElementById('there').append(document.getElementById('one'))",
            "document.getElementById('here').moveBefore(document.getElementById('one'), null)",
        ):
            await page.evaluate(script)
            await set_model(page, "one", "number", value=3)
        await until_text(page, "one", "double", "6")
        await expect(page.get_by_role("slider")).to_be_visible()
        assert await table_columns(page) == 2
        # It is gone for less than a frame, as when a script swaps the page around it
        await page.evaluate(
            "() => { const one = document.getElementById('one'); one.remove();"
            " return Promise.resolve().then(() => document.getElementById('there').append(one)); }"
        )
        await set_model(page, "one", "number", value=5)
        await until_text(page, "one", "double", "10")
        assert [state["state"] for state in await states(page, "one")] == ["loading", "live"]
    assert element_site.notes("moves").count("built") == 1


async def table_columns(page: Page) -> int:
    """How many columns of the table stand beside one another."""
    cells = page.locator(".slick-row .slick-cell")
    await expect(cells).to_have_count(2)
    return len(set(await cells.evaluate_all("cells => cells.map((cell) => cell.getBoundingClientRect().x)")))


async def states(page: Page, element: str) -> list[dict[str, str]]:
    return await page.evaluate("id => seen[id].map(({ state, name }) => ({ state, name }))", element)


async def test_content_is_swapped_as_htmx_does(element_server: RunningServer, element_site: Site, new_page):
    page = await new_page()
    problems = problems_of(page)
    async with SitePage(element_server, f"{HEAD}<main></main>") as site:
        await page.goto(f"{site.url}/page")
        for number in range(3):
            html = bokeh_app("parts", f"?tag=swap{number}", id=f"swap{number}")
            await page.evaluate("html => { document.querySelector('main').innerHTML = html }", html)
            await live(page, f"swap{number}")
        await in_journal(element_site, "swap0", "destroyed")
        await in_journal(element_site, "swap1", "destroyed")
        await page.wait_for_function("Bokeh.documents.length === 1")
        assert "destroyed" not in element_site.notes("swap2")
    assert problems == []


async def test_an_element_may_go_before_its_app_is_there(
    element_server: RunningServer, element_site: Site, new_page
):
    """Gone while it fetches, while it loads scripts, or while its socket opens."""
    page = await new_page()
    problems = problems_of(page)
    async with SitePage(element_server, f"{HEAD}<main></main>{bokeh_app('parts', '?tag=stays')}") as site:
        await page.goto(f"{site.url}/page")
        await page.evaluate(
            """async html => {
              const main = document.querySelector("main");
              for (let wait = 0; wait < 300; wait += 20) {
                main.innerHTML = html;
                await new Promise((resolve) => setTimeout(resolve, wait));
              }
              main.innerHTML = "";
            }""",
            bokeh_app("witness", id="brief"),
        )
        await live(page, "parts")
        await page.wait_for_function("Bokeh.documents.length === 1")
    # The browser itself complains of what was broken off
    assert [problem for problem in problems if problem.startswith("exception")] == []


async def test_another_src_is_another_session(element_server: RunningServer, element_site: Site, new_page):
    page = await new_page()
    async with SitePage(element_server, HEAD + bokeh_app("parts", "?tag=before", id="one")) as site:
        await page.goto(f"{site.url}/page")
        await live(page, "one")
        await set_model(page, "one", "number", value=9)
        await until_text(page, "one", "double", "18")
        await page.evaluate("document.getElementById('one').setAttribute('src', '/apps/parts?tag=after')")
        await in_journal(element_site, "before", "destroyed")
        await live(page, "one")
        assert await model_text(page, "one", "double") == "2"
        assert element_site.notes("after") == ["built"]
        assert await states(page, "one") == [
            {"state": "loading", "name": ""},
            {"state": "live", "name": "parts"},
            {"state": "loading", "name": ""},
            {"state": "live", "name": "parts"},
        ]


# Roots in places of their own


PARTS = (
    "<p><bokeh-root for=app name=double></bokeh-root></p>"
    + bokeh_app("parts", "?tag=apart", id="app", more="apart")
    + "<div id=place><bokeh-root for=app name=number></bokeh-root></div>"
    "<bokeh-root for=app name=nowhere></bokeh-root>"
)


async def test_roots_stand_apart(element_server: RunningServer, element_site: Site, new_page):
    page = await new_page()
    warnings: list[str] = []
    page.on("console", lambda said: said.type == "warning" and warnings.append(said.text))
    async with SitePage(element_server, HEAD + PARTS) as site:
        await page.goto(f"{site.url}/page")
        await live(page, "app")
        double, number = page.locator("[name=double]"), page.locator("[name=number]")
        await expect(double).to_contain_text("2")
        await number.get_by_role("slider").focus()
        await page.keyboard.press("ArrowRight")
        await expect(double).to_contain_text("4")
        await expect(page.get_by_text("Has no name.")).to_be_hidden()
        await expect(page.locator("[name=nowhere]")).to_contain_text("This app has no part “nowhere”.")
        assert [
            said for said in warnings if "nowhere" in said and "number, double, more, news, table" in said
        ]
        await shoot(page, "apart")
        # Places come and go
        await page.evaluate("document.getElementById('place').replaceChildren()")
        await expect(page.get_by_role("slider")).to_have_count(0)
        await page.evaluate(
            "document.getElementById('place').innerHTML ="
            " ['late', 'more', 'table'].map((name) => `<bokeh-root for=app name=${name}></bokeh-root>`).join('')"
        )
        await expect(page.locator("[name=late]")).to_contain_text("This app has no part “late”.")
        assert await table_columns(page) == 2
        await page.get_by_role("button", name="More").click()
        await expect(page.locator("[name=late]")).to_contain_text("Came later.")
        await page.evaluate("document.querySelector('[name=nowhere]').setAttribute('name', 'number')")
        await expect(page.get_by_role("slider")).to_be_visible()
        assert element_site.notes("apart") == ["built"]
        await page.evaluate("document.getElementById('app').remove()")
        await in_journal(element_site, "apart", "destroyed")
        await expect(page.get_by_role("slider")).to_have_count(0)
    assert await page.evaluate("Bokeh.documents.length") == 0


async def test_roots_may_come_first_and_their_app_later(element_server: RunningServer, new_page):
    page = await new_page()
    async with SitePage(element_server, f"{HEAD}<bokeh-root for=app name=number></bokeh-root>") as site:
        await page.goto(f"{site.url}/page")
        await expect(page.locator("bokeh-root")).to_contain_text("The app of this part is not on this page.")
        await page.evaluate(
            "html => document.body.insertAdjacentHTML('beforeend', html)",
            bokeh_app("parts", id="app", more="apart"),
        )
        await live(page, "app")
        await expect(page.get_by_role("slider")).to_be_visible()


# What an element says


async def test_apps_that_cannot_be_shown_say_so_in_their_place(element_server: RunningServer, new_page):
    page = await new_page()
    body = bokeh_app("nothing") + bokeh_app("broken") + "<bokeh-app id=none></bokeh-app>" + bokeh_app("parts")
    async with SitePage(element_server, HEAD + "<input id=field autofocus>" + body) as site:
        await page.goto(f"{site.url}/page")
        await live(page, "parts")
        nothing, broken, none = (page.locator(f"#{name}") for name in ("nothing", "broken", "none"))
        await expect(nothing).to_contain_text("There is no such app")
        await expect(nothing).to_have_attribute("state", "refused")
        await expect(broken).to_contain_text("This app could not be started")
        await expect(broken).to_have_attribute("state", re.compile("ended|refused"))
        await expect(none).to_contain_text("This page does not say which app belongs here")
        # DEBUG lets everybody see what staff sees
        await broken.get_by_text("Traceback", exact=True).click()
        await expect(broken).to_contain_text("hunter2")
        await page.locator("#field").focus()
        await broken.get_by_role("button", name="Try again").click()
        await expect(broken).to_contain_text("This app could not be started")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await set_model(page, "parts", "number", value=4)
        await until_text(page, "parts", "double", "8")
        await shoot(page, "elements-refused")


async def test_a_login_leads_back_to_the_page(site: Site, new_page):
    apps = {"parts": str(ELEMENT_APPS / "parts")}
    page = await new_page()
    with site.serve(APPS=apps, ACCESS="login") as server:
        async with SitePage(server, HEAD + bokeh_app("parts")) as place:
            await page.goto(f"{place.url}/page?x=1#parts")
            await expect(page.locator("#parts")).to_contain_text("Please log in to open this app")
            await shoot(page, "elements-login")
            await page.get_by_role("link", name="Log in").click()
            await page.get_by_label("Username").fill("alice")
            await page.get_by_label("Password").fill("alice")
            await page.get_by_role("button", name="Log in").click()
            await page.wait_for_url(f"{place.url}/page?x=1#parts")
            await live(page, "parts")


# How a session ends: words, button, and whether the one who opens it again gets his settings back
ENDS = {
    4409: ("This session belongs to somebody else", "Open again", False),
    4429: ("Too many people are using this app", "Try again", True),
    4451: ("You are no longer logged in", "Open again", False),
    4452: ("You may no longer open this app", "Try again", False),
    4453: ("This app has been switched off", "Try again", True),
    4454: ("This session was ended by an administrator", "Open again", True),
    4455: ("This session was closed because nobody used it", "Open again", True),
}


@pytest.mark.parametrize("code", ENDS)
async def test_an_end_is_told_in_the_element(element_server: RunningServer, new_page, code: int):
    page, sockets = await new_page(), Sockets()
    await sockets.watch(page)
    words, button, restores = ENDS[code]
    body = bokeh_app("parts", "?tag=one", id="one") + bokeh_app("parts", "?tag=two", id="two")
    async with SitePage(element_server, HEAD + body) as site:
        await page.goto(f"{site.url}/page")
        await live(page, "one", "two")
        await set_model(page, "one", "number", value=3)
        await until_text(page, "one", "double", "6")
        sockets.refused["one"] = 4401
        await sockets.open["one"].close(code=code)
        one = page.locator("#one")
        await expect(one).to_have_attribute("state", "ended")
        await expect(one).to_contain_text(words)
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(one.locator(".ar-stage")).to_have_attribute("inert", "")
        assert await model_text(page, "one", "double") == "6"
        await shoot(page, f"elements-end-{code}")
        await set_model(page, "two", "number", value=4)
        await until_text(page, "two", "double", "8")
        sockets.refused.clear()
        await one.get_by_role("button", name=button).click()
        await live(page, "one")
        await until_text(page, "one", "double", "6" if restores else "2")


async def test_a_renewed_login_is_found_without_a_word(element_server: RunningServer, new_page):
    page, sockets = await new_page(), Sockets()
    await sockets.watch(page)
    async with SitePage(element_server, HEAD + bokeh_app("parts", "?tag=one", id="one")) as site:
        await page.goto(f"{site.url}/page")
        await live(page, "one")
        await set_model(page, "one", "number", value=3)
        await sockets.open["one"].close(code=4451)
        await page.wait_for_function("seen.one.map(({ state }) => state).join() === 'loading,live,lost,live'")
        assert await model_text(page, "one", "double") == "6"


@pytest.mark.parametrize("code", [4403, 4410])
async def test_a_token_of_no_more_use_is_renewed(element_server: RunningServer, new_page, code: int):
    page, sockets = await new_page(), Sockets()
    await sockets.watch(page)
    async with SitePage(element_server, HEAD + bokeh_app("parts", "?tag=one", id="one")) as site:
        await page.goto(f"{site.url}/page")
        await live(page, "one")
        await set_model(page, "one", "number", value=3)
        await until_text(page, "one", "double", "6")
        await sockets.open["one"].close(code=code)
        await page.wait_for_function("seen.one.map(({ state }) => state).join() === 'loading,live,lost,live'")
        await expect(page.locator("#one").get_by_role("status")).to_contain_text(
            "Your settings were put back"
        )
        await until_text(page, "one", "double", "6")
        # A server that wants none of the new one either is not asked for ever
        sockets.refused["one"] = code
        await sockets.open["one"].close(code=code)
        await expect(page.locator("#one")).to_have_attribute("state", "ended")


async def test_a_cut_connection_is_mended(element_server: RunningServer, new_page):
    page = await new_page()
    body = bokeh_app("parts", "?tag=one", id="one") + PARTS
    async with SitePage(element_server, HEAD + body) as site:
        await page.goto(f"{site.url}/page")
        await live(page, "one", "app")
        await set_model(page, "one", "number", value=3)
        await set_model(page, "app", "number", value=5)
        await until_text(page, "one", "double", "6")
        await until_text(page, "app", "double", "10")
        site.cut()
        for name in ("one", "app"):
            await page.wait_for_function(
                "name => seen[name].map(({ state }) => state).join() === 'loading,live,lost,live'", arg=name
            )
        await expect(page.locator("[name=double]")).to_contain_text("10")
        await page.locator("[name=number]").get_by_role("slider").focus()
        await page.keyboard.press("ArrowRight")
        await expect(page.locator("[name=double]")).to_contain_text("12")


async def test_an_edit_under_dev_starts_the_app_again(site: Site, new_page, tmp_path: Path):
    app = tmp_path / "edited.py"
    text = (SAMPLES / "sliders.py").read_text()
    app.write_text(text)
    page = await new_page()
    with site.serve("--dev", "--", app, debug=True) as server:
        async with SitePage(server, HEAD + "<input id=field>" + bokeh_app("edited")) as place:
            await page.goto(f"{place.url}/page")
            await live(page, "edited")
            await page.locator("#field").fill("kept")
            await set_model(page, "edited", "amplitude", value=2)
            app.write_text(text.replace('title="Title"', 'title="Heading"'))
            await expect(page.locator("#edited")).to_contain_text("Heading")
            await page.wait_for_function("model('edited', 'amplitude').value === 2")
            await expect(page.locator("#field")).to_have_value("kept")


async def test_a_message_to_the_viewer_is_shown_until_dismissed(element_server: RunningServer, new_page):
    page = await new_page()
    async with SitePage(element_server, HEAD + bokeh_app("parts")) as site:
        await page.goto(f"{site.url}/page")
        await live(page, "parts")
        site.cut()
        await page.wait_for_function(
            "seen.parts.map(({ state }) => state).join() === 'loading,live,lost,live'"
        )
        await page.get_by_role("button", name="News").click()
        message = page.locator("#parts").get_by_role("alert")
        await expect(message).to_contain_text("The server restarts at noon.")
        await shoot(page, "elements-message")
        await message.get_by_role("button", name="Dismiss").click()
        await expect(message).to_have_count(0)


# Pages of all kinds


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_an_element_fits_a_phone(element_server: RunningServer, new_page, scheme: str):
    page = await new_page(viewport=PHONE, color_scheme=scheme)
    body = f"<h1>A page</h1>{bokeh_app('wide')}{bokeh_app('sliders')}{bokeh_app('nothing')}"
    async with SitePage(element_server, HEAD + body) as site:
        await page.goto(f"{site.url}/page")
        await live(page, "wide", "sliders")
        await expect(page.locator("#nothing")).to_have_attribute("state", "refused")
        assert not await overflows(page)
        stage = page.locator("#wide .ar-stage")
        await expect(stage).to_have_class(re.compile("ar-overflowing"))
        assert await stage.evaluate("node => node.scrollWidth") >= 900
        await expect(page.locator("#sliders .ar-stage")).not_to_have_class(re.compile("ar-overflowing"))
        await shoot(page, f"elements-phone-{scheme}")


async def test_bokehjs_is_loaded_once_whoever_brought_it(element_server: RunningServer, new_page):
    page = await new_page()
    problems = problems_of(page)
    scripts: list[str] = []
    page.on("request", lambda request: request.resource_type == "script" and scripts.append(request.url))
    # One part under another name, as from a mirror, and the others as the site has them; one is missing
    own = "".join(
        f"<script defer src=/static/bokeh/js/bokeh{part}></script>"
        for part in (".js", "-widgets.min.js", "-gl.min.js", "-mathjax.min.js")
    )
    async with SitePage(element_server, own + HEAD + bokeh_app("parts")) as site:
        await page.goto(f"{site.url}/page")
        await live(page, "parts")
        await set_model(page, "parts", "number", value=4)
        await until_text(page, "parts", "double", "8")
    names = sorted(url.rpartition("/")[2] for url in scripts if "/bokeh/js/" in url)
    assert names == [
        "bokeh-gl.min.js",
        "bokeh-mathjax.min.js",
        "bokeh-tables.min.js",
        "bokeh-widgets.min.js",
        "bokeh.js",
    ]
    assert problems == []


async def test_script_elements_that_never_run_are_no_hindrance(element_server: RunningServer, new_page):
    page = await new_page()
    problems = problems_of(page)
    names = ("", "-gl", "-widgets", "-tables", "-mathjax")
    tags = "".join(f"<script src=/static/bokeh/js/bokeh{name}.min.js></script>" for name in names)
    async with SitePage(element_server, f"{HEAD}<main></main>") as site:
        await page.goto(f"{site.url}/page")
        await page.evaluate(
            "html => { document.querySelector('main').innerHTML = html }", tags + bokeh_app("parts")
        )
        await live(page, "parts")
    assert problems == []


async def test_scripts_that_could_not_be_loaded_are_tried_again(element_server: RunningServer, new_page):
    page = await new_page()

    async def fail(route: Route) -> None:
        await route.abort()

    await page.route("**/bokeh-widgets.min.js", fail)
    async with SitePage(element_server, HEAD + bokeh_app("parts")) as site:
        await page.goto(f"{site.url}/page")
        parts = page.locator("#parts")
        await expect(parts).to_contain_text("The scripts of this app could not be loaded")
        await page.unroute("**/bokeh-widgets.min.js", fail)
        await parts.get_by_role("button", name="Try again").click()
        await live(page, "parts")


async def test_a_page_of_another_site_has_the_element(element_server: RunningServer, new_page):
    page = await new_page()
    problems = problems_of(page)
    url = element_server.url
    head = HEAD.replace("=/static", f"={url}/static")
    body = f'<bokeh-app id=parts src="{url}/apps/parts?tag=partner"></bokeh-app>'
    async with another_site(head + body) as port:
        await page.goto(f"http://localhost:{port}/")
        await live(page, "parts")
        await set_model(page, "parts", "number", value=4)
        await until_text(page, "parts", "double", "8")
        assert problems == []
        await page.goto(f"http://127.0.0.1:{port}/")
        await expect(page.locator("#parts")).to_contain_text("The server does not answer")


#: The strictest policy under which an app works whose code brings no script of its own; see docs/csp.md.
POLICY = (
    f"default-src 'none'; script-src 'self' 'nonce-{NONCE}'; connect-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


async def test_apps_work_under_a_strict_policy(element_server: RunningServer, new_page):
    page = await new_page()
    problems = problems_of(page)
    body = bokeh_app("parts") + bokeh_app("sliders")
    async with SitePage(element_server, HEAD + body, POLICY) as site:
        await page.goto(f"{site.url}/page")
        await live(page, "parts", "sliders")
        await page.locator("#parts").get_by_role("slider").focus()
        await page.keyboard.press("ArrowRight")
        await expect(page.locator("#parts")).to_contain_text("4")
        await page.get_by_role("button", name="News").click()
        await expect(page.get_by_role("alert")).to_contain_text("The server restarts at noon.")
        await shoot(page, "elements-strict")
    assert problems == []
