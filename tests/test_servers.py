"""``manage.py runbokeh`` and ``runserver``: how they start, what their options do, and how they stop."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import json
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from bokeh.util import token as bokeh_token
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.core.management import CommandError, call_command
from websockets import ConnectionClosed, connect as connect_websocket, unix_connect

from apps_registry.testing import RunningServer, connect
from apps_registry.testing.socket import token_of

from .serving import (
    APPS,
    DOOR_APPS,
    MANAGE,
    Site,
    cookie_header,
    fetch,
    log_in,
    open_tab,
    page_token,
    visit,
    wait_until,
    ws_url,
)

WITNESS = DOOR_APPS / "witness"
SIGNALS = [signal.SIGTERM, signal.SIGINT]

APP = """
from bokeh.layouts import column
from bokeh.models import Button, Div
from bokeh.plotting import curdoc

VERSION = {version}
button = Button(name="press")
shown = Div(name="version", text=str(VERSION))
told = Div(name="told", text="")
button.on_click(lambda: told.update(text=str(VERSION)))
curdoc().add_root(column(button, shown, told))
"""


def write_app(path: Path, version: int) -> None:
    path.write_text(APP.format(version=version))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def version_of(server: RunningServer, name: str) -> str:
    """What the code of a new session of an app says of itself."""
    async with open_tab(server, name) as tab:
        return tab.find("version").text


async def until_version(server: RunningServer, name: str, version: int) -> None:
    """Open sessions until one has this version of the code: the server looks for edits every half second."""
    for _ in range(200):
        if await version_of(server, name) == str(version):
            return
    pytest.fail(f"New sessions never got version {version}.")


# Start and stop


@pytest.fixture
def journaled(site: Site) -> Site:
    """The site with a journal of its own."""
    return site.with_journal("own-journal.txt")


def assert_clean(output: str) -> None:
    assert "Traceback" not in output
    assert "Unhandled" not in output
    assert "never" not in output, "Python warns of something that was never awaited or retrieved."


@pytest.mark.parametrize("how", SIGNALS)
async def test_hooks_of_the_server_run_once(journaled: Site, asgi_server: str, how: signal.Signals):
    with journaled.serve("--server", asgi_server, WITNESS) as server:
        async with open_tab(server, "witness"), open_tab(server, "witness"):
            assert journaled.notes().count("loaded") == 1
        server.stop(how)
        assert_clean(server.output)
    notes = journaled.notes()
    assert notes[0] == "loaded", "The hook of the server should run before the first session."
    assert notes[-1] == "unloaded", "The hook should run at the end, after the last session."
    assert notes.count("created") == notes.count("destroyed") == 2
    assert notes.count("loaded") == notes.count("unloaded") == 1


#: Hooks of servers, by what they do to them.
BAD_HOOKS = {
    "leaves": "import sys\ndef on_server_loaded(server_context): sys.exit(3)\n",
    "sleeps": "import time\ndef on_server_unloaded(server_context): time.sleep(90)\n",
    "waits": "import asyncio\nasync def on_server_unloaded(server_context): await asyncio.sleep(90)\n",
}
LEAVES = """
import sys
from bokeh.document import without_document_lock
from bokeh.io import curdoc

@without_document_lock
async def leave():
    sys.exit(7)

curdoc().add_next_tick_callback(leave)
"""


async def test_bad_hooks_and_callbacks_neither_end_a_server_nor_keep_it(site: Site, tmp_path: Path):
    for name, hooks in BAD_HOOKS.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "main.py").write_text("")
        (tmp_path / name / "app_hooks.py").write_text(hooks)
    (tmp_path / "exits.py").write_text(LEAVES)
    apps = [tmp_path / name for name in (*BAD_HOOKS, "exits.py")]
    with site.serve(*apps, STOP_TIMEOUT=1) as server:
        async with open_tab(server, "exits"):
            await asyncio.to_thread(wait_until, lambda: "SystemExit" in server.output)
        assert fetch(server, "/apps/waits").status_code == 200
        assert server.stop(timeout=30) == 0


async def test_open_tabs_are_told_that_the_server_stops(site: Site, asgi_server: str):
    with site.serve("--server", asgi_server, WITNESS) as server:
        async with open_tab(server, "witness") as tab:
            server.process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                await tab.receive()
            assert closed.value.rcvd.code in (1001, 1012)
        server.stop()


def test_a_server_stops_though_app_code_does_not(site: Site, apps: Path, asgi_server: str):
    settings = {"START_TIMEOUT": 60, "STOP_TIMEOUT": 1}
    with site.serve("--server", asgi_server, apps / "never_ends", **settings) as server:
        address = f"{server.ws_url}/apps/never_ends/ws"
        script = f"""
import asyncio, websockets
async def main():
    async with websockets.connect({address!r}, subprotocols=["bokeh", {page_token(server, "never_ends")!r}]):
        print("open", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""
        visitor = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        try:
            assert visitor.stdout.readline() == b"open\n"
            server.stop(timeout=20)
        finally:
            visitor.kill()
            visitor.wait()
            visitor.stdout.close()


@contextmanager
def run_django(
    site: Site, *args: str, **apps_registry: object
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """``manage.py runserver --noreload``, until the end of the block; its address and process."""
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-u", str(MANAGE), "runserver", "--noreload", *args, address]
    log = site.folder / "runserver.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=site.env(debug=True, **apps_registry), stdout=output, stderr=subprocess.STDOUT
        )
        try:
            wait_until(lambda: is_up(f"http://{address}/") or process.poll() is not None, within=60)
            assert process.poll() is None, log.read_text()
            yield address, process
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def is_up(url: str) -> bool:
    try:
        return httpx.get(url, timeout=20).status_code < 500
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("how", SIGNALS)
async def test_django_s_own_server_serves_apps_and_runs_the_hooks(journaled: Site, how: signal.Signals):
    with run_django(journaled, APPS={"witness": str(WITNESS)}) as (address, process):
        server = RunningServer(f"http://{address}", process, [])
        async with open_tab(server, "witness") as tab:
            await tab.set("number", value=8)
            await tab.idle()
            assert tab.find("double").text == "16"
        process.send_signal(how)
        process.wait(20)
    notes = journaled.notes()
    assert notes == ["loaded", "created", "built", "destroyed", "unloaded"]


def test_a_port_that_is_taken_is_told(site: Site, asgi_server: str):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        command = [sys.executable, str(MANAGE), "runbokeh", "--server", asgi_server, str(WITNESS)]
        command += ["--port", str(other.getsockname()[1])]
        done = subprocess.run(
            command, env=site.env(), capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode != 0
    assert "Vizserver is running" not in done.stdout
    assert "address already in use" in done.stderr.lower()


def test_one_app_that_does_not_load_keeps_no_other_from_serving(site: Site):
    with site.serve(APPS / "both_hooks", WITNESS) as server:
        assert fetch(server, "/apps/witness").status_code == 200
        broken = fetch(server, "/apps/both_hooks", Accept="text/html")
    assert broken.status_code == 500
    assert "app_hooks.py" in broken.text
    assert "both_hooks" in server.output


# Options


async def test_a_prefix_stands_before_everything(site: Site, asgi_server: str):
    with site.serve("--server", asgi_server, "--prefix", "/viz", WITNESS, DOOR_APPS / "templated") as server:
        assert server.url.endswith("/viz")
        page = fetch(server, "/apps/witness")
        assert '"/viz/apps/witness/ws"' in page.text
        assert 'src="/viz/static/bokeh/js/bokeh.min.js"' in page.text
        for address in set(find_addresses(page.text)):
            assert address.startswith("/viz/"), address
            assert fetch(server, address.removeprefix("/viz")).status_code == 200, address
        assert fetch(server, "/apps/templated/static/css/page.css").status_code == 200
        assert fetch(server, "/apps/witness/metadata").json()["url"] == "/viz/apps/witness"
        async with connect(ws_url(server, "witness"), token_of(page.text)) as tab:
            assert tab.find("double").text == "2"
        root = server.url.removesuffix("/viz")
        for path in ("/", "/apps/witness", "/vizapps/witness"):
            assert httpx.get(root + path).status_code == 404, path  # noqa: ASYNC210
        assert httpx.get(root + "/viz", follow_redirects=True).status_code == 200  # noqa: ASYNC210


def find_addresses(page: str) -> Iterator[str]:
    """The addresses of the scripts and styles of a page."""
    for name in ("src", "href"):
        for rest in page.split(f' {name}="')[1:]:
            address = rest.partition('"')[0]
            if "/static/" in address:
                yield address


@contextmanager
def run_on_socket(site: Site, path: Path, *args: str) -> Iterator[None]:
    """``manage.py runbokeh --unix-socket``, until the end of the block."""
    command = [sys.executable, "-u", str(MANAGE), "runbokeh", "--unix-socket", str(path), *args]
    env = site.env(APPS={"witness": str(WITNESS)}, ACCESS="public")
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline().strip() == f"Vizserver is running at unix:{path}/"
        yield
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


async def test_a_unix_socket_serves_the_same(site: Site, asgi_server: str, tmp_path: Path):
    path = tmp_path / "s"
    with run_on_socket(site, path, "--server", asgi_server):
        transport = httpx.AsyncHTTPTransport(uds=str(path))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            page = await client.get("/apps/witness")
        address, protocols = "ws://localhost/apps/witness/ws", ["bokeh", token_of(page.text)]
        async with unix_connect(str(path), address, subprotocols=protocols) as tab:
            assert '"ACK"' in await tab.recv()


async def test_several_options_in_one_go(site: Site, tmp_path: Path):
    """A file of apps by pattern, arguments for them, a catalogue of one's own, logs as one likes them."""
    for name in ("one", "two"):
        write_app(tmp_path / f"{name}.py", 1)
    template = tmp_path / "mine.html"
    template.write_text("<h1>My apps</h1>{% for app in apps %}<p>{{ app.name }}</p>{% endfor %}")
    log_file = tmp_path / "log.txt"
    opened = tmp_path / "opened.txt"
    options = ["--glob", tmp_path / "*.py", WITNESS, "--index", template]
    options += ["--log-level", "debug", "--log-file", log_file, "--log-format", "LINE %(message)s", "--show"]
    browser = f'{sys.executable} -c \'import sys; open("{opened}", "a").write(sys.argv[1] + chr(10))\' %s'
    with site.serve(*options, "--args", "--deep", "7", env={"BROWSER": browser}) as server:
        index = fetch(server, "/")
        assert "<h1>My apps</h1>" in index.text
        assert "<p>one</p><p>two</p><p>witness</p>" in index.text
        assert await version_of(server, "two") == "1"
        async with open_tab(server, "witness") as tab:
            assert json.loads(tab.find("seen").text)["argv"] == ["--deep", "7"]
        wait_until(lambda: opened.exists() and len(opened.read_text().split()) == 3)
        urls = [f"{server.url}/apps/{name}" for name in ("one", "two", "witness")]
        assert opened.read_text().split() == urls
        assert [line.strip() for line in server.lines if line.startswith("  http")] == urls
    logged = log_file.read_text().splitlines()
    assert logged
    assert any(line.startswith("LINE ") for line in logged)


def test_one_path_is_what_the_first_page_leads_to(site: Site):
    with site.serve(WITNESS) as server:
        answer = fetch(server, "/")
        assert (answer.status_code, answer.headers["Location"]) == (302, "/apps/witness")
    with site.serve("--disable-index-redirect", WITNESS) as server:
        assert "/apps/witness" in fetch(server, "/").text
    with site.serve("--disable-index", WITNESS, APPS / "slow") as server:
        assert fetch(server, "/").status_code == 404
        assert fetch(server, "/apps/witness").status_code == 200


def test_paths_are_public_on_a_loopback_address_only(site: Site):
    with site.serve("--address", "0.0.0.0", WITNESS) as server:
        local = httpx.get(f"{server.url}/apps/witness", headers={"Accept": "text/html"})
        assert local.status_code == 302
        assert "/accounts/login/" in local.headers["Location"]


async def test_unsigned_sessions_are_open_to_whoever_names_them(site: Site):
    with site.serve("--session-ids", "unsigned", "--blank", WITNESS) as server:
        token = bokeh_token.generate_jwt_token("mine", signed=False)
        async with (
            connect(ws_url(server, "witness"), token) as client,
            open_tab(server, "witness", "?bokeh-session-id=mine") as tab,
        ):
            await client.set("number", value=2)
            await tab.idle()
            assert tab.find("double").text == "4"
        async with connect(ws_url(server, "blank"), token) as client:
            assert client.document.roots == []


@pytest.mark.parametrize(
    "where",
    [
        ["--address", "0.0.0.0"],
        ["--address", "::"],
        ["--address", "example.com"],
        ["--unix-socket", "/tmp/s"],
    ],
)
def test_unsigned_sessions_are_for_a_loopback_address_only(where: list[str]):
    with pytest.raises(CommandError, match="loopback"):
        call_command("runbokeh", str(WITNESS), "--session-ids", "unsigned", *where)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["no/such/app"], "There is no no/such/app"),
        ([str(WITNESS), str(APPS / "witness.py")], "There is no"),
        (["--glob", "no/such/*"], "None of the patterns"),
        (["--unix-socket", "/tmp/s", "--port", "5007"], "--unix-socket goes without"),
    ],
)
def test_options_that_cannot_be_are_told(args: list[str], words: str):
    with pytest.raises(CommandError, match=words):
        call_command("runbokeh", *args)


def test_two_apps_of_one_name_are_told(tmp_path: Path):
    write_app(tmp_path / "witness.py", 1)
    with pytest.raises(CommandError, match="Two of the apps are named witness"):
        call_command("runbokeh", str(WITNESS), str(tmp_path / "witness.py"))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    encoding = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(certificate.public_bytes(encoding))
    secret = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(secret)
    return folder / "cert.pem", folder / "key.pem"


async def test_pages_and_sockets_over_tls(site: Site, asgi_server: str, certificate: tuple[Path, Path]):
    cert, key = certificate
    options = ["--server", asgi_server, "--ssl-certfile", cert, "--ssl-keyfile", key]
    trust = ssl.create_default_context(cafile=str(cert))
    with site.serve(*options, WITNESS) as server:
        assert server.url.startswith("https://")
        page = httpx.get(f"{server.url}/apps/witness", verify=trust)  # noqa: ASYNC210
        script = httpx.get(  # noqa: ASYNC210
            f"{server.url}/apps/witness/autoload.js?bokeh-autoload-element=spot", verify=trust
        )
        assert f"{server.url}/static/bokeh/js/bokeh.min.js" in script.text
        async with connect_websocket(
            ws_url(server, "witness"),
            subprotocols=["bokeh", token_of(page.text)],
            origin=server.url,
            ssl=trust,
        ) as tab:
            assert '"ACK"' in await tab.recv()


# Edits


async def test_an_edit_serves_the_next_session(site: Site, tmp_path: Path):
    main = tmp_path / "main.py"
    write_app(main, 1)
    with site.serve(tmp_path) as server:
        name = tmp_path.name
        async with open_tab(server, name) as old:
            write_app(main, 2)
            await until_version(server, name, 2)
            await old.press("press")
            await old.idle()
            assert old.find("told").text == "1", "A live session should keep its code."

            main.write_text("def broken(:\n")
            wait_until(lambda: fetch(server, f"/apps/{name}") and "SyntaxError" in server.output)
            assert await version_of(server, name) == "2", "Code that does not compile should not serve."
            write_app(main, 3)
            await until_version(server, name, 3)
        assert server.process.poll() is None


async def test_dev_reloads_the_tabs_of_an_app_that_changes(site: Site, asgi_server: str, tmp_path: Path):
    for name in ("edited", "other"):
        write_app(tmp_path / f"{name}.py", 1)
    paths = [tmp_path / "edited.py", tmp_path / "other.py"]
    shared = tmp_path / "shared.txt"
    shared.write_text("1")
    with site.serve("--server", asgi_server, "--dev", shared, "--", *paths) as server:
        async with open_tab(server, "other") as other:
            async with open_tab(server, "edited") as tab:
                write_app(paths[0], 2)
                with pytest.raises(ConnectionClosed) as closed:
                    await tab.receive()
                assert closed.value.rcvd.code == 4205
            assert await version_of(server, "edited") == "2"
            await other.press("press")
            await other.idle()
            assert other.find("told").text == "1", "Another app's tab should stay as it is."

            paths[0].write_text("def broken(:\n")
            wait_until(lambda: fetch(server, "/apps/edited", Accept="text/html").status_code == 500)
            wait_until(lambda: "SyntaxError" in server.output)
            write_app(paths[0], 3)
            wait_until(lambda: fetch(server, "/apps/edited", Accept="text/html").status_code == 200)
            await until_version(server, "edited", 3)

            shared.write_text("2")
            with pytest.raises(ConnectionClosed) as closed:
                await other.receive()
            assert closed.value.rcvd.code == 4205
        assert server.process.poll() is None


# Logs


async def test_what_an_app_says_goes_to_the_log_with_app_session_and_user(
    private_server: RunningServer,
):
    with visit(private_server) as alice:
        log_in(alice, "alice")
        token = page_token(private_server, "witness", client=alice)
        async with connect(ws_url(private_server, "witness"), token, cookie_header(alice)) as tab:
            session_id = json.loads(tab.find("seen").text)["id"]
            await tab.press("speak")
    said = f"[witness {session_id[:8]} alice]"
    for words in ("a word from print", "a word from logging"):
        line = wait_until(lambda words=words: next((x for x in private_server.lines if words in x), None))
        assert said in line
    assert session_id not in private_server.output, (
        "A session id opens the session; the log has its beginning."
    )


async def test_a_failed_callback_is_logged_with_app_and_reference(server: RunningServer):
    async with open_tab(server, "raises_in_callback") as tab:
        answer = await tab.press("bad")
    reference = answer.content["text"].rpartition(" ")[2]
    line = wait_until(lambda: next((x for x in server.lines if reference in x), None))
    assert "[raises_in_callback " in line
    wait_until(lambda: "the secret is 42" in server.output.partition(reference)[2])
