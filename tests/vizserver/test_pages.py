"""The pages that every site has: logging in and out, and what is not there."""

import pytest
from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana", password="pw-for-ana-1", is_staff=True)


def test_a_wrong_password_is_said_and_kept_out(client: Client, ana: User) -> None:
    response = client.post(reverse("login"), {"username": "ana", "password": "wrong"})
    assert response.status_code == 200
    assert b'role="alert"' in response.content
    assert "_auth_user_id" not in client.session


def test_logging_in_leads_to_the_catalogue_and_on_to_where_one_was_going(client: Client, ana: User) -> None:
    login = {"username": "ana", "password": "pw-for-ana-1"}
    assert client.post(reverse("login"), login).url == reverse("apps_registry:catalogue")
    assert Client().post(reverse("login"), {**login, "next": "/apps/sliders"}).url == "/apps/sliders"
    elsewhere = Client().post(reverse("login"), {**login, "next": "https://evil.example/"})
    assert elsewhere.url == reverse("apps_registry:catalogue")


def test_the_menu_names_the_user_and_logs_out(client: Client, ana: User) -> None:
    client.force_login(ana)
    page = client.get("/no/such/page")
    assert page.status_code == 404
    assert b"<summary>ana</summary>" in page.content
    assert reverse("admin:index").encode() in page.content
    assert client.get(reverse("logout")).status_code == 405
    after = client.post(reverse("logout"))
    assert b"You are logged out" in after.content
    assert "_auth_user_id" not in client.session


def test_a_visitor_finds_the_way_to_log_in_but_not_where_he_is_already(client: Client) -> None:
    link = f'href="{reverse("login")}'.encode()
    assert link in client.get("/no/such/page").content
    assert link not in client.get(reverse("login")).content


def test_a_form_that_is_older_than_the_login_is_refused_in_a_sentence(ana: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ana)
    page = client.post("/tokens/?a=b", {"note": "Nightly"})
    assert page.status_code == 403
    said = page.content.decode()
    assert "This page is older than your login. Load it again and send the form once more." in said
    assert 'href="/tokens/?a=b"' in said
    assert "<summary>ana</summary>" in said
    # To load this one is no way
    assert f'href="{reverse("logout")}"' not in client.post(reverse("logout")).content.decode()


def test_the_page_of_a_failure_needs_nothing_that_may_have_failed() -> None:
    page = render_to_string("500.html")
    assert "Something went wrong" in page
    assert "/static/" not in page
