"""What the environment makes of the site's settings, each time in a process of its own."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
KEPT = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH")


def settings(data_dir: Path, names: str, **environment: str) -> subprocess.CompletedProcess[str]:
    code = f"from vizserver import settings as s; import json; print(json.dumps([{names}], default=str))"
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        env={**kept, "DATA_DIR": str(data_dir), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def values(data_dir: Path, names: str, **environment: str) -> Any:
    result = settings(data_dir, names, **environment)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_without_a_key_the_site_refuses_to_start(tmp_path: Path) -> None:
    result = settings(tmp_path, "s.SECRET_KEY", DEBUG="0", SECRET_KEY="")
    assert result.returncode != 0
    assert "Set SECRET_KEY" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_development_makes_a_key_once_and_for_its_owner_only(tmp_path: Path) -> None:
    first = values(tmp_path / "new", "s.SECRET_KEY", DEBUG="1", SECRET_KEY="")
    second = values(tmp_path / "new", "s.SECRET_KEY", DEBUG="1", SECRET_KEY="")
    assert first == second
    assert len(first[0]) >= 50
    assert stat.S_IMODE((tmp_path / "new" / "secret_key").stat().st_mode) == 0o600


def test_debug_is_off_and_cookies_are_secure_unless_asked_otherwise(tmp_path: Path) -> None:
    names = "s.DEBUG, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.ALLOWED_HOSTS"
    local = ["localhost", "127.0.0.1", "[::1]"]
    assert values(tmp_path, names, SECRET_KEY="k", DEBUG="") == [False, True, True, local]
    asked = {"DEBUG": "1", "ALLOWED_HOSTS": "viz.example.org"}
    assert values(tmp_path, names, SECRET_KEY="k", **asked) == [True, False, False, ["viz.example.org"]]


def test_the_database_is_a_file_among_the_data_or_the_one_named(tmp_path: Path) -> None:
    names = "s.DATABASES['default']['ENGINE'], s.DATABASES['default']['NAME']"
    data = tmp_path / "a folder #1"
    unset = values(data, names, SECRET_KEY="k", DATABASE_URL="")
    assert unset == ["django.db.backends.sqlite3", str(data / "db.sqlite3")]
    named = values(data, names, SECRET_KEY="k", DATABASE_URL="postgres://u:p@db.example.org/viz")
    assert named == ["django.db.backends.postgresql", "viz"]


def test_a_channel_layer_is_there_when_redis_is(tmp_path: Path) -> None:
    names = "getattr(s, 'CHANNEL_LAYERS', {})"
    assert values(tmp_path, names, SECRET_KEY="k", REDIS_URL="") == [{}]
    [layers] = values(tmp_path, names, SECRET_KEY="k", REDIS_URL="redis://r.example.org:6379/0")
    [host] = layers["default"]["CONFIG"]["hosts"]
    assert host["address"] == "redis://r.example.org:6379/0"


def test_app_dirs_may_be_several_relative_or_not(tmp_path: Path) -> None:
    names = "s.APPS_REGISTRY['APP_DIRS']"
    assert values(tmp_path, names, SECRET_KEY="k", APP_DIRS="") == [[str(ROOT / "bokeh_apps")]]
    several = values(tmp_path, names, SECRET_KEY="k", APP_DIRS="mine,/srv/apps")
    assert several == [[str(ROOT / "mine"), "/srv/apps"]]
