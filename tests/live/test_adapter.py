"""The adapter says what stock Bokeh says; each test names what it would notice of a Bokeh upgrade."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import orjson
import pytest
from bokeh.core.has_props import HasProps
from bokeh.core.json_encoder import serialize_json
from bokeh.core.properties import Int, Required, String
from bokeh.document import Document
from bokeh.document.events import ModelChangedEvent
from bokeh.events import DocumentReady
from bokeh.layouts import column
from bokeh.model import DataModel, Model
from bokeh.models import ColumnDataSource, CustomJS, Range1d, Slider
from bokeh.palettes import Viridis256
from bokeh.plotting import figure
from bokeh.themes import Theme
from bokeh.util.serialization import make_id

from apps_registry.live import adapter


def _plot(**options):
    plot = figure(title="A plot", tools="pan,wheel_zoom,hover,lasso_select,reset", **options)
    source = ColumnDataSource({"x": np.arange(5.0), "y": [1, 2, float("nan"), 4, 5], "s": list("abcde")})
    plot.scatter("x", "y", source=source, size=10, color=Viridis256[10], legend_label="points")
    plot.line([1, 2], [3, 4], line_dash="dashed")
    plot.xaxis.axis_label = "x"
    return plot


def _document() -> Document:
    document = Document(title="Title")
    slider = Slider(start=0, end=1, value=0.5, title="s", tags=[{"a": (1, 2)}, {1, 2}])
    slider.js_on_change("value", CustomJS(args={"other": slider}, code="x"))
    document.add_root(column(slider, _plot(), _plot(y_range=(0, 5), x_range=list("abc"))))
    document.js_on_event(DocumentReady, CustomJS(code="1"))
    return document


def _without_buffer_ids(text: bytes | str, buffers) -> tuple[object, list[bytes]]:
    for number, (name, _) in enumerate(buffers):
        text = text.replace(f'"id":"{name}"'.encode(), f'"id":"buffer{number}"'.encode())
    return orjson.loads(text), [payload for _, payload in buffers]


def _stock(document: Document) -> tuple[object, list[bytes]]:
    serialized = document.to_json()
    text = serialize_json(serialized).encode()
    return _without_buffer_ids(text, [(str(b.id), b.to_bytes()) for b in serialized.buffers])


def test_document_json_is_what_bokeh_writes():
    document = _document()
    text, buffers = adapter.document_json(document)
    assert _without_buffer_ids(text, buffers) == _stock(document)


def test_document_json_with_a_theme_is_what_bokeh_writes():
    document = _document()
    document.theme = Theme(
        json={"attrs": {"Plot": {"background_fill_color": "#111111"}, "Axis": {"major_tick_in": 0}}}
    )
    text, buffers = adapter.document_json(document)
    assert b"#111111" in text
    assert _without_buffer_ids(text, buffers) == _stock(document)


def test_document_json_has_the_definitions_of_data_models():
    class Reading(DataModel):
        level = Int(default=3)
        place = String()

    document = Document()
    document.add_root(Reading(level=4, place="here"))
    try:
        text, buffers = adapter.document_json(document)
        assert _without_buffer_ids(text, buffers) == _stock(document)
        assert any(d["name"].endswith("Reading") for d in orjson.loads(text)["defs"])
    finally:
        adapter.forget_models(__name__)
    assert not any(name.endswith("Reading") for name in HasProps.model_class_reverse_map)


def test_a_required_property_that_is_not_set_is_an_error():
    class Strict(Model):
        must = Required(Int)

    try:
        document = Document()
        document.add_root(Strict())
        with pytest.raises(Exception, match="must"):
            adapter.document_json(document)
    finally:
        adapter.forget_models(__name__)


def test_json_of_what_orjson_refuses():
    assert adapter.dumps({"big": 2**70}) == b'{"big":1180591620717411303424}'
    assert adapter.dumps({"half": "\ud800"}) == b'{"half":"\\ud800"}'
    assert adapter.dumps({"f": np.float64(1.5)}) == b'{"f":1.5}'
    with pytest.raises(TypeError):
        adapter.dumps({"no": object()})


def test_documents_with_arrays_are_written_the_fast_way(monkeypatch):
    monkeypatch.setattr(adapter.text, "serialize_json", lambda content: pytest.fail("orjson has refused"))
    text, buffers = adapter.document_json(_document())
    assert len(buffers) == 2
    assert text.startswith(b'{"version":')


def test_an_event_refers_to_what_is_known_and_defines_what_is_new():
    document = adapter.new_document()
    plot = _plot()
    document.add_root(plot)
    adapter.document_json(document)
    new_range = Range1d(start=3, end=7)
    plot.x_range = new_range
    event = ModelChangedEvent(document, plot, "x_range", new_range)
    first = orjson.loads(adapter.encode_event(document, event)[0])
    again = orjson.loads(adapter.encode_event(document, event)[0])
    assert first["model"] == {"id": plot.id}
    assert first["new"] == {
        "type": "object",
        "name": "Range1d",
        "id": new_range.id,
        "attributes": {"start": 3, "end": 7},
    }
    assert again["new"] == {"id": new_range.id}


def test_a_buffer_is_frozen_when_the_event_happens():
    document = adapter.new_document()
    values = np.zeros(3)
    source = ColumnDataSource({"x": values})
    document.add_root(source)
    adapter.document_json(document)
    _, [(_, payload)] = adapter.encode_event(
        document, ModelChangedEvent(document, source, "data", {"x": values})
    )
    values += 1
    assert payload == np.zeros(3).tobytes()


def test_a_patch_of_a_model_that_was_removed_is_dropped():
    document = adapter.new_document()
    slider = Slider(start=0, end=1, value=0)
    document.add_root(slider)
    document.remove_root(slider)
    events = [{"kind": "ModelChanged", "model": {"id": slider.id}, "attr": "value", "new": 1}]
    adapter.apply_patch(document, {"events": events}, [], None)
    assert slider.value == 0
    unheard = [{**events[0], "model": {"id": "never"}}]
    with pytest.raises(Exception, match="never"):
        adapter.apply_patch(document, {"events": unheard}, [], None)


def test_a_patch_defines_models_and_refers_to_them():
    document = adapter.new_document()
    plot = _plot()
    document.add_root(plot)
    new = {"type": "object", "name": "Range1d", "id": "new1", "attributes": {"start": 1, "end": 2}}
    events = [
        {"kind": "ModelChanged", "model": {"id": plot.id}, "attr": "x_range", "new": new},
        {"kind": "ModelChanged", "model": {"id": "new1"}, "attr": "end", "new": 9},
    ]
    adapter.apply_patch(document, {"events": events}, [], None)
    assert (plot.x_range.start, plot.x_range.end) == (1, 9)
    assert document.get_model_by_id("new1") is plot.x_range


def test_replacing_a_document_takes_the_other_ones_models():
    source, target = _document(), adapter.new_document()
    target.add_root(Slider(start=0, end=1, value=0))
    text, buffers = adapter.document_json(source)
    adapter.replace_document(target, orjson.loads(text), buffers)
    assert target.title == "Title"
    assert {m.id for m in target.models} == {m.id for m in source.models}


def _busy_document():
    document = adapter.new_document()
    root = column(Slider(start=0, end=1, value=0), _plot())
    document.add_root(root)
    slider = root.children[0]
    slider.on_change("value", lambda attr, old, new: setattr(slider, "title", str(root)))
    document.on_event(DocumentReady, lambda event: root)
    return document


def test_a_released_document_goes_without_a_garbage_collection():
    gc.collect()
    gc.disable()
    try:
        document = _busy_document()
        seen = [weakref.ref(document), *map(weakref.ref, document.models)]
        adapter.release_document(document)
        del document
        assert len(seen) > 20
        assert [type(ref()).__name__ for ref in seen if ref() is not None] == []
    finally:
        gc.enable()


def test_ids_are_those_of_bokeh():
    assert make_id() != make_id()
