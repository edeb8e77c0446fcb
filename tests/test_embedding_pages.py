"""Apps in other pages, in a real browser: pages of the site, and pages of other sites."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from bokeh.embed import server_document, server_session
from bokeh.util.token import generate_jwt_token, generate_session_id
from playwright.async_api import expect

from apps_registry import tokens
from apps_registry.testing import RunningServer, connect

from .browsing import PHONE, another_site, open_app, overflows, problems_of, read, set_widget, shoot, until
from .rows import KEY
from .serving import ws_url

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

HEAD = "<title>Partner</title><link rel=icon href=data:,><body>"
SHOWN = "window.Bokeh?.documents?.length === 1 && Bokeh.documents[0].is_idle"


# Pages of the site


def of(title: str, expression: str) -> str:
    """An expression for a page in which ``model(name)`` is a model of one of its apps."""
    document = f"Bokeh.documents.find((document) => document.title() === {json.dumps(title)})"
    return f"() => {{ const model = (name) => {document}.get_model_by_name(name); return {expression}; }}"


@pytest.mark.parametrize("viewport", [None, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_showcase_has_apps_among_its_text(
    rows_server: RunningServer, new_page, scheme: str, viewport: Any
):
    page = await new_page(color_scheme=scheme, **({"viewport": viewport} if viewport else {}))
    problems = problems_of(page)
    await page.goto(f"{rows_server.url}/showcase/")
    await expect(page.locator("bokeh-app[state=live]")).to_have_count(4)
    await expect(page.locator("bokeh-root[state=live]")).to_have_count(2)
    assert await page.evaluate("Bokeh.documents.length") == 4
    note = page.get_by_role("note")
    await expect(note).to_have_text("This app is not available.")
    assert not await overflows(page)
    await page.wait_for_function("Bokeh.documents.every((document) => document.is_idle)")
    await shoot(page, f"showcase-{scheme}-{'phone' if viewport else 'desk'}")
    await expect(page).to_have_title(re.compile("^Showcase"))
    assert problems == []


async def test_each_app_of_the_showcase_has_a_session_of_its_own(rows_server: RunningServer, new_page):
    page = await new_page()
    await page.goto(f"{rows_server.url}/showcase/")
    await expect(page.locator("bokeh-app[state=live]")).to_have_count(4)
    await page.evaluate(of("Sliders", "model('amplitude').setv({value: 2.5})"))
    await page.wait_for_function(of("Sliders", "Math.max(...model('curve').data.y) > 2.4"))
    # Its roots stand in two places, and the session behind them is one
    await page.locator("bokeh-root[name=controls]").get_by_label("Harbour").select_option("Gullhaven")
    await page.wait_for_function(of("Tides at Saltness", "model('next_tides').text.includes('Gullhaven')"))
    await expect(page.locator("bokeh-root[name=tide_plot] canvas").first).to_be_visible()


async def test_apps_live_under_a_strict_policy(rows_server: RunningServer, new_page):
    """Which gives scripts by nonce only, and the signed context arrives."""
    page = await new_page()
    problems = problems_of(page)
    answer = await page.goto(f"{rows_server.url}/report/")
    assert "'strict-dynamic'" in answer.headers["content-security-policy"]
    await expect(page.locator("bokeh-app[state=live]")).to_have_count(2)
    await page.wait_for_function("Bokeh.documents.every((document) => document.is_idle)")
    seen = json.loads(await page.evaluate(of("Witness", "model('seen').text")))
    assert seen["token_payload"]["context"] == {"customer": 7}
    assert seen["arguments"] == {"region": ["EU"]}
    await expect(page.get_by_label("Title")).to_have_value("My sine wave")
    assert problems == []


@pytest.mark.parametrize("name", ["sliders", "tides"])
async def test_the_page_of_an_app_lives_under_the_policy_of_the_docs(
    rows_server: RunningServer, new_page, name: str
):
    page = await new_page()
    problems = problems_of(page)
    await open_app(page, rows_server, name)
    await expect(page.locator("canvas").first).to_be_visible()
    assert problems == []


# Other sites: pages of localhost, which the rows name, and pages of 127.0.0.1, which they do not


@pytest.mark.parametrize(("name", "arguments"), [("shared", {}), ("granted", {"guest": KEY})])
async def test_a_page_of_a_listed_site_shows_the_app(
    rows_server: RunningServer, new_page, name: str, arguments: Any
):
    page = await new_page()
    problems = problems_of(page)
    script = server_document(f"{rows_server.url}/apps/{name}", arguments=arguments | {"region": "EU"})
    async with another_site(HEAD + script) as port:
        await page.goto(f"http://localhost:{port}/")
        await page.wait_for_function(SHOWN)
        await set_widget(page, "number", value=21)
        await until(page, "model('double').text === '42'")
        assert '"arguments": {"region": ["EU"]}' in await read(page, "model('seen').text")
    assert problems == []


@pytest.mark.parametrize("name", ["witness", "granted", "nothing"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_other_pages_show_nothing(rows_server: RunningServer, new_page, name: str, host: str):
    page = await new_page()
    script = server_document(f"{rows_server.url}/apps/{name}")
    async with another_site(HEAD + script) as port:
        wanted = page.expect_event("requestfailed", lambda request: "autoload.js" in request.url)
        async with wanted as failed:
            await page.goto(f"http://{host}:{port}/")
        await failed.value
        assert await page.evaluate("window.Bokeh?.documents?.length ?? 0") == 0


async def test_a_page_of_a_listed_site_joins_a_session_that_was_made_for_it(
    rows_server: RunningServer, new_page
):
    key = tokens.client_key().encode()
    session_id = generate_session_id(secret_key=key, signed=True)
    token = generate_jwt_token(session_id, secret_key=key, signed=True)
    page = await new_page()
    async with connect(ws_url(rows_server, "shared"), token) as tab:
        assert (await tab.set("number", value=7)).type == "OK"
        script = server_session(session_id=session_id, url=f"{rows_server.url}/apps/shared")
        async with another_site(HEAD + script) as port:
            await page.goto(f"http://localhost:{port}/")
            await page.wait_for_function(SHOWN)
            assert await read(page, "model('double').text") == "14"
        forged = server_session(
            session_id=generate_session_id(None, signed=False), url=f"{rows_server.url}/apps/shared"
        )
        async with another_site(HEAD + forged) as port:
            async with page.expect_response(lambda answer: "autoload.js" in answer.url) as answered:
                await page.goto(f"http://localhost:{port}/")
            assert (await answered.value).status == 403


async def test_a_page_of_the_same_host_may_frame_the_page(rows_server: RunningServer, new_page):
    """Also where the site sends X-Frame-Options: DENY, as Django does by itself."""
    page = await new_page()
    answer = await page.goto(f"{rows_server.url}/frame/")
    assert answer.headers["x-frame-options"] == "DENY"
    await expect(page.frame_locator("iframe").get_by_role("slider")).to_be_visible()


async def test_a_listed_site_may_frame_the_page(rows_server: RunningServer, new_page):
    body = f'{HEAD}<iframe src="{rows_server.url}/apps/{{}}?bare" width=600 height=400></iframe>'
    page = await new_page()
    async with another_site(body.format("shared")) as port:
        await page.goto(f"http://localhost:{port}/")
        await expect(page.frame_locator("iframe").get_by_role("slider")).to_be_visible()
    async with another_site(body.format("witness")) as port:
        said = page.expect_event("console", lambda said: "frame-ancestors" in said.text)
        async with said as refused:
            await page.goto(f"http://localhost:{port}/")
        assert re.search("Framing|frame", (await refused.value).text)
