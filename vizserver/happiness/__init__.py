"""How happy people are at work: a small Django app, whose charts are Bokeh apps (`bokeh_apps/happiness_*`)."""
