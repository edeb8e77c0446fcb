"""Imports between the files of one app, and never into another."""

from __future__ import annotations

import builtins
import importlib
import inspect
import os
import pickle
import sys
import threading
from types import ModuleType

import pytest

from apps_registry.exceptions import AppError

SIBLINGS = {
    "helpers.py": "VALUE = 42",
    "parts/__init__.py": "from . import inner\nNAME = 'parts'",
    "parts/inner.py": "VALUE = 42",
    "loose/deep/inner.py": "VALUE = 42",
}


@pytest.mark.parametrize(
    "statements",
    [
        "import helpers; value = helpers.VALUE",
        "import helpers as other; value = other.VALUE",
        "from helpers import VALUE as value",
        "from helpers import *; value = VALUE",
        "import parts.inner; assert parts.NAME == 'parts'; value = parts.inner.VALUE",
        "import parts.inner as inner; value = inner.VALUE",
        "from parts import inner; value = inner.VALUE",
        "from parts.inner import VALUE as value",
        "import loose.deep.inner; value = loose.deep.inner.VALUE",
        "from loose.deep import inner; value = inner.VALUE",
        "from . import helpers; value = helpers.VALUE",
        "from .helpers import VALUE as value",
        "from .parts.inner import VALUE as value",
        "value = __import__('helpers').VALUE",
        "exec('import helpers'); value = helpers.VALUE",
        "import importlib; value = importlib.import_module('parts.inner').VALUE",
        "from importlib import import_module; value = import_module('helpers').VALUE",
        "import importlib; value = importlib.import_module('.helpers', __package__).VALUE",
        "import helpers, importlib; value = importlib.reload(helpers).VALUE",
    ],
)
def test_every_form_of_import_finds_a_sibling(write_app, build, statements):
    app = write_app({**SIBLINGS, "main.py": f"{statements}\nassert value == 42\n"})
    code = app.load()
    build(code)
    assert not {"helpers", "parts", "loose"} & sys.modules.keys()
    assert any(name.startswith(f"{code.package}.") for name in sys.modules)


def test_two_apps_with_helpers_do_not_meet(sample_app, build):
    one, two = sample_app("helpers_one").load(), sample_app("helpers_two").load()
    assert build(one).get_model_by_name("words").text == "one"
    assert build(two).get_model_by_name("words").text == "two"
    assert build(one).get_model_by_name("words").text == "one"
    assert "helpers" not in sys.modules


def test_a_package_imports_its_parts_both_ways(sample_app, build):
    code = sample_app("package_app").load()
    assert build(code).get_model_by_name("area").text == "12.57 1"
    assert code.hooks.on_session_created is not None
    code.hooks.on_session_created(None)


def test_init_runs_once_and_may_import_siblings(write_app, build):
    code = write_app(
        {
            "__init__.py": "import helpers\nfrom .helpers import runs\nruns.append('init')",
            "helpers.py": "runs = []",
            "main.py": "from . import runs\nruns.append('main')",
        }
    ).load()
    build(code), build(code)
    assert sys.modules[code.package].runs == ["init", "main", "main"]


def test_siblings_may_import_each_other_in_a_circle(write_app, build):
    app = write_app(
        {
            "main.py": "import first\nassert first.value() == 42",
            "first.py": "import second\ndef value(): return second.value()\nNUMBER = 42",
            "second.py": "import first\ndef value(): return first.NUMBER",
        }
    )
    build(app.load())


def test_a_sibling_of_a_sibling_is_found_from_a_subpackage(write_app, build):
    app = write_app(
        {
            "main.py": "from parts.inner import value\nassert value == 42",
            "parts/inner.py": "from helpers import value",
            "helpers.py": "value = 42",
        }
    )
    build(app.load())


def test_a_script_finds_the_files_beside_it(write_app, build):
    app = write_app({"script.py": "import helpers\nassert helpers.VALUE == 42", **SIBLINGS}, main="script.py")
    build(app.load())


def test_a_callback_imports_late(sample_app, build, press):
    document = build(sample_app("late_import").load())
    press(document, "ask")
    assert document.get_model_by_name("result").text == "42"


def test_a_thread_of_the_app_imports_late(write_app, build):
    app = write_app(
        {
            "main.py": """
                import threading
                def work():
                    import helpers
                    found.append(helpers.VALUE)
                found = []
                thread = threading.Thread(target=work)
                thread.start()
                thread.join()
                assert found == [42]
            """,
            **SIBLINGS,
        }
    )
    build(app.load())


def test_a_sibling_hides_an_installed_module_from_its_own_app_only(write_app, build):
    hides = write_app({"main.py": "import colorsys\nassert colorsys.mine", "colorsys.py": "mine = True"})
    plain = write_app({"main.py": "import colorsys\nassert not hasattr(colorsys, 'mine')"})
    build(hides.load()), build(plain.load())
    assert not hasattr(importlib.import_module("colorsys"), "mine")


def test_what_python_has_built_in_is_never_hidden(write_app, build):
    build(write_app({"main.py": "import time\ntime.time()", "time.py": "raise AssertionError"}).load())


def test_a_directory_without_init_gives_way_to_an_installed_module(write_app, build):
    app = write_app({"main.py": "import colorsys\ncolorsys.rgb_to_hsv(0, 0, 0)", "colorsys/x.py": ""})
    build(app.load())


def test_the_import_system_stays_as_it_was(write_app, build, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    before = (
        list(sys.path),
        list(sys.argv),
        os.fspath(os.curdir),
        builtins.__import__,
        importlib.import_module,
    )
    working_directory = os.getcwd()  # noqa: PTH109
    app = write_app({**SIBLINGS, "main.py": "import helpers, parts.inner, importlib.metadata"})
    build(app.load())
    after = list(sys.path), list(sys.argv), os.fspath(os.curdir), builtins.__import__, importlib.import_module
    assert after == before
    assert os.getcwd() == working_directory  # noqa: PTH109
    assert not list(app.path.rglob("__pycache__"))


def test_siblings_say_where_they_are_but_not_to_servers_that_restart_on_edits(write_app, build):
    app = write_app({"main.py": "import helpers", "helpers.py": "def value():\n    return 42\n"})
    code = app.load()
    build(code)
    helpers = sys.modules[f"{code.package}.helpers"]
    assert helpers.__file__ == str(app.path / "helpers.py")
    assert inspect.getsource(helpers.value) == "def value():\n    return 42\n"
    # What Django's runserver goes by
    assert not helpers.__spec__.has_location


def test_app_code_has_the_rest_of_importlib(write_app, build):
    source = """
        import importlib, importlib.metadata, importlib.util as util
        from importlib import resources
        assert importlib.metadata.version("bokeh")
        assert importlib.util is util
        assert util.find_spec("bokeh")
        import bokeh.core.enums as enums
        assert importlib.import_module("bokeh.core.enums") is enums
    """
    build(write_app({"main.py": source}).load())


def test_a_name_put_among_the_builtins_is_seen(write_app, build, monkeypatch):
    app = write_app(
        {
            "main.py": "import builtins\nif hasattr(builtins, 'tr'): import helpers",
            "helpers.py": "assert tr('so') == 'so'",
        }
    )
    code = app.load()
    build(code)
    monkeypatch.setattr(builtins, "tr", lambda text: text, raising=False)
    build(code)
    assert f"{code.package}.helpers" in sys.modules


def test_classes_of_siblings_can_be_pickled(sample_app, build):
    code = sample_app("helpers_two").load()
    build(code)
    words = sys.modules[f"{code.package}.helpers"].words()
    again = pickle.loads(pickle.dumps(words))
    assert again == "two"
    assert type(again) is type(words)


def test_a_missing_module_is_the_error_that_python_gives(write_app, build):
    app = write_app({"main.py": "import parts.missing", **SIBLINGS})
    with pytest.raises(AppError) as caught:
        build(app.load())
    assert "ModuleNotFoundError" in caught.value.detail
    assert "importing.py" not in caught.value.detail
    assert caught.value.detail.count("File") == 1


def test_imports_of_two_apps_overlap(write_app, build, monkeypatch):
    meeting = ModuleType("meeting_of_two_apps")
    meeting.barrier = threading.Barrier(2)
    monkeypatch.setitem(sys.modules, meeting.__name__, meeting)
    waits = f"import {meeting.__name__} as meeting\nmeeting.barrier.wait(timeout=20)"
    codes = [write_app({"main.py": "import helpers", "helpers.py": waits}).load() for _ in range(2)]
    assert run_together(lambda code: build(code), codes) == []


def test_a_sibling_runs_once_however_many_sessions_ask_at_once(write_app, build):
    app = write_app(
        {
            "main.py": "import slow_helpers\nassert slow_helpers.done",
            "slow_helpers.py": "import counts, time\ncounts.runs += 1\ntime.sleep(0.05)\ndone = True",
            "counts.py": "runs = 0",
        }
    )
    code = app.load()
    assert run_together(lambda _: build(code), range(4)) == []
    assert sys.modules[f"{code.package}.counts"].runs == 1


def test_names_that_are_no_identifiers_make_packages_of_their_own(write_app, build):
    codes = [
        write_app({**SIBLINGS, "main.py": "import helpers"}, name=name).load()
        for name in ("my-app", "my_app", "Übersicht 2.0")
    ]
    for code in codes:
        build(code)
    packages = {code.package for code in codes}
    assert len(packages) == 3
    assert all(package.isidentifier() for package in packages)


def run_together(work, items) -> list[BaseException]:
    """Run ``work(item)`` for each item on a thread of its own; what they raised."""
    errors: list[BaseException] = []

    def run(item):
        try:
            work(item)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(item,)) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return errors
