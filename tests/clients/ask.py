"""Pulls the app ``witness`` with request arguments; writes what it has seen, and the server's Bokeh. Takes a URL."""

import sys

from bokeh.client import pull_session

with pull_session(url=sys.argv[1], arguments={"city": "Gävle & Bodø", "tag": "asked"}) as session:
    sys.stdout.write(session.document.get_model_by_name("seen").text + "\n")
    sys.stdout.write(session.request_server_info()["version_info"]["bokeh"] + "\n")
