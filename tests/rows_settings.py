"""The site's settings for the server with rows, see ``tests.rows``: the whole site is under a strict policy."""

from .docs_blocks import with_word
from .serving_settings import *  # noqa: F403

ROOT_URLCONF = "tests.rows_urls"
# That of docs/csp.md
exec(next(block.text for block in with_word("policy") if block.words["policy"] == "django-csp"))
