"""Has a custom model that does not compile."""

from bokeh.models import LayoutDOM
from bokeh.plotting import curdoc


class Unfinished(LayoutDOM):
    __implementation__ = """
import {LayoutDOM, LayoutDOMView} from "models/layouts/layout_dom"

export class UnfinishedView extends LayoutDOMView {
  declare model: Unfinished
  get child_models() { return [] }
  override render(): void { this is not TypeScript }
}

export class Unfinished extends LayoutDOM {
"""


curdoc().add_root(Unfinished())
