"""The same as alpha, so that there are two apps."""

from bokeh.layouts import column
from bokeh.models import Button, Div
from bokeh.plotting import curdoc

user = curdoc().session_context.request.user
count = Div(name="count", text="0")
more = Button(name="more", label="More")
more.on_click(lambda: count.update(text=str(int(count.text) + 1)))
curdoc().add_root(column(Div(name="user", text=user.get_username() or "nobody"), count, more))
