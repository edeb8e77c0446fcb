"""Static files that are not Django's own."""

from __future__ import annotations

import sys

from bokeh.embed.bundle import extension_dirs
from django.test import override_settings

from apps_registry.finders import BokehFinder
from apps_registry.live import adapter

NAME = "a_package_for_the_finder"


def _write(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _found(finder):
    return {f"{storage.prefix}/{name}" for name, storage in finder.list(["*.map"])}


def test_bokehjs_and_the_extensions_that_apps_import(tmp_path, monkeypatch):
    package = tmp_path / "packages" / NAME
    _write(package / "__init__.py", "from bokeh.models import Div\nclass Glossy(Div): pass")
    _write(package / "bokeh.ext.json", "{}")
    _write(package / "dist" / f"{NAME}.min.js", "// shines")
    _write(tmp_path / "apps" / "shiny" / "main.py", f"import {NAME}")
    _write(tmp_path / "apps" / "shiny" / "static" / "css" / "shiny.css")
    _write(tmp_path / "apps" / "broken.py", "import nothing_of_this_name")
    monkeypatch.syspath_prepend(tmp_path / "packages")
    try:
        with override_settings(APPS_REGISTRY={"APP_DIRS": [tmp_path / "apps"]}):
            finder = BokehFinder()
            found = _found(finder)
            assert finder.find(f"bokeh/extensions/{NAME}/{NAME}.min.js").endswith(f"{NAME}.min.js")
            assert finder.find(f"bokeh/extensions/{NAME}/none.js") == []
            # Who may not open an app does not get its files either
            assert finder.find("apps/shiny/css/shiny.css") == []
        assert "bokeh/js/bokeh.min.js" in found
        assert not [name for name in found if name.startswith("apps/")]
        assert f"bokeh/extensions/{NAME}/{NAME}.min.js" in found
        assert not [name for name in found if name.endswith((".map", "bokeh.js"))]
    finally:
        adapter.forget_models(NAME)
        sys.modules.pop(NAME, None)
        extension_dirs.pop(NAME, None)
