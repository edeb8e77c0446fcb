"""Who arrives, for the person who looks."""

from bokeh.models import Div
from bokeh.plotting import curdoc

from .ships import EXPECTED

context = curdoc().session_context
person = context.request.user
berth = context.request.arguments.get("berth", [b"any"])[0].decode()
known = context.token_payload.get("context", {})

rows = "".join(f"<li>{ship}</li>" for ship in EXPECTED)
curdoc().title = "Arrivals"
curdoc().add_root(
    Div(
        name="arrivals",
        text=f"<p>{person}, berth {berth}, {known.get('shift', 'all day')}</p><ul>{rows}</ul>",
    )
)
