"""How full the quay is."""

from bokeh.layouts import column
from bokeh.models import ColumnDataSource, Div, Slider
from bokeh.plotting import curdoc, figure

METRES_OF_QUAY = 900
METRES_OF_A_SHIP = 120

ships = Slider(name="ships", title="Ships", start=0, end=7, value=2)
said = Div(name="said")
source = ColumnDataSource(name="berths")
quay = figure(
    height=160, x_range=(0, METRES_OF_QUAY), sizing_mode="stretch_width", title="The quay, in metres"
)
quay.hbar(y=0, height=0.5, left="left", right="right", source=source)


def moor():
    lefts = [number * METRES_OF_A_SHIP for number in range(ships.value)]
    source.data = {"left": lefts, "right": [left + 0.9 * METRES_OF_A_SHIP for left in lefts]}
    said.text = f"{METRES_OF_QUAY - len(lefts) * METRES_OF_A_SHIP} m are free"


ships.on_change("value", lambda attr, old, new: moor())
moor()
curdoc().title = "Berths"
curdoc().add_root(column(ships, said, quay, sizing_mode="stretch_width"))
