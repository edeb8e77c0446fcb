"""Apps in pages of the site: what the tags write, for whom, and what they sign."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jinja2
import pytest
from csp.middleware import CSPMiddleware
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.template import Context, Template, TemplateSyntaxError
from django.test import Client, RequestFactory
from django.utils import timezone

from apps_registry import embedding, permissions, tokens
from apps_registry.embedding import allow_frames, context
from apps_registry.exceptions import InvalidToken
from apps_registry.models import Access, Grant, GuestLink, VizApp

try:
    from django.middleware.csp import ContentSecurityPolicyMiddleware
except ImportError:  # Django 5.2
    ContentSecurityPolicyMiddleware = None

django_6 = pytest.mark.skipif(ContentSecurityPolicyMiddleware is None, reason="needs Django 6")
BREAKOUT = """"'></bokeh-app></script><script>alert(1)</script>"""
NEUTRAL = "This app is not available."


class Elements(HTMLParser):
    """The elements of a page as a browser meets them, each with its attributes, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]

    def one(self, tag: str) -> dict[str, str | None]:
        (attributes,) = self.all(tag)
        return attributes


@pytest.fixture
def row(db: None) -> VizApp:
    return VizApp.objects.create(name="sales", source="sales", enabled=True, access=Access.PUBLIC)


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice")


def request_of(user: Any = None, path: str = "/report/?year=2026", **options: Any) -> HttpRequest:
    request = RequestFactory(**options).get(path)
    request.user = user or AnonymousUser()
    return request


def render(template: str, request: HttpRequest | None = None, **names: Any) -> Elements:
    context = Context({"request": request or request_of(), **names})
    return Elements(Template("{% load apps_registry %}" + template).render(context))


def src(attributes: dict[str, str | None]) -> tuple[str, dict[str, list[str]]]:
    """The path and the arguments of an element's address."""
    parts = urlsplit(attributes["src"] or "")
    return parts.path, parse_qs(parts.query, keep_blank_values=True)


# What is written


def test_an_app_is_an_element_with_its_address(row: VizApp):
    page = render('{% bokeh_app "sales" region="EU" %}')
    shown = page.one("bokeh-app")
    assert src(shown) == ("/apps/sales", {"region": ["EU"]})
    assert shown["class"] == "bokeh-app"
    assert "context" not in shown
    assert "needs JavaScript" in page.text


def test_lists_are_arguments_that_stand_there_several_times_and_none_is_left_out(row: VizApp):
    template = '{% bokeh_app "sales" region=regions year=2026 top=none name="x" app="" %}'
    shown = render(template, regions=["EU", None, "US"], none=None).one("bokeh-app")
    assert src(shown)[1] == {"region": ["EU", "US"], "year": ["2026"], "name": ["x"], "app": [""]}
    assert src(render('{% bokeh_app "sales" top=none %}', none=None).one("bokeh-app")) == ("/apps/sales", {})


@pytest.mark.parametrize("value", [BREAKOUT, "Zürich & Umgebung", "日本 📈", "a=b&c=d#e", "\0"])
def test_arguments_arrive_as_they_were_given(row: VizApp, value: str):
    page = render('{% bokeh_app "sales" x=value %}', value=value)
    assert src(page.one("bokeh-app")) == ("/apps/sales", {"x": [value]})
    assert not [attributes for attributes in page.all("script") if "src" not in attributes]


@pytest.mark.parametrize("name", ["日本", "it's", 'quo"te', "<b>", "a&b"])
def test_an_app_may_have_any_name_that_addresses_take(db: None, name: str):
    VizApp.objects.create(name=name, source="x", enabled=True, access=Access.PUBLIC)
    page = render('{% bokeh_app name %}{% bokeh_app name as it %}{% bokeh_root it "p" %}', name=name)
    whole, apart = page.all("bokeh-app")
    assert whole["src"] == apart["src"]
    assert VizApp.objects.get(name=name).get_absolute_url() == whole["src"]


def test_an_app_that_is_there_twice_has_two_elements(row: VizApp):
    page = render('{% bokeh_app "sales" %}{% bokeh_app "sales" as it %}{{ it }}{{ it }}')
    assert len({shown["id"] for shown in page.all("bokeh-app")}) == 3


def test_roots_stand_apart_and_share_one_session(row: VizApp):
    page = render(
        '{% bokeh_app "sales" region="EU" as sales %}<p>{% bokeh_root sales "plot" %}</p>'
        "{% bokeh_root sales table %}",
        table=BREAKOUT,
    )
    leader = page.one("bokeh-app")
    assert "apart" in leader
    assert src(leader) == ("/apps/sales", {"region": ["EU"]})
    assert [(place["for"], place["name"]) for place in page.all("bokeh-root")] == [
        (leader["id"], "plot"),
        (leader["id"], BREAKOUT),
    ]


@pytest.mark.parametrize(
    "template", ['{% bokeh_root sales "plot" %}', '{% bokeh_app "sales" %}{% bokeh_root "sales" "plot" %}']
)
def test_a_root_of_nothing_is_an_error(row: VizApp, template: str):
    with pytest.raises(TemplateSyntaxError, match="bokeh_app"):
        render(template)


@pytest.mark.parametrize("tag", ["bokeh_app 'sales'", "bokeh_resources"])
def test_without_the_request_it_says_what_to_set(row: VizApp, tag: str):
    with pytest.raises(ImproperlyConfigured, match=r"context_processors\.request"):
        Template("{% load apps_registry %}{% " + tag + " %}").render(Context())


def test_the_prefix_of_the_site_stands_before_addresses(row: VizApp, settings: Any):
    from django.urls import set_script_prefix

    set_script_prefix("/tools/")
    try:
        assert render('{% bokeh_app "sales" %}').one("bokeh-app")["src"] == "/tools/apps/sales"
    finally:
        set_script_prefix("/")


def test_views_and_jinja_write_the_same(row: VizApp):
    shown = embedding.app(request_of(), "sales", arguments={"region": ["EU", "<"]})
    environment = jinja2.Environment(autoescape=True)
    environment.globals.update(bokeh_app=embedding.app, bokeh_root=embedding.root)
    page = Elements(
        environment.from_string(
            '{% set sales = bokeh_app(request, "sales", arguments={"region": ["EU", "<"]}) %}'
            '{{ sales }}{{ bokeh_root(sales, "plot") }}'
        ).render(request=request_of())
    )
    assert len(page.all("bokeh-app")) == 2
    assert len(page.all("bokeh-root")) == 1
    for attributes in (*page.all("bokeh-app"), Elements(str(shown)).one("bokeh-app")):
        assert src(attributes) == ("/apps/sales", {"region": ["EU", "<"]})


# Resources


def scripts(page: Elements) -> list[str]:
    return [str(attributes["src"]).rpartition("/")[2] for attributes in page.all("script")]


def test_a_page_gets_its_resources_once(row: VizApp):
    page = render('{% bokeh_app "sales" %}{% bokeh_resources %}{% bokeh_app "sales" %}{% bokeh_app "no" %}')
    assert scripts(page)[-1] == "bokeh-app.js"
    assert scripts(page)[0] == "bokeh.min.js"
    assert len(scripts(page)) == len(set(scripts(page)))
    assert page.one("link")["href"] == "/static/apps_registry/bokeh-app.css"
    assert page.all("script")[-1]["type"] == "module"
    assert all("defer" in attributes for attributes in page.all("script")[:-1])
    tags = [tag for tag, _ in page.found]
    assert tags.index("bokeh-app") > tags.index("script")


def test_resources_stand_where_the_template_wants_them(row: VizApp):
    page = render('<i></i>{% bokeh_resources bokehjs=False %}<b></b>{% bokeh_app "sales" %}')
    tags = [tag for tag, _ in page.found if tag != "p"]
    assert tags == ["i", "link", "script", "b", "bokeh-app", "noscript"]
    assert scripts(page) == ["bokeh-app.js"]


def test_a_refusal_needs_no_scripts(db: None):
    page = render('{% bokeh_app "no" %}')
    assert page.all("script") == []
    assert page.one("link")["href"] == "/static/apps_registry/bokeh-app.css"


def test_nothing_is_inline(row: VizApp):
    page = render('{% bokeh_app "sales" as it %}{% bokeh_root it "plot" %}{% bokeh_app "no" %}{{ it }}')
    for tag, attributes in page.found:
        assert tag != "style"
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        assert tag != "script" or attributes["src"]


@django_6
def test_scripts_have_the_nonce_of_django(row: VizApp, settings: Any):
    settings.SECURE_CSP = {"script-src": ["'strict-dynamic'", "<CSP_NONCE_SENTINEL>"]}

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(
            Template('{% load apps_registry %}{% bokeh_app "sales" %}').render(Context({"request": request}))
        )

    answer = ContentSecurityPolicyMiddleware(view)(request_of())
    assert_nonce_everywhere(answer)


def test_scripts_have_the_nonce_of_django_csp(row: VizApp, settings: Any):
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": {"script-src": ["'strict-dynamic'", "{nonce}"]}}
    from csp.constants import NONCE

    settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]["script-src"][1] = NONCE

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(embedding.app(request, "sales")))

    assert_nonce_everywhere(CSPMiddleware(view)(request_of()))


def assert_nonce_everywhere(answer: HttpResponse) -> None:
    page = Elements(answer.text)
    (nonce,) = {attributes["nonce"] for attributes in (*page.all("script"), *page.all("link"))}
    assert nonce
    assert f"'nonce-{nonce}'" in answer.headers["Content-Security-Policy"]


# Who gets what


def refused_text(page: Elements) -> str:
    assert page.all("bokeh-app") == []
    assert page.one("div")["class"] == "bokeh-app-refused"
    assert page.one("div")["role"] == "note"
    return " ".join(page.text.split())


@pytest.mark.parametrize("name", ["nothing", "off", "granted", "a/b", "", BREAKOUT])
@pytest.mark.parametrize("who", ["visitor", "alice"])
def test_unknown_and_hidden_apps_look_alike(alice: User, name: str, who: str):
    VizApp.objects.create(name="off", source="off", enabled=False, access=Access.PUBLIC)
    VizApp.objects.create(name="granted", source="granted", enabled=True, access=Access.GRANT)
    request = request_of(alice if who == "alice" else None)
    page = render("before {% bokeh_app name %} after", request, name=name)
    assert refused_text(page) == f"before {NEUTRAL} after"


def test_a_visitor_is_sent_to_the_login_and_back(db: None):
    VizApp.objects.create(name="inside", source="inside", enabled=True, access=Access.LOGIN)
    page = render('{% bokeh_app "inside" %}', request_of(path="/report/?year=2026&x=%22"))
    assert refused_text(page) == "Please log in to see this app. Log in"
    parts = urlsplit(page.one("a")["href"] or "")
    assert parts.path == "/accounts/login/"
    assert parse_qs(parts.query) == {"next": ["/report/?year=2026&x=%22"]}


def test_whoever_has_a_right_gets_the_app(alice: User):
    row = VizApp.objects.create(name="granted", source="granted", enabled=True, access=Access.GRANT)
    Grant.objects.create(app=row, user=alice)
    assert render('{% bokeh_app "granted" %}', request_of(alice)).one("bokeh-app")["src"] == "/apps/granted"
    assert embedding.app(request_of(), "granted").is_refused
    assert not embedding.app(request_of(alice), "granted").is_refused


def test_staff_read_the_name_and_learn_no_more(db: None):
    VizApp.objects.create(name="granted", source="granted", enabled=True, access=Access.GRANT)
    sara = User.objects.create_user("sara", is_staff=True)
    for name in ("nothing", "granted", BREAKOUT):
        page = render("{% bokeh_app name %}", request_of(sara), name=name)
        assert refused_text(page) == f"There is no app named “{name}” that you may open."
        assert page.all("script") == []


def test_developers_and_managers_learn_why(alice: User, settings: Any):
    off = VizApp.objects.create(name="off", source="off", enabled=False, access=Access.PUBLIC)
    VizApp.objects.create(name="granted", source="granted", enabled=True, access=Access.GRANT)
    Grant.objects.create(app=off, user=alice, role="manage")
    said = "The app “off” is switched off."
    assert refused_text(render('{% bokeh_app "off" %}', request_of(alice))) == said
    settings.DEBUG = True
    assert refused_text(render('{% bokeh_app "off" %}')) == said
    assert refused_text(render('{% bokeh_app "no" %}')) == "There is no app named “no”."
    assert "no grant" in refused_text(render('{% bokeh_app "granted" %}'))


def test_a_refused_app_has_one_note_for_all_its_roots(db: None):
    page = render('{% bokeh_app "no" as it %}{% bokeh_root it "a" %}{% bokeh_root it "b" %}')
    assert refused_text(page) == NEUTRAL
    assert page.all("bokeh-root") == []


@pytest.fixture
def link(row: VizApp) -> GuestLink:
    row.access = Access.GRANT
    row.save()
    return GuestLink.objects.create(app=row, expires_at=timezone.now() + timedelta(days=1))


def test_a_guest_of_the_page_is_a_guest_of_the_app(link: GuestLink):
    request = request_of(path=f"/report/?guest={link.key}")
    assert src(render('{% bokeh_app "sales" x=1 %}', request).one("bokeh-app"))[1] == {
        "x": ["1"],
        "guest": [link.key],
    }
    assert embedding.app(request_of(path="/report/?guest=wrong"), "sales").is_refused
    link.revoked_at = timezone.now()
    link.save()
    assert embedding.app(request, "sales").is_refused


def test_a_template_may_invite_by_a_link(link: GuestLink):
    page = render('{% bokeh_app "sales" guest=key %}', key=link.key)
    assert src(page.one("bokeh-app"))[1] == {"guest": [link.key]}
    other = VizApp.objects.create(name="other", source="other", enabled=True)
    assert embedding.app(request_of(), other, arguments={"guest": link.key}).is_refused


def test_the_key_stays_out_of_the_page_where_a_cookie_has_it(link: GuestLink):
    request = request_of()
    request.COOKIES["apps_registry_guest"] = link.key
    assert render('{% bokeh_app "sales" %}', request).one("bokeh-app")["src"] == "/apps/sales"


def test_a_public_app_costs_one_query(row: VizApp, alice: User, django_assert_num_queries: Any):
    for user in (AnonymousUser(), alice):
        with django_assert_num_queries(1):
            render(
                '{% bokeh_app "sales" context="x" as it %}{{ it }}{% bokeh_root it "a" %}', request_of(user)
            )
    with django_assert_num_queries(0):
        render("{% bokeh_app row %}", row=row)


def test_the_showcase_stands_without_any_app(db: None, client: Client):
    answer = client.get("/showcase/")
    assert answer.status_code == 200
    assert answer.text.count(NEUTRAL) == 5
    assert Elements(answer.text).all("bokeh-app") == []


# Signed values


@pytest.mark.parametrize(
    "value", [0, "", False, [], "x", {"customer": 7, "名": [1, None, {"a": 1.5}]}, {"bytes": "!"}, BREAKOUT]
)
def test_a_context_comes_back_as_it_was(row: VizApp, alice: User, value: Any):
    signed = render('{% bokeh_app "sales" context=value %}', request_of(alice), value=value).one("bokeh-app")[
        "context"
    ]
    read = context.read(str(signed), "sales", alice)
    assert (read, type(read)) == (value, type(value))
    token = tokens.page_token("sales", permissions.user_id(alice), context=read)
    assert tokens.read(token, "sales").payload["context"] == value


def test_no_context_is_no_key(row: VizApp):
    assert "context" not in render('{% bokeh_app "sales" context=none %}', none=None).one("bokeh-app")
    assert "context" not in tokens.read(tokens.page_token("sales", None), "sales").payload
    token = tokens.page_token("sales", None, extra={"context": "from the app"})
    assert "context" not in tokens.read(token, "sales").payload


def forged(signed: str) -> str:
    return signed[:-2] + ("A" if signed[-2] != "A" else "B") + signed[-1]


@pytest.mark.parametrize(
    "spoil", [forged, str.upper, lambda signed: "", lambda signed: "a:b:ü", lambda s: s[1:]]
)
def test_a_forged_context_is_refused(row: VizApp, alice: User, spoil: Callable[[str], str]):
    with pytest.raises(InvalidToken):
        context.read(spoil(context.sign({"customer": 7}, "sales", alice)), "sales", alice)


def test_a_context_is_for_one_app_and_one_user(alice: User, link: GuestLink):
    bob = User.objects.create_user("bob")
    guest = permissions.GuestUser(link)
    signed = context.sign(7, "sales", alice)
    assert context.read(signed, "sales", alice) == 7
    for name, user in [("other", alice), ("sales", bob), ("sales", AnonymousUser()), ("sales", guest)]:
        with pytest.raises(InvalidToken):
            context.read(signed, name, user)
    with pytest.raises(InvalidToken):
        context.read(context.sign(7, "sales", guest), "sales", AnonymousUser())


def test_a_context_is_good_as_long_as_a_page_may_come_back(alice: User, monkeypatch: Any, settings: Any):
    import time

    settings.APPS_REGISTRY = settings.APPS_REGISTRY | {"RECONNECT_LIFETIME": 1000}
    signed = context.sign(7, "sales", alice)
    now = time.time()
    monkeypatch.setattr("django.core.signing.time.time", lambda: now + 990)
    assert context.read(signed, "sales", alice) == 7
    monkeypatch.setattr("django.core.signing.time.time", lambda: now + 1010)
    with pytest.raises(InvalidToken):
        context.read(signed, "sales", alice)


def test_a_key_that_was_replaced_still_counts(alice: User, settings: Any):
    signed = context.sign(7, "sales", alice)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another " * 8, [settings.SECRET_KEY]
    assert context.read(signed, "sales", alice) == 7
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(InvalidToken):
        context.read(signed, "sales", alice)


def test_a_context_that_is_too_big_is_an_error_of_the_template(row: VizApp):
    numbers = list(range(5000))
    with pytest.raises(ValueError, match="The context of sales is too big"):
        render('{% bokeh_app "sales" context=numbers %}', numbers=numbers)


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", timezone.now()])
def test_a_context_that_is_no_json_is_an_error_of_the_template(row: VizApp, value: Any):
    with pytest.raises(TypeError, match="The context of sales"):
        render('{% bokeh_app "sales" context=value %}', value=value)


# Frames


@pytest.fixture
def framed(row: VizApp, settings: Any) -> Callable[..., HttpResponse]:
    """The answer with the page of an app, through some middleware."""

    def framed(*middleware: Any, listed: str = "https://partner.test") -> HttpResponse:
        row.embed_origins = listed

        def view(request: HttpRequest) -> HttpResponse:
            response = HttpResponse("page")
            allow_frames(request, response, row)
            return response

        for layer in middleware:
            view = layer(view)
        return view(request_of())

    return framed


def policy(response: HttpResponse) -> dict[str, set[str]]:
    parts = response.headers["Content-Security-Policy"].split("; ")
    return {part.split()[0]: set(part.split()[1:]) for part in parts}


def test_only_listed_sites_may_frame_a_page(framed: Any, settings: Any):
    settings.CSRF_TRUSTED_ORIGINS = ["https://*.trusted.test"]
    settings.APPS_REGISTRY = settings.APPS_REGISTRY | {"WEBSOCKET_ORIGINS": ["friend.test:8000", "[::1]:1"]}
    response = framed(XFrameOptionsMiddleware, listed="https://partner.test http://localhost:5007")
    assert policy(response) == {
        "frame-ancestors": {
            "'self'",
            "https://*.trusted.test",
            "https://partner.test",
            "http://localhost:5007",
            "http://friend.test:8000",
            "https://friend.test:8000",
        }
    }
    assert "X-Frame-Options" not in response.headers


def test_without_a_list_a_page_is_framed_by_its_own_host_only(framed: Any):
    response = framed(XFrameOptionsMiddleware, listed="")
    assert policy(response) == {"frame-ancestors": {"'self'"}}
    assert response.headers["X-Frame-Options"] == "DENY"


def test_an_origin_cannot_add_to_the_policy(framed: Any):
    response = framed(listed="https://partner.test;script-src https://a.test,https://b.test")
    assert policy(response) == {"frame-ancestors": {"'self'"}}


@django_6
def test_the_policy_of_the_site_stays_with_django(framed: Any, settings: Any):
    settings.SECURE_CSP = {"default-src": ["'self'"], "frame-ancestors": ["'none'"]}
    expected = {"default-src": {"'self'"}, "frame-ancestors": {"'self'", "https://partner.test"}}
    assert policy(framed(XFrameOptionsMiddleware, ContentSecurityPolicyMiddleware)) == expected
    settings.SECURE_CSP = {"frame-ancestors": "https://own.test"}
    assert policy(framed(ContentSecurityPolicyMiddleware))["frame-ancestors"] == {
        "'self'",
        "https://own.test",
        "https://partner.test",
    }
    settings.SECURE_CSP = {}
    assert policy(framed(ContentSecurityPolicyMiddleware)) == {
        "frame-ancestors": {"'self'", "https://partner.test"}
    }


def test_the_policy_of_the_site_stays_with_django_csp(framed: Any, settings: Any):
    directives = {"default-src": ["'self'"], "frame-ancestors": ["'none'"]}
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": directives}
    assert policy(framed(CSPMiddleware)) == {
        "default-src": {"'self'"},
        "frame-ancestors": {"'self'", "https://partner.test"},
    }
    assert directives["frame-ancestors"] == ["'none'"]
