"""What can be done with data sets: each action takes the chosen ones and says what came of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from ..conf import settings
from ..datasets import managing
from ..exceptions import MayNotPublish, MayNotSee
from ..forms.publishing import PublishForm
from ..models import Dataset
from .asking import FROM_PAGE, answered, ask

if TYPE_CHECKING:
    from .data import DatasetAdmin


class DeleteForm(forms.Form):
    """The second question."""

    sure = forms.BooleanField(
        label="Hide them from everybody",
        error_messages={"required": "Say so, or cancel."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["sure"].help_text = f"For {settings.DATA_UNDELETE_DAYS} days they can be brought back."


@admin.action(description="Publish a version…", permissions=["change"])
def publish_version(
    model_admin: DatasetAdmin, request: HttpRequest, chosen: QuerySet[Dataset]
) -> HttpResponse:
    """Publish a file as the newest version of one data set."""
    datasets = list(chosen.select_related("newest"))
    if len(datasets) != 1 or datasets[0].deleted_at is not None:
        model_admin.message_user(request, "Choose one data set that is not deleted.", messages.WARNING)
        return _back(model_admin, request, datasets)
    (dataset,) = datasets
    form = answered(request, partial(PublishForm, kind=dataset.kind, is_first=dataset.newest is None))
    try:
        version = form.publish_in(dataset, request.user) if form.is_valid() else None
    except (MayNotPublish, MayNotSee) as error:
        model_admin.message_user(request, str(error), messages.ERROR)
        return _back(model_admin, request, datasets)
    if version is None:
        return ask(
            model_admin,
            request,
            chosen,
            form,
            name=str,
            action="publish_version",
            title="Publish a version",
            submit="Publish",
        )
    model_admin.log_change(request, dataset, f"Published version {version.number}.")
    model_admin.message_user(request, f"{dataset}: version {version.number} is published.", messages.SUCCESS)
    return _back(model_admin, request, datasets)


@admin.action(description="Delete…", permissions=["change"])
def delete(model_admin: DatasetAdmin, request: HttpRequest, chosen: QuerySet[Dataset]) -> HttpResponse:
    """Hide data sets from everybody, after another question."""
    form = answered(request, DeleteForm)
    if not form.is_valid():
        return ask(
            model_admin,
            request,
            chosen,
            form,
            name=str,
            action="delete",
            title="Delete data sets",
            submit="Delete",
        )
    datasets = list(chosen)
    for dataset in datasets:
        if dataset.deleted_at is None:
            managing.delete(dataset, request.user)
            model_admin.log_change(request, dataset, "Deleted.")
    model_admin.message_user(request, f"Deleted: {_names(datasets)}.", messages.SUCCESS)
    return _back(model_admin, request, datasets)


@admin.action(description="Bring back", permissions=["change"])
def undelete(model_admin: DatasetAdmin, request: HttpRequest, chosen: QuerySet[Dataset]) -> HttpResponse:
    """Have deleted data sets back."""
    datasets = [dataset for dataset in chosen if dataset.deleted_at is not None]
    for dataset in datasets:
        managing.undelete(dataset, request.user)
        model_admin.log_change(request, dataset, "Brought back.")
    said = f"Brought back: {_names(datasets)}." if datasets else "None of them is deleted."
    model_admin.message_user(request, said, messages.SUCCESS if datasets else messages.INFO)
    return _back(model_admin, request, datasets)


ALL = (publish_version, delete, undelete)


def buttons(dataset: Dataset) -> list[tuple[str, str]]:
    """Names and labels of what can be done with one data set."""
    useful: list[Any] = [publish_version, delete] if dataset.deleted_at is None else [undelete]
    return [(action.__name__, action.short_description) for action in useful]


def _names(datasets: list[Dataset]) -> str:
    return ", ".join(dataset.name for dataset in datasets)


def _back(model_admin: DatasetAdmin, request: HttpRequest, chosen: list[Dataset]) -> HttpResponse:
    """To the page where the action was started: that of the one data set, or the list as it was."""
    if request.POST.get(FROM_PAGE) and len(chosen) == 1:
        return HttpResponseRedirect(model_admin.address("dataset_change", chosen[0].pk))
    return HttpResponseRedirect(request.get_full_path())
