"""Several roots: a page may put each of those that have a name where it likes."""

from bokeh.document.events import MessageSentEvent
from bokeh.models import Button, ColumnDataSource, DataTable, Div, Slider, TableColumn
from bokeh.plotting import curdoc
from journal import note

document = curdoc()
request = document.session_context.request
note("built", request)

number = Slider(name="number", title="Number", start=0, end=100, value=1)
double = Div(name="double", text="2")
more = Button(name="more", label="More")
news = Button(name="news", label="News")
source = ColumnDataSource({"word": ["seven"]})
table = DataTable(
    name="table", source=source, columns=[TableColumn(field="word", title="Word")], width=300, height=80
)


def change(attr, old, new):
    double.text = str(2 * new)


def add():
    document.add_root(Div(name="late", text="Came later."))


def tell():
    event = MessageSentEvent(document, "apps-registry-message", "The server restarts at noon.")
    document.callbacks.trigger_on_change(event)


number.on_change("value", change)
more.on_click(add)
news.on_click(tell)
for root in (number, double, more, news, table, Div(text="Has no name.")):
    document.add_root(root)
document.title = "Parts"
