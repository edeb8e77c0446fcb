"""Checks of the site around the apps: its addresses, middleware, templates and static files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.conf import settings as site
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.checks import CheckMessage, register
from django.shortcuts import resolve_url
from django.template import TemplateDoesNotExist, engines
from django.template.backends.django import DjangoTemplates
from django.template.base import Template
from django.template.loader_tags import BlockNode, ExtendsNode
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve, reverse
from django.utils.module_loading import import_string

from ..backends import GrantBackend
from ..conf import settings
from .faults import check, fault


@check
def check_asgi(**kwargs: Any) -> Iterator[CheckMessage]:
    """A site that does not say what its ASGI application is."""
    path = getattr(site, "ASGI_APPLICATION", None)
    if not path:
        yield fault("E005", problem="is not set")
        return
    module, _, name = str(path).rpartition(".")
    try:
        # Not imported: that would run the site's own code
        is_there = bool(name) and find_spec(module) is not None
    except (ImportError, ValueError):
        is_there = False
    if not is_there:
        yield fault("E005", problem=f"names {path}, which does not exist")


@check
def check_urls(**kwargs: Any) -> Iterator[CheckMessage]:
    """Apps without an address, and a login page that is not there."""
    try:
        reverse("apps_registry:catalogue")
    except NoReverseMatch:
        yield fault("E008")
        return
    except Exception:
        # A URLconf that cannot be imported is for Django's own checks to tell
        return
    if settings.ACCESS != "public" and not _leads_somewhere(site.LOGIN_URL):
        yield fault("W003", url=site.LOGIN_URL)


def _leads_somewhere(url: Any) -> bool:
    if not url:
        return False
    try:
        path = resolve_url(url)
        if not path.startswith("/") or path.startswith("//"):
            # Another site's login page
            return True
        prefix = get_script_prefix().rstrip("/")
        resolve(path.partition("?")[0].removeprefix(prefix))
    except (NoReverseMatch, Resolver404):
        return False
    return True


@check
def check_middleware(**kwargs: Any) -> Iterator[CheckMessage]:
    """A site that does not know who its visitors are."""
    given = _imported(site.MIDDLEWARE)
    for wanted in (SessionMiddleware, AuthenticationMiddleware):
        if not _has(given, wanted):
            yield fault("E009", path=f"{wanted.__module__}.{wanted.__name__}")


def _has(found: Iterable[Any], wanted: type) -> bool:
    return any(isinstance(one, type) and issubclass(one, wanted) for one in found)


def _imported(paths: Iterable[str]) -> list[Any]:
    found = []
    for path in paths:
        try:
            found.append(import_string(path))
        except ImportError:
            # Django itself tells, by refusing to start
            continue
    return found


@check
def check_static_files(**kwargs: Any) -> Iterator[CheckMessage]:
    """Pages that would come without their scripts."""
    if not apps.is_installed("django.contrib.staticfiles"):
        yield fault("E010", problem="django.contrib.staticfiles is not installed")
    elif not site.STATIC_URL:
        yield fault("E010", problem="STATIC_URL is not set")


@check
def check_context_processors(**kwargs: Any) -> Iterator[CheckMessage]:
    """Templates that do not know the request or the user."""
    templates: list[dict[str, Any]] = site.TEMPLATES
    options = [engine.get("OPTIONS", {}) for engine in templates]
    given = {path for one in options for path in one.get("context_processors", ())}
    for path in ("django.template.context_processors.request", "django.contrib.auth.context_processors.auth"):
        if path not in given:
            yield fault("W004", path=path)


@register("apps_registry", deploy=True)
def check_backends(**kwargs: Any) -> list[CheckMessage]:
    """Grants that ``user.has_perm`` does not know of."""
    found = _imported(site.AUTHENTICATION_BACKENDS)
    if _has(found, GrantBackend):
        return []
    return [fault("W007")]


@check
def check_templates(**kwargs: Any) -> Iterator[CheckMessage]:
    """Templates that cannot be loaded, or that have no place for the pages of apps."""
    names = ["apps_registry/app.html", settings.BASE_TEMPLATE, settings.INDEX]
    for name in dict.fromkeys(name for name in names if name and isinstance(name, str)):
        try:
            template = _engine().get_template(name)
            blocks = _blocks(template, {name}) if name == settings.BASE_TEMPLATE else None
        except Exception as error:  # a site's own loaders and tags may raise anything
            yield fault("E007", name=name, error=str(error) or type(error).__name__)
            continue
        if blocks is not None and (missing := sorted({"title", "content"} - blocks)):
            yield fault("W002", name=name, missing=" and no block ".join(missing))


def _engine() -> Any:
    for engine in engines.all():
        if isinstance(engine, DjangoTemplates):
            return engine.engine
    raise TemplateDoesNotExist("TEMPLATES has no engine of Django's")


def _blocks(template: Template, seen: set[str]) -> set[str] | None:
    """The blocks of a template and of those that it extends; None when only rendering tells which these are."""
    nodes: Any = template.nodelist
    found = {node.name for node in nodes.get_nodes_by_type(BlockNode)}
    for node in nodes.get_nodes_by_type(ExtendsNode):
        parent = node.parent_name.var
        if not isinstance(parent, str) or parent in seen:
            return None
        inherited = _blocks(_engine().get_template(parent), {*seen, parent})
        return None if inherited is None else found | inherited
    return found
