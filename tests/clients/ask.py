"""Pulls the app ``witness`` with request arguments, and writes what it has seen. Takes a URL."""

import sys

from bokeh.client import pull_session

with pull_session(url=sys.argv[1], arguments={"city": "Gävle & Bodø", "tag": "asked"}) as session:
    sys.stdout.write(session.document.get_model_by_name("seen").text)
