"""API tokens: whose they are, what they are for; to be revoked. What they are stored by is not shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from ..models import ApiToken
from . import show
from .managed import ManagedAdmin

_BADGES = {"valid": "good", "expired": "quiet", "revoked": "quiet"}


class TokenStateFilter(admin.SimpleListFilter):
    """By whether they serve."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """The states."""
        return [(state, state.capitalize()) for state in _BADGES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> QuerySet[ApiToken]:
        """The tokens in this state."""
        is_over = Q(expires_at__lte=timezone.now())
        match self.value():
            case "revoked":
                return queryset.exclude(revoked_at=None)
            case "expired":
                return queryset.filter(is_over, revoked_at=None)
            case "valid":
                return queryset.filter(Q(expires_at=None) | ~is_over, revoked_at=None)
        return queryset


@admin.action(description="Revoke", permissions=["revoke"])
def revoke(model_admin: ApiTokenAdmin, request: HttpRequest, tokens: QuerySet[ApiToken]) -> None:
    """Make tokens void, also where they are in use."""
    # One by one: it is the signal of each that ends what it has opened
    revoked = [token for token in tokens.select_related("user") if token.revoke()]
    for token in revoked:
        model_admin.log_change(request, token, "Revoked.")
    said = f"Revoked: {', '.join(map(str, revoked))}." if revoked else "They were revoked already."
    model_admin.message_user(request, said, messages.SUCCESS if revoked else messages.INFO)


@admin.register(ApiToken)
class ApiTokenAdmin(ManagedAdmin):
    """Tokens of all users, by Django's own permissions; each user has a page of his own for his."""

    nothing = "Nobody has made an API token yet."
    list_display = ("beginning", "user", "may", "only_for", "state", "expires_at", "last_used_at", "note")
    list_display_links = ("beginning",)
    list_filter = (TokenStateFilter,)
    list_select_related = ("user", "dataset", "app")
    fields = (
        "beginning",
        "user",
        "note",
        "may",
        "only_for",
        "state",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    actions = (revoke,)

    # Who may

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Who may see tokens."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who has Django's permission to see or change them."""
        user: Any = request.user
        return bool(user.has_perm("apps_registry.view_apitoken")) or self.has_revoke_permission(request)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Who has Django's permission to change them."""
        user: Any = request.user
        return bool(user.has_perm("apps_registry.change_apitoken"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        """All tokens."""
        # They belong to no row
        return self.model._default_manager.select_related(*self.list_select_related)  # type: ignore[no-any-return]

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """Note, beginning, and whatever users log in by."""
        model: Any = get_user_model()
        return ("note", "start", f"user__{model.USERNAME_FIELD}")

    # The list

    @admin.display(description="token", ordering="start")
    def beginning(self, token: ApiToken) -> str:
        """How it begins."""
        return f"{token.start}\N{HORIZONTAL ELLIPSIS}"

    @admin.display
    def may(self, token: ApiToken) -> str:
        """Its scopes."""
        return ", ".join(token.scopes)

    @admin.display(description="only for")
    def only_for(self, token: ApiToken) -> str:
        """The data set and the app that it is for."""
        things = [thing.name for thing in (token.dataset, token.app) if thing is not None]
        return ", ".join(things) or show.NOTHING

    @admin.display
    def state(self, token: ApiToken) -> SafeString:
        """Whether it serves."""
        return show.badge(_BADGES[token.state], token.state)
