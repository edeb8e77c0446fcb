"""Actions that need an answer first: a page with a form, which comes back to the same action."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib.admin import ModelAdmin, helpers
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

_ANSWERED = "answered"


def answered[F: forms.Form](request: HttpRequest, form: Callable[..., F]) -> F:
    """The form with the answer of the user, if there is one already."""
    return form(request.POST, request.FILES) if _ANSWERED in request.POST else form()


def ask[M: Model](
    model_admin: ModelAdmin[M],
    request: HttpRequest,
    queryset: QuerySet[M],
    form: forms.Form,
    *,
    name: Callable[[M], str],
    action: str,
    title: str,
    submit: str,
) -> TemplateResponse:
    """The page that asks ``form`` about what ``queryset`` holds, and then calls ``action`` again.

    ``name`` says what each object is called there.
    """
    context: dict[str, Any] = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "opts": model_admin.opts,
        "media": model_admin.media + form.media,
        "chosen": [(chosen.pk, name(chosen)) for chosen in queryset],
        "form": form,
        "action": action,
        "submit": submit,
        "answered": _ANSWERED,
        "checkbox_name": helpers.ACTION_CHECKBOX_NAME,
        "from_page": request.POST.get(FROM_PAGE, ""),
        "from_page_name": FROM_PAGE,
    }
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(request, "admin/apps_registry/ask.html", context)


#: What a form says when its action was started on the page of the one object.
FROM_PAGE = "from_page"
