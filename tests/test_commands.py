"""The commands beside ``runbokeh``, and the system checks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.test import override_settings

from apps_registry import tokens
from apps_registry.conf import SETTINGS
from apps_registry.management.options import OPTIONS, REPLACED
from apps_registry.testing import open_app

from .serving import APPS, MANAGE, ROOT, SAMPLES, Site


@pytest.fixture
def command() -> Callable[..., tuple[str, str]]:
    """``command(name, *args)`` runs a command in this process; what it wrote, and its complaints."""

    def command(name: str, *args: str | Path) -> tuple[str, str]:
        out, err = StringIO(), StringIO()
        try:
            call_command(name, *map(str, args), stdout=out, stderr=err, no_color=True)
        except CommandError as error:
            return out.getvalue(), f"{err.getvalue()}{error}"
        return out.getvalue(), err.getvalue()

    return command


def manage(site: Site, *args: str | Path) -> subprocess.CompletedProcess[str]:
    """``manage.py ARGS`` as a person types it."""
    return subprocess.run(
        [sys.executable, MANAGE, *map(str, args)],
        env=site.env(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# bokehsecret


def test_bokehsecret_prints_the_key_and_nothing_else(command):
    out, err = command("bokehsecret")
    assert out == tokens.client_key() + "\n"
    assert err == ""


def test_the_key_opens_sessions(command):
    # In a process of its own: Bokeh reads the environment once, at its import
    script = "from bokeh.util import token; print(token.generate_jwt_token(token.generate_session_id()))"
    key = command("bokehsecret")[0].strip()
    env = os.environ | {"BOKEH_SECRET_KEY": key, "BOKEH_SIGN_SESSIONS": "yes"}
    made = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    assert tokens.read(made.stdout.strip(), "sliders").may_push


# bokehjson


def test_bokehjson_writes_the_document(command, tmp_path: Path):
    out, _ = command("bokehjson", SAMPLES / "sliders.py")
    document = json.loads(out)
    assert document["title"] == "Sliders"
    assert [root["name"] for root in document["roots"]] == ["Row"]
    file = tmp_path / "sliders.json"
    out, _ = command("bokehjson", SAMPLES / "sliders.py", "-o", file, "--indent", "2")
    assert out == ""
    assert json.loads(file.read_text()).keys() == document.keys()
    assert '\n  "' in file.read_text()


def test_bokehjson_writes_binary_buffers_inline(command):
    out, _ = command("bokehjson", SAMPLES / "big_data")
    assert len(out) > 5_000_000
    assert json.loads(out)["title"] == "Big data"


def test_bokehjson_tells_what_fails(command):
    out, err = command("bokehjson", APPS / "broken")
    assert out == ""
    assert "hunter2" in err


@pytest.mark.django_db
def test_an_app_may_be_named_as_in_the_registry(command):
    with override_settings(APPS_REGISTRY={"APP_DIRS": [SAMPLES]}):
        assert "well" in command("checkapp", "sliders")[0]
        assert "neither a file nor a registered app" in command("checkapp", "nothing")[1]
        assert "neither a file nor a registered app" in command("bokehjson", "nothing")[1]


# checkapp


@pytest.mark.parametrize("name", ["sliders.py", "tides", "notebook", "long_job"])
def test_checkapp_says_that_an_app_is_well(command, name: str):
    out, err = command("checkapp", SAMPLES / name)
    assert "well" in out
    assert "models" in out
    assert err == ""


def test_checkapp_says_what_is_wrong_and_goes_on(command):
    paths = [APPS / "broken", SAMPLES / "sliders.py", APPS / "both_hooks", APPS / "exits"]
    out, err = command("checkapp", *paths)
    assert f"{SAMPLES / 'sliders.py'}: well" in out
    assert out.count("well") == 1
    assert "ValueError: the password is hunter2" in err
    assert "app_hooks.py or server_lifecycle.py" in err
    assert "SystemExit" in err
    assert err.rpartition("Not well: ")[2].count(",") == 2


def test_checkapp_tells_by_its_exit_code(site: Site):
    assert manage(site, "checkapp", SAMPLES / "sliders.py").returncode == 0
    failed = manage(site, "checkapp", APPS / "broken")
    assert failed.returncode == 1
    assert "main.py" in failed.stderr


# newapp


def test_newapp_makes_an_app_that_runs_and_tests_itself(command, tmp_path: Path):
    out, _ = command("newapp", "wind-speed", "--directory", tmp_path)
    folder = tmp_path / "wind-speed"
    assert str(folder) in out
    assert "well" in command("checkapp", folder)[0]
    with open_app(folder) as app:
        assert app.document.title == "Wind speed"
        before = app.find("curve").data["y"].copy()
        app.set("frequency", value=3)
        app.wait()
        assert (app.find("curve").data["y"] != before).any()
    arguments = ["-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "1 passed" in tested.stdout, tested.stdout


def test_newapp_takes_the_first_directory_of_apps(command, tmp_path: Path):
    with override_settings(APPS_REGISTRY={"APP_DIRS": [tmp_path / "apps"]}):
        command("newapp", "first")
    assert (tmp_path / "apps" / "first" / "main.py").is_file()
    with override_settings(APPS_REGISTRY={"APP_DIRS": []}):
        assert "--directory" in command("newapp", "second")[1]


def test_newapp_overwrites_nothing(command, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    assert "exists already" in command("newapp", "mine", "--directory", tmp_path)[1]
    assert list((tmp_path / "mine").iterdir()) == []


@pytest.mark.parametrize("name", ["", "a b", "../up", "a/b", "1st", ".hidden", "_own", "é"])
def test_newapp_wants_a_name_that_can_be_an_address(command, tmp_path: Path, name: str):
    assert "A name is made of" in command("newapp", name, "--directory", tmp_path)[1]
    assert list(tmp_path.iterdir()) == []


# check


def ids(**apps_registry: object) -> list[str]:
    """The ids of what the system checks find with these settings."""
    with override_settings(APPS_REGISTRY=apps_registry):
        return [found.id for found in run_checks(tags=["apps_registry"])]


def test_a_good_set_up_passes_the_checks(site: Site, tmp_path: Path):
    assert ids(APP_DIRS=[tmp_path]) == []
    assert ids(APPS={}, ACCESS="public", SESSION_IDS="unsigned") == []
    checked = manage(site, "check", "--fail-level", "WARNING")
    assert checked.returncode == 0, checked.stderr


def test_a_wrong_setting_is_told_with_the_right_one(tmp_path: Path):
    with override_settings(APPS_REGISTRY={"APP_DIR": [tmp_path], "FRUIT": 1}):
        found = {error.msg: error for error in run_checks(tags=["apps_registry"])}
    assert {error.id for error in found.values()} == {"apps_registry.E002"}
    hints = " ".join(error.hint for error in found.values())
    assert "Did you mean APP_DIRS?" in hints
    assert "docs/settings.md" in hints


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"ACCESS": "everybody"}, "apps_registry.E003"),
        ({"SESSION_IDS": "signned"}, "apps_registry.E003"),
        ({"APP_DIRS": "bokeh_apps"}, "apps_registry.E004"),
        ({"APP_DIRS": Path("bokeh_apps")}, "apps_registry.E004"),
        ({"APP_DIRS": ["/no/such/directory"]}, "apps_registry.W001"),
    ],
)
def test_what_cannot_be_is_told(wrong: dict[str, object], expected: str):
    assert ids(**wrong) == [expected]


def test_settings_that_are_no_dict_are_told():
    with override_settings(APPS_REGISTRY=["APP_DIRS"]):
        assert "apps_registry.E001" in [found.id for found in run_checks(tags=["apps_registry"])]


def test_a_site_without_its_application_is_told(tmp_path: Path):
    with override_settings(ASGI_APPLICATION=None):
        assert ids(APP_DIRS=[tmp_path]) == ["apps_registry.E005"]


# The options of runbokeh


def test_every_option_is_told_in_the_help(capsys):
    with pytest.raises(SystemExit):
        call_command("runbokeh", "--help")
    text = capsys.readouterr().out
    for option in OPTIONS:
        assert option.flag in text
        assert option.help.endswith(".")


def test_options_set_settings_that_there_are():
    assert {option.setting for option in OPTIONS} - {None} <= SETTINGS.keys()


def test_every_option_of_bokeh_serve_is_here_or_has_its_replacement():
    from bokeh.command.subcommands.serve import Serve

    stock = {flag for names, _ in Serve.args for flag in (names if isinstance(names, tuple) else (names,))}
    ours = {option.flag for option in OPTIONS} | {flag for flags in REPLACED for flag in flags.split(", ")}
    assert {flag for flag in stock if flag.startswith("--")} <= ours


def test_defaults_are_those_of_bokeh_serve():
    from bokeh.server.tornado import (
        DEFAULT_CHECK_UNUSED_MS,
        DEFAULT_KEEP_ALIVE_MS,
        DEFAULT_SESSION_TOKEN_EXPIRATION,
        DEFAULT_WEBSOCKET_MAX_MESSAGE_SIZE_BYTES,
    )

    options = {option.flag: option for option in OPTIONS}
    assert options["--port"].default == 5006
    assert options["--keep-alive"].default == DEFAULT_KEEP_ALIVE_MS
    defaults = {name: setting.default for name, setting in SETTINGS.items()}
    assert defaults["MAX_MESSAGE_SIZE"] == DEFAULT_WEBSOCKET_MAX_MESSAGE_SIZE_BYTES
    assert defaults["SESSION_TOKEN_EXPIRATION"] == DEFAULT_SESSION_TOKEN_EXPIRATION
    assert defaults["CHECK_UNUSED_SESSIONS"] == DEFAULT_CHECK_UNUSED_MS / 1000
