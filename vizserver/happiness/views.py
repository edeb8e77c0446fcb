"""The pages: today's form, and beside it an app."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.generic import FormView

from .forms import ReportForm
from .models import Person
from .reporting import report, todays_report

#: The titles of the pages. Each shows the app ``happiness_NAME``.
PAGES = {"me": "My happiness", "team": "My team", "company": "The company"}


class ReportView(LoginRequiredMixin, FormView):  # type: ignore[type-arg]
    """Shows the form and the app of a page, and takes what is reported."""

    template_name = "happiness/page.html"
    form_class = ReportForm
    page = ""
    pages = PAGES
    person: Person | None = None

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Find out who it is."""
        super().setup(request, *args, **kwargs)
        self.person = Person.of(request.user)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Take a report from whoever is in a team."""
        if self.person is None:
            raise PermissionDenied
        return super().post(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        """Begin with what was reported today."""
        instance = todays_report(self.person) if self.person is not None else None
        return super().get_form_kwargs() | {"instance": instance}

    def form_valid(self, form: ReportForm) -> HttpResponse:
        """Keep the report, and show the page again."""
        assert self.person is not None
        report(self.person, form.cleaned_data["score"], form.cleaned_data["note"])
        messages.success(self.request, "Saved. You can change it until midnight.")
        return super().form_valid(form)

    def get_success_url(self) -> str:
        """Where one is."""
        return self.request.path

    @property
    def today(self) -> date:
        """The day that is reported of."""
        return timezone.localdate()

    @property
    def title(self) -> str:
        """The page's title."""
        return PAGES[self.page]

    @property
    def app(self) -> str:
        """The name of the page's app."""
        return f"happiness_{self.page}"
