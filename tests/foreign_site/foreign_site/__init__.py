"""The portal of a harbour office: a Django site that was there before its Bokeh apps."""
