"""A Django site made of `apps_registry`, and an example for others."""
