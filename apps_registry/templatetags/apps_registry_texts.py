"""Filters of this package's own pages: ``{% load apps_registry_texts %}``."""

from __future__ import annotations

from django import template

from .. import texts

register = template.Library()
for _text in (texts.ago, texts.day, texts.count):
    register.filter(_text)
