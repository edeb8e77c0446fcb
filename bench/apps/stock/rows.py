"""A plot of the table as stock Bokeh has it: each session reads the file, with ``?region=NAME`` some of its rows."""

import os

import pandas as pd
from bokeh.io import curdoc
from bokeh.models import ColumnDataSource

from bench.table import plot

document = curdoc()
regions = [name.decode() for name in document.session_context.request.arguments.get("region", [])]
frame = pd.read_parquet(os.environ["BENCH_TABLE"], filters=[("region", "in", regions)] if regions else None)
document.add_root(plot(ColumnDataSource({name: frame[name].to_numpy() for name in frame})))
