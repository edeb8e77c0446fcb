"""Lifecycle hooks: which there are, and what a hooks file may hold."""

from __future__ import annotations

import inspect
from dataclasses import fields

import pytest

from apps_registry.exceptions import AppLoadError
from apps_registry.live.hooks import HOOK_FILES, HOOKS, Hooks
from apps_registry.live.loading import Code

MAIN = "from bokeh.plotting import curdoc"


def test_the_table_names_every_hook_once():
    assert [hook.name for hook in HOOKS] == [field.name for field in fields(Hooks)]
    assert all(hook.when.endswith(".") and hook.purpose.endswith(".") for hook in HOOKS)


def test_an_app_without_a_hooks_file_has_no_hooks(write_app):
    assert write_app({"main.py": MAIN}).load().hooks == Hooks()


@pytest.mark.parametrize("file_name", HOOK_FILES)
def test_hooks_are_found_in_either_file(write_app, file_name):
    source = "\n".join(f"def {hook.signature}: return {hook.name!r}" for hook in HOOKS)
    hooks = write_app({"main.py": MAIN, file_name: source}).load().hooks
    assert {hook.name: getattr(hooks, hook.name)(None) for hook in HOOKS} == {
        hook.name: hook.name for hook in HOOKS
    }


def test_hooks_may_be_async(write_app):
    source = (
        "async def on_session_created(session_context): pass\nasync def process_request(request): return {}"
    )
    hooks = write_app({"main.py": MAIN, "app_hooks.py": source}).load().hooks
    assert inspect.iscoroutinefunction(hooks.on_session_created)
    assert inspect.iscoroutinefunction(hooks.process_request)
    assert hooks.on_server_loaded is None


@pytest.mark.parametrize(
    "source",
    [
        "def on_session_created(): pass",
        "def on_session_created(session_context, more): pass",
        "def on_session_created(*, session_context): pass",
        "on_session_created = 'later'",
    ],
)
def test_a_wrong_signature_is_told_with_the_right_one(write_app, source):
    with pytest.raises(AppLoadError, match=r"on_session_created\(session_context\)") as caught:
        write_app({"main.py": MAIN, "app_hooks.py": source}).load()
    assert "app_hooks.py" in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "def on_session_created(context, more=None): pass",
        "def on_session_created(*args): pass",
        "class Created:\n    def __call__(self, context): pass\non_session_created = Created()",
        "on_session_created = dict",
    ],
)
def test_any_callable_of_one_argument_is_a_hook(write_app, source):
    assert write_app({"main.py": MAIN, "app_hooks.py": source}).load().hooks.on_session_created is not None


def test_two_kinds_of_hooks_file_are_refused_in_plain_words(sample_app):
    with pytest.raises(AppLoadError, match=r"app_hooks\.py or server_lifecycle\.py, but not both") as caught:
        sample_app("both_hooks").load()
    assert "/" not in caught.value.summary


def test_a_failing_hooks_file_is_named_without_what_it_says(write_app):
    app = write_app({"main.py": MAIN, "app_hooks.py": "raise ValueError('the password is hunter2')"})
    with pytest.raises(AppLoadError) as caught:
        app.load()
    assert caught.value.summary == "app_hooks.py could not be loaded: ValueError."
    assert caught.value.detail.startswith("Traceback (most recent call last):\n  File")
    assert caught.value.detail.endswith("ValueError: the password is hunter2")


def test_the_hooks_file_runs_once_per_code_and_shares_its_siblings(write_app, build):
    app = write_app(
        {
            "main.py": "import app_hooks, state\nassert app_hooks.state is state\nstate.sessions += 1",
            "app_hooks.py": "import state\nstate.loaded += 1\ndef on_session_created(context): return state",
            "state.py": "loaded = sessions = 0",
        }
    )
    code = app.load()
    build(code), build(code)
    state = hook_result(code)
    assert (state.loaded, state.sessions) == (1, 2)


def hook_result(code: Code):
    assert code.hooks.on_session_created is not None
    return code.hooks.on_session_created(None)
