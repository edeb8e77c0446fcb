"""The decisions that permissions are about, declared once: grants, admin, docs and tests read them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Role:
    """One thing that a user may do with a thing."""

    help: str
    #: Its name for ``user.has_perm``
    permission: str
    #: The roles whose grants hold this one in them; empty: it is not granted on apps
    granted_by: tuple[str, ...] = ()


ROLES: dict[str, Role] = {
    "open": Role(
        "Open the app: its page, its socket, its files.",
        "apps_registry.open_vizapp",
        ("open", "push", "manage"),
    ),
    "manage": Role(
        "Change the app's row; see its errors, live sessions and audit; end its sessions.",
        "apps_registry.manage_vizapp",
        ("manage",),
    ),
    "publish": Role(
        "Make data sets, and publish them.",
        "apps_registry.publish_data",
    ),
    "push": Role(
        "Replace the whole document of a session from a Python client.",
        "apps_registry.push_vizapp",
        ("push", "manage"),
    ),
}
