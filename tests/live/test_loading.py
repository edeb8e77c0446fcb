"""From the files of an app to its documents: discovering, loading, building, editing, letting go."""

from __future__ import annotations

import gc
import importlib
import json
import logging
import os
import shutil
import sys
import threading
import traceback
import weakref
from pathlib import Path
from types import ModuleType

import bokeh.io
import bokeh.plotting
import pytest
from bokeh.document import Document
from bokeh.io import curdoc
from bokeh.model import Model

from apps_registry.exceptions import AppError, AppLoadError
from apps_registry.live import adapter, extensions, loading
from apps_registry.live.extensions import page_scripts
from apps_registry.live.failures import describe
from apps_registry.live.loading import discover

from .conftest import SAMPLES, app_modules, write

SHOWS = "from bokeh.models import Div\nfrom bokeh.plotting import curdoc\ncurdoc().add_root(Div(text={!r}))\n"


def shown(document: Document) -> list[str]:
    return [root.text for root in document.roots]


# Discovering


def test_apps_are_found_by_their_files(tmp_path):
    for name in (
        "script.py", "book.ipynb", "directory/main.py", "with_book/main.ipynb", "package/__init__.py",
        "package/main.py", "_hidden.py", ".hidden/main.py", "no_main/helpers.py", "only_init/__init__.py",
        "notes.txt", "__pycache__/main.py",
    ):  # fmt: skip
        write(tmp_path / name, "")
    apps, errors = discover(tmp_path)
    assert sorted(apps) == ["book", "directory", "package", "script", "with_book"]
    assert apps["script"] == tmp_path / "script.py"
    assert apps["package"] == tmp_path / "package"
    assert errors == {}


def test_two_apps_of_one_name_are_an_error_of_that_name_only(tmp_path):
    for name in ("sales.py", "sales/main.py", "stocks.py"):
        write(tmp_path / name, "")
    apps, errors = discover(tmp_path)
    assert list(apps) == ["stocks"]
    assert errors["sales"].summary == "There are 2 apps named sales: sales/, sales.py."


def test_a_missing_directory_has_no_apps(tmp_path):
    assert discover(tmp_path / "missing") == ({}, {})


# Building


def test_each_session_runs_the_main_file_in_a_module_of_its_own(write_app, build):
    source = """
        from bokeh.plotting import curdoc
        assert __name__.startswith("bokeh_app_") and __file__.endswith("main.py")
        count = globals().get("count", 0) + 1
        curdoc().title = f"{count} {__name__}"
    """
    code = write_app({"main.py": source}).load()
    titles = {build(code).title for _ in range(3)}
    assert len(titles) == 3
    assert all(title.startswith("1 ") for title in titles)
    assert {title.split()[1] for title in titles} <= sys.modules.keys()


def test_curdoc_is_the_sessions_document_while_it_is_built(write_app, build):
    outside = curdoc()
    documents = [build(write_app({"main.py": SHOWS.format(n)}).load()) for n in "ab"]
    assert [shown(document) for document in documents] == [["a"], ["b"]]
    assert curdoc() is outside
    assert outside.roots == []


def test_an_app_may_be_one_script(write_app, build):
    code = write_app({"hello.py": SHOWS.format("hello")}, main="hello.py").load()
    assert shown(build(code)) == ["hello"]


@pytest.mark.parametrize(
    ("name", "last_line"),
    [
        ("broken", "ValueError: the password is hunter2"),
        ("broken_import", "ModuleNotFoundError: No module named 'a_module_that_nobody_has_written'"),
        ("exits", "SystemExit: 3"),
    ],
)
def test_a_failing_main_file_tells_viewers_nothing_and_staff_all(sample_app, build, name, last_line):
    before = app_modules()
    code = sample_app(name).load()
    with pytest.raises(AppError) as caught:
        build(code)
    error = caught.value
    assert str(error) == f"This app could not be started. Reference: {error.reference}"
    first, where, *_, last = error.detail.splitlines()
    assert first == "Traceback (most recent call last):"
    assert where.startswith(f'  File "{SAMPLES / name / "main.py"}", line ')
    assert last == last_line
    assert app_modules() - before == {code.package}


def test_a_failed_start_does_not_hinder_the_next(write_app, build):
    app = write_app(
        {
            "main.py": "import state\nstate.runs += 1\nif state.runs == 1: raise OSError\n"
            + SHOWS.format("ok"),
            "state.py": "runs = 0",
        }
    )
    code = app.load()
    with pytest.raises(AppError):
        build(code)
    assert shown(build(code)) == ["ok"]


def test_a_kept_error_does_not_keep_what_the_app_had(write_app, build):
    code = write_app({"main.py": "class Big: pass\nbig = Big()\nraise ValueError(big)"}).load()
    with pytest.raises(AppError) as caught:
        build(code)
    linked = [caught.value.__cause__, caught.value.__context__]
    assert linked == [None, None]
    files = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert not any(file.endswith("main.py") for file in files)


def test_an_error_in_a_sibling_shows_both_files(write_app, build):
    app = write_app({"main.py": "import helpers", "helpers.py": "def broken(:\n    pass"})
    with pytest.raises(AppError) as caught:
        build(app.load())
    assert "main.py" in caught.value.detail
    assert "helpers.py" in caught.value.detail
    assert "importing.py" not in caught.value.detail
    assert "importlib" not in caught.value.detail


def test_an_error_in_a_callback_is_told_from_where_it_enters_the_app(sample_app, build, press):
    document = build(sample_app("raises_in_callback").load())
    with pytest.raises(ZeroDivisionError) as caught:
        press(document, "bad")
    first, where, *_, last = describe(caught.value).splitlines()
    assert first == "Traceback (most recent call last):"
    assert where.startswith(f'  File "{SAMPLES / "raises_in_callback" / "main.py"}", line ')
    assert last == "ZeroDivisionError: the secret is 42"


def test_an_app_that_never_ends_holds_up_no_other(sample_app, build):
    stuck = sample_app("never_ends").load()
    gate = importlib.import_module(f"{stuck.package}.gate").gate
    document = Document()
    thread = threading.Thread(target=stuck.build, args=(document,))
    thread.start()
    try:
        assert gate.started.wait(timeout=30)
        assert build(sample_app("helpers_one").load()).roots
        assert thread.is_alive()
    finally:
        gate.opened.set()
        thread.join(timeout=30)
        stuck.release(document)


def test_documents_built_at_once_do_not_mix(write_app, build):
    source = """
        import threading, meeting
        from bokeh.models import Div
        from bokeh.plotting import curdoc
        document, name = curdoc(), __name__
        meeting.barrier.wait(timeout=20)
        assert curdoc() is document
        document.add_root(Div(text=name))
    """
    app = write_app({"main.py": source, "meeting.py": "import threading\nbarrier = threading.Barrier(4)"})
    code = app.load()
    documents = [Document() for _ in range(4)]
    threads = [threading.Thread(target=code.build, args=(document,)) for document in documents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len({text for document in documents for text in shown(document)}) == 4
    for document in documents:
        code.release(document)


# What an app's directory holds besides


def test_theme_template_and_static_files(write_app, build):
    app = write_app(
        {
            "main.py": "from bokeh.plotting import curdoc, figure\ncurdoc().add_root(figure())",
            "theme.yaml": "attrs:\n  Plot:\n    background_fill_color: '#123456'\n",
            "templates/index.html": "{% extends base %}",
            "static/logo.svg": "<svg/>",
        }
    )
    code = app.load()
    document = build(code)
    assert document.roots[0].background_fill_color == "#123456"
    assert document.template is code.template
    assert code.static_path == app.path / "static"
    assert code.builds_for_page


def test_an_app_without_them_has_bokehs_own(write_app, build):
    code = write_app({"main.py": SHOWS.format("plain")}).load()
    assert (code.theme, code.template, code.static_path) == (None, None, None)
    assert not code.builds_for_page
    assert build(code).template is Document().template


@pytest.mark.parametrize(
    ("name", "content", "summary"),
    [
        ("theme.yaml", "attrs: [", "theme.yaml could not be loaded: ParserError."),
        ("theme.yaml", "attrs: 1", "theme.yaml could not be loaded: ValueError."),
        ("templates/index.html", "{% if %}", "index.html could not be loaded: TemplateSyntaxError."),
        ("__init__.py", "1 / 0", "__init__.py could not be loaded: ZeroDivisionError."),
        ("main.py", "x = 1\ndef broken(:", "main.py, line 2: invalid syntax."),
        ("app_hooks.py", "def broken(:", "app_hooks.py, line 1: invalid syntax."),
        ("main.py", "text = '\0'", "main.py could not be loaded: SyntaxError."),
    ],
)
def test_files_that_do_not_load_are_named(write_app, name, content, summary):
    app = write_app({"main.py": SHOWS.format("ok"), name: content})
    with pytest.raises(AppLoadError) as caught:
        app.load()
    assert caught.value.summary == summary
    assert caught.value.detail
    assert app.error is not None
    assert app.code is None
    assert app_modules() == set()


def test_a_directory_without_a_main_file_says_so(write_app):
    with pytest.raises(AppLoadError, match=r"The app has no main\.py or main\.ipynb\."):
        write_app({"helpers.py": ""}).load()


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("from bokeh.plotting import curdoc\ncurdoc().title = 'Sales'", "Sales"),
        ("import bokeh.plotting as bp\ndoc = bp.curdoc()\ndoc.title = 'Sales'", "Sales"),
        ("plot = figure()\nplot.title = 'Not it'", None),
        ("curdoc().title = f'{1}'", None),
    ],
)
def test_the_title_is_read_without_running_the_app(write_app, source, title):
    assert write_app({"main.py": source}).load().title == title


@pytest.mark.parametrize(
    "files",
    [
        {"main.py": "curdoc().template_variables['a'] = 1"},
        {"main.py": "doc.template = 'x'"},
        {"main.py": "import models", "models.py": "class A:\n  __implementation__ = 'a.ts'"},
        {"main.py": "class A:\n  __javascript__ = 'a.js'"},
        {"main.py": "from bokeh.util.compiler import TypeScript"},
    ],
)
def test_what_shapes_the_page_is_seen_without_running_the_app(write_app, files):
    assert write_app(files).load().builds_for_page


# Notebooks


def notebook(*cells: str, **more) -> str:
    code = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    text = {"cell_type": "markdown", "metadata": {}, "source": "# not code ("}
    content = [text, *({**code, "source": cell.splitlines(keepends=True)} for cell in cells)]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": content, **more})


def test_a_notebook_is_an_app(write_app, build):
    cells = (
        "%matplotlib inline\n!pip install nothing\nimport helpers\nlist?",
        "%%time\nfrom bokeh.models import Div\nif True:\n    %load_ext x",
        "%%bash\nrm -rf everything",
        "files = !ls\nrest = (7\n % 4)",
        "from bokeh.io import curdoc, output_notebook\noutput_notebook()\n"
        "curdoc().add_root(Div(text=f'{helpers.VALUE} {rest}'))",
    )
    files = {
        "main.ipynb": notebook(*cells[:3], cells[4].replace("rest", "7 % 4")),
        "helpers.py": "VALUE = 42",
    }
    assert shown(build(write_app(files).load())) == ["42 3"]
    single = write_app(
        {"book.ipynb": notebook(*cells[:3], "value = !ls"), "helpers.py": ""}, main="book.ipynb"
    )
    assert build(single.load()).roots == []


def test_lines_that_only_look_like_magics_stay(write_app, build):
    cell = "from bokeh.plotting import curdoc\ncurdoc().title = ('%s'\n    %curdoc().title[:5])"
    assert build(write_app({"main.ipynb": notebook(cell)}).load()).title == "Bokeh"


def test_the_traceback_of_a_notebook_shows_its_text(write_app, build):
    code = write_app({"main.ipynb": notebook("%time", "value = 1\nvalue / 0  # here")}).load()
    with pytest.raises(AppError) as caught:
        build(code)
    assert "main.ipynb" in caught.value.detail
    assert "value / 0  # here" in caught.value.detail


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"nbformat": 4}', '{"nbformat": 99}'])
def test_what_is_no_notebook_is_refused(write_app, content):
    with pytest.raises(AppLoadError, match=r"main\.ipynb is not a readable notebook\."):
        write_app({"main.ipynb": content}).load()


def test_notebooks_say_what_to_install(write_app, monkeypatch):
    monkeypatch.setitem(sys.modules, "nbformat", None)
    with pytest.raises(AppLoadError, match=r"pip install vizserver\[notebook\]"):
        write_app({"main.ipynb": notebook("1")}).load()


# Output functions


@pytest.mark.parametrize("module", ["bokeh.io", "bokeh.plotting"])
def test_output_functions_do_nothing_while_an_app_is_built(write_app, build, module, tmp_path, caplog):
    caplog.set_level(logging.INFO, "apps_registry")
    source = f"""
        from {module} import curdoc, output_file, reset_output, save, show
        import {module} as module
        from bokeh.models import Div
        output_file({str(tmp_path / "plot.html")!r})
        curdoc().add_root(Div(text="kept"))
        for function in (save, show, module.save, module.show):
            assert function(Div()) is None
        reset_output()
    """
    document = build(write_app({"main.py": source}, name="loud").load())
    assert shown(document) == ["kept"]
    assert not (tmp_path / "plot.html").exists()
    assert "loud: the call of show() is ignored while the app is built." in caplog.messages


def test_output_functions_work_outside_of_a_build(write_app, build, tmp_path):
    source = """
        from bokeh.io import save
        from bokeh.resources import INLINE
    """
    code = write_app({"main.py": source}).load()
    build(code)
    save = sys.modules[next(name for name in app_modules() if "main-" in name)].save
    for function in (save, bokeh.io.save, bokeh.plotting.save):
        path = tmp_path / "plot.html"
        assert function(bokeh.plotting.figure(), path, resources="cdn", title="Plot") == os.fspath(path)
        path.unlink()


# Editing


EDITS = {
    "main.py": "import helpers\nfrom bokeh.plotting import curdoc\ncurdoc().title = f'1{helpers.VALUE}'",
    "helpers.py": "VALUE = 'a'",
}


def test_an_edit_serves_the_next_session(write_app, build, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    app = write_app(EDITS)
    assert build(app.current()).title == "1a"
    write(app.path / "helpers.py", "VALUE = 'b'")
    assert build(app.current()).title == "1b"
    write(app.path / "main.py", EDITS["main.py"].replace("1", "2"))
    assert build(app.current()).title == "2b"
    assert app.code is not None
    assert app.code.generation == 3


def test_without_edits_the_code_stays(write_app, build):
    app = write_app(EDITS)
    code = app.current()
    build(code)
    write(app.path / "data" / "values.csv", "1,2")
    write(app.path / "static" / "site.css", "")
    (app.path / "__pycache__").mkdir()
    assert app.current() is code


@pytest.mark.parametrize("name", ["more.py", "theme.yaml", "templates/base.html", "model.ts", "deep/er/x.py"])
def test_a_file_that_comes_or_goes_is_an_edit(write_app, name):
    app = write_app(EDITS)
    first = app.current()
    write(app.path / name, "{}" if name.endswith("yaml") else "")
    second = app.current()
    (app.path / name).unlink()
    assert [code.generation for code in (first, second, app.current())] == [1, 2, 3]


def test_live_sessions_keep_their_code(write_app, build, press):
    source = """
        from bokeh.models import Button, Div
        from bokeh.plotting import curdoc
        import helpers
        result, button = Div(name="result"), Button(name="ask")
        def ask():
            import helpers, unseen
            result.text = helpers.VALUE + unseen.VALUE
        button.on_click(ask)
        curdoc().add_root(button)
        curdoc().add_root(result)
    """
    app = write_app({"main.py": source, "helpers.py": "VALUE = 'old'", "unseen.py": "VALUE = 'old'"})
    old = app.current()
    old.attach()
    document = build(old)
    write(app.path / "helpers.py", "VALUE = 'new'")
    new = app.current()
    assert new is not old
    fresh = build(new)
    for each in (document, fresh):
        press(each, "ask")
    assert document.get_model_by_name("result").text == "oldold"
    assert fresh.get_model_by_name("result").text == "newold"
    old.release(document)
    old.detach()


def test_superseded_code_goes_with_its_last_session(write_app, build):
    app = write_app(EDITS)
    old = app.current()
    documents = [Document(), Document()]
    for document in documents:
        old.attach()
        old.build(document)
    write(app.path / "helpers.py", "VALUE = 'b'")
    new = app.current()
    for document in documents:
        assert f"{old.package}.helpers" in sys.modules
        old.release(document)
        old.detach()
    build(new)
    assert not any(name.startswith(old.package) for name in sys.modules)
    assert f"{new.package}.helpers" in sys.modules


def test_code_that_is_superseded_before_its_session_attaches_still_works(write_app, build):
    app = write_app(EDITS)
    old = app.current()
    write(app.path / "main.py", "")
    app.current()
    assert old.package not in sys.modules
    old.attach()
    assert build(old).title == "1a"
    old.release(Document())
    old.detach()


def test_edits_that_do_not_load_leave_the_old_code_serving(write_app, build, caplog):
    app = write_app(EDITS)
    old = app.current()
    write(app.path / "main.py", "def broken(:")
    assert app.current() is old
    assert app.current() is old
    assert app.error is not None
    assert app.error.summary == "main.py, line 1: invalid syntax."
    assert len(caplog.records) == 1
    assert build(old).title == "1a"
    write(app.path / "main.py", EDITS["main.py"])
    assert app.current().generation == 2
    assert app.error is None


def test_a_deleted_app_goes_on_with_what_there_is(write_app):
    app = write_app(EDITS)
    code = app.current()
    shutil.rmtree(app.path)
    assert app.current() is code
    assert app.error is not None


def test_edits_of_what_a_script_imports_are_seen(write_app, build):
    files = {"script.py": "import first", "first.py": "import second", "second.py": "", "other.py": ""}
    app = write_app(files, main="script.py")
    code = app.current()
    write(app.path.parent / "other.py", "changed = True")
    write(app.path.parent / "new_app" / "main.py", "")
    assert app.current() is code
    write(app.path.parent / "second.py", "changed = True")
    assert app.current() is not code


def test_without_reload_edits_are_not_looked_for(write_app, build):
    app = write_app(EDITS, reload=False)
    code = app.current()
    write(app.path / "helpers.py", "VALUE = 'b'")
    assert app.current() is code


def test_an_app_that_never_loaded_tells_why_and_heals_with_an_edit(write_app, build):
    app = write_app({"main.py": "def broken(:"})
    errors = []
    for _ in range(2):
        with pytest.raises(AppLoadError) as caught:
            app.current()
        errors.append(caught.value)
    assert errors[0].reference == errors[1].reference
    assert errors[0] is not errors[1]
    assert app.error is not None
    assert app.error.__traceback__ is None
    write(app.path / "main.py", SHOWS.format("healed"))
    assert shown(build(app.current())) == ["healed"]
    assert app.error is None


def test_an_app_that_never_loaded_is_tried_again_after_a_while(write_app, monkeypatch):
    app = write_app({"main.py": "", "app_hooks.py": "import the_missing_part"}, reload=False)
    with pytest.raises(AppLoadError):
        app.current()
    monkeypatch.setitem(sys.modules, "the_missing_part", sys)
    with pytest.raises(AppLoadError):
        app.current()
    later = loading.monotonic() + loading.RETRY_AFTER
    monkeypatch.setattr(loading, "monotonic", lambda: later)
    assert app.current().generation == 1


def test_who_comes_while_edits_load_is_served_at_once(write_app, monkeypatch):
    gate = ModuleType("gate_of_slow_hooks")
    gate.started, gate.opened = threading.Event(), threading.Event()
    monkeypatch.setitem(sys.modules, gate.__name__, gate)
    app = write_app({"main.py": ""})
    old = app.current()
    waits = f"import {gate.__name__} as gate\ngate.started.set()\nassert gate.opened.wait(timeout=30)"
    write(app.path / "app_hooks.py", waits)
    thread = threading.Thread(target=app.current)
    thread.start()
    assert gate.started.wait(timeout=30)
    assert app.current() is old
    gate.opened.set()
    thread.join(timeout=30)
    assert app.current().generation == 2


# Checking documents


@pytest.mark.parametrize(("validate", "expected"), [(True, 3), (False, 1)])
def test_documents_are_validated_each_or_once_per_code(write_app, build, monkeypatch, validate, expected):
    calls = []
    monkeypatch.setattr(Document, "validate", lambda document: calls.append(document))
    code = write_app({"main.py": SHOWS.format("ok")}, validate=validate).load()
    for _ in range(3):
        build(code)
    assert len(calls) == expected


# Letting go


def test_a_released_session_leaves_nothing(write_app, monkeypatch):
    monkeypatch.setattr(gc, "get_referrers", None)
    source = """
        from bokeh.core.properties import Int
        from bokeh.models import Button
        from bokeh.model import DataModel, Model
        from bokeh.plotting import curdoc
        class Settings(DataModel):
            level = Int(1)
        class Custom(Model):
            __implementation__ = "unused.ts"
        class Kept: pass
        kept = Kept()
        button = Button()
        button.on_click(lambda: kept)
        curdoc().add_root(button)
    """
    code = write_app({"main.py": source}).load()
    before = app_modules(), set(Model.model_class_reverse_map)
    references = []
    for _ in range(3):
        document = Document()
        code.build(document)
        module = sys.modules[max(app_modules() - before[0])]
        references += [weakref.ref(module), weakref.ref(module.kept), weakref.ref(module.Settings)]
        del module
        code.release(document)
        code.release(document)
        assert references[-2]() is None, "kept until the next garbage collection"
        del document
    assert (app_modules(), set(Model.model_class_reverse_map)) == before
    gc.collect()
    assert [reference() for reference in references] == [None] * 9


def test_module_names_are_used_again_so_that_loggers_do_not_grow_in_number(write_app):
    code = write_app({"main.py": "import logging\nlogging.getLogger(__name__)"}).load()
    for _ in range(20):
        documents = [Document(), Document()]
        for document in documents:
            code.build(document)
        for document in documents:
            code.release(document)
    loggers = [name for name in logging.root.manager.loggerDict if name.startswith(f"{code.package}.")]
    assert len(loggers) == 2


def test_models_of_siblings_go_with_their_code(write_app, build):
    files = {
        "main.py": "import models\nfrom bokeh.plotting import curdoc\ncurdoc().add_root(models.Own())",
        "models.py": "from bokeh.model import Model\nclass Own(Model): pass",
    }
    app = write_app(files)
    old = app.current()
    assert list(old.models(build(old))) == [f"{old.package}.models.Own"]
    write(app.path / "main.py", "")
    app.current()
    assert not any(name.startswith(old.package) for name in Model.model_class_reverse_map)


def test_models_of_files_that_do_not_load_are_forgotten(write_app):
    hooks = "from bokeh.model import Model\nclass Own(Model): pass\n1 / 0"
    before = set(Model.model_class_reverse_map)
    with pytest.raises(AppLoadError):
        write_app({"main.py": "", "app_hooks.py": hooks}).load()
    assert set(Model.model_class_reverse_map) == before


def test_each_session_knows_its_own_models(write_app, build):
    source = """
        from bokeh.model import DataModel, Model
        class Custom(Model):
            __implementation__ = "unused.ts"
        class Settings(DataModel): pass
    """
    code = write_app({"main.py": source}).load()
    one, two = build(code), build(code)
    models = code.models(one), code.models(two)
    assert models[0]["Custom"] is not models[1]["Custom"]
    assert [len(each) for each in models] == [2, 2]
    stranger = write_app({"main.py": source}).load()
    assert not set(stranger.models(build(stranger)).values()) & set(models[0].values())


# Scripts for the page


CUSTOM_MODEL = """
    from bokeh.core.properties import String
    from bokeh.models import LayoutDOM
    from bokeh.plotting import curdoc
    class Good(LayoutDOM):
        __implementation__ = "good.ts"
        __javascript__ = "https://example.org/lib.js"
        __css__ = ["https://example.org/lib.css"]
        text = String("x")
    curdoc().add_root(Good())
"""
TYPESCRIPT = """
    import {LayoutDOM, LayoutDOMView} from "models/layouts/layout_dom"
    import * as p from "core/properties"

    export class GoodView extends LayoutDOMView {
      declare model: Good
      get child_models() { return [] }
    }
    export namespace Good {
      export type Attrs = p.AttrsOf<Props>
      export type Props = LayoutDOM.Props & {text: p.Property<string>}
    }
    export interface Good extends Good.Attrs {}
    export class Good extends LayoutDOM {
      declare properties: Good.Props
      static {
        this.prototype.default_view = GoodView
        this.define<Good.Props>(({Str}) => ({text: [Str, ""]}))
      }
    }
"""
needs_node = pytest.mark.skipif(
    not os.environ.get("CI") and not (shutil.which("node") or shutil.which("nodejs")),
    reason="node.js is not installed",
)


@needs_node
def test_a_model_that_does_not_compile_is_an_error_of_its_app_alone(
    write_app, sample_app, build, monkeypatch
):
    bad, good = (
        sample_app("bad_typescript").load(),
        write_app({"main.py": CUSTOM_MODEL, "good.ts": TYPESCRIPT}).load(),
    )
    bad_document, good_document = build(bad), build(good)
    references = set()
    for _ in range(2):
        with pytest.raises(AppError, match=r"^A custom model of this app could not be compiled\.") as caught:
            page_scripts(bad, bad_document)
        assert "error TS1005" in caught.value.detail
        references.add(caught.value.reference)
        monkeypatch.setattr(extensions, "bundle_models", compile_only(good))
    assert len(references) == 1
    scripts = page_scripts(good, good_document)
    assert "class Good extends" in scripts.compiled
    assert "Unfinished" not in scripts.compiled
    assert scripts.script_urls == ("https://example.org/lib.js",)
    assert scripts.style_urls == ("https://example.org/lib.css",)
    monkeypatch.setattr(extensions, "bundle_models", None)
    assert page_scripts(good, build(good)) == scripts


def compile_only(code):
    compile_models = extensions.bundle_models

    def bundle_models(models):
        assert all(model.__module__.startswith(code.package) for model in models)
        return compile_models(models)

    return bundle_models


def test_an_app_of_plain_models_needs_no_scripts_whatever_others_need(
    write_app, sample_app, build, monkeypatch
):
    build(write_app({"main.py": CUSTOM_MODEL, "good.ts": TYPESCRIPT}).load())
    monkeypatch.setattr(extensions, "bundle_models", None)
    code = sample_app("helpers_one").load()
    assert page_scripts(code, build(code)) == extensions.PageScripts()


def test_extension_packages_are_found_with_their_files(write_app, build, tmp_path, monkeypatch):
    package = tmp_path / "an_extension_for_bokeh"
    write(package / "__init__.py", "from bokeh.models import Div\nclass Shiny(Div): pass")
    write(package / "bokeh.ext.json", "{}")
    write(package / "dist" / f"{package.name}.min.js", "")
    monkeypatch.syspath_prepend(tmp_path)
    source = (
        f"import {package.name} as ext\nfrom bokeh.plotting import curdoc\ncurdoc().add_root(ext.Shiny())"
    )
    code = write_app({"main.py": source}).load()
    assert code.builds_for_page
    try:
        found = page_scripts(code, build(code)).extensions
        assert found == (extensions.Extension(package.name, package / "dist", f"{package.name}.min.js"),)
        plain = write_app({"main.py": SHOWS.format("plain")}).load()
        assert page_scripts(plain, build(plain)).extensions == ()
    finally:
        adapter.forget_models(package.name)
        del sys.modules[package.name]


def test_a_broken_extension_package_is_an_error_of_its_users(write_app, build, tmp_path, monkeypatch):
    package = tmp_path / "a_broken_extension_for_bokeh"
    write(package / "__init__.py", "from bokeh.models import Div\nclass Dull(Div): pass")
    write(package / "bokeh.ext.json", "{}")
    monkeypatch.syspath_prepend(tmp_path)
    source = f"from {package.name} import Dull\nfrom bokeh.plotting import curdoc\ncurdoc().add_root(Dull())"
    code = write_app({"main.py": source}).load()
    try:
        with pytest.raises(AppError, match=f"The scripts of the package {package.name} were not found"):
            page_scripts(code, build(code))
    finally:
        adapter.forget_models(package.name)
        del sys.modules[package.name]


def test_the_sample_apps_load_or_say_why():
    apps, errors = discover(Path(SAMPLES))
    assert errors == {}
    assert {"slow", "chatty", "hog", "raises_in_callback"} <= apps.keys()
