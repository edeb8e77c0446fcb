"""Pulls the app of sliders, moves one when told to, and ends once the server's curve is as high as wanted.

Takes a URL, the name of a slider, its new value, the height, and maybe a session id.
"""

import sys

from bokeh.client import pull_session

url, name, value, height = sys.argv[1:5]
session = pull_session(session_id=sys.argv[5] if len(sys.argv) > 5 else None, url=url)
curve = session.document.get_model_by_name("curve")


def look(attr, old, new):
    if abs(max(new["y"]) - float(height)) < 0.001:
        session.document.add_next_tick_callback(session.close)


curve.on_change("data", look)
sys.stdout.write("ready\n")
sys.stdout.flush()
sys.stdin.readline()
session.document.get_model_by_name(name).value = float(value)
session._loop_until_closed()
sys.stdout.write(f"{max(curve.data['y']):.2f}\n")
