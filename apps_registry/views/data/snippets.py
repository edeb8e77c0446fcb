"""How to publish and read a data set, with the addresses of this site: to be copied."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse

from ...models import Dataset

#: The name of the variable that the examples take a token from.
_TOKEN = "VIZSERVER_TOKEN"  # noqa: S105


@dataclass(frozen=True)
class Snippet:
    """One piece of text to be copied."""

    key: str
    title: str
    text: str
    note: str = ""


def publishing(request: HttpRequest, name: str, kind: str = Dataset.Kind.TABLE) -> list[Snippet]:
    """How to publish under a name, in the ways that need no page."""
    is_file = kind == Dataset.Kind.FILE
    file = "report.pdf" if is_file else f"{name}.csv"
    query = f"format=file&filename={file}" if is_file else f"filename={file}"
    data = f'"{file}"' if is_file else f'pandas.read_csv("{file}")'
    client = [
        "import os",
        *([] if is_file else ["import pandas"]),
        "from apps_registry.client import Client",
        "",
        f'with Client("{_site(request)}", os.environ["{_TOKEN}"]) as client:',
        f'    client.publish("{name}", {data})',
    ]
    return [
        Snippet(
            "curl",
            "curl",
            f'curl --fail-with-body -T {file} -H "Authorization: Bearer ${_TOKEN}" \\\n'
            f'  "{_api(request, "dataset", name)}?{query}"',
        ),
        Snippet("python", "Python", "\n".join(client), "pip install 'vizserver[client]'"),
        Snippet(
            "manage",
            "On the server",
            f"python manage.py publish {file} --name {name} --as {request.user.get_username() or 'USER'}",
        ),
    ]


def reading(request: HttpRequest, name: str, kind: str = Dataset.Kind.TABLE) -> list[Snippet]:
    """How programs and apps read a data set."""
    is_file = kind == Dataset.Kind.FILE
    address = _api(request, "file" if is_file else "data", name)
    opened = f'open_dataset("{name}")'
    app = (
        ["with " + opened + ".open() as file:", "    content = file.read()"]
        if is_file
        else [f"data = {opened}", "source = data.source(live=True)"]
    )
    read = (
        f'    client.download("{name}", "{name}.bin", format="file")'
        if is_file
        else f'    frame = client.read("{name}")'
    )
    client = [
        "import os",
        "from apps_registry.client import Client",
        "",
        f'with Client("{_site(request)}", os.environ["{_TOKEN}"]) as client:',
        read,
    ]
    return [
        Snippet("app", "In an app", "\n".join(["from apps_registry.data import open_dataset", "", *app])),
        Snippet("read-python", "Python", "\n".join(client)),
        Snippet(
            "read-curl",
            "curl",
            f'curl --fail-with-body -OJ -H "Authorization: Bearer ${_TOKEN}" \\\n  "{address}"',
        ),
    ]


def _site(request: HttpRequest) -> str:
    return request.build_absolute_uri(reverse("apps_registry:catalogue"))


def _api(request: HttpRequest, operation: str, name: str) -> str:
    return request.build_absolute_uri(reverse(f"apps_registry:api:{operation}", args=[name]))
