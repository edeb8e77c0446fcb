"""Reads files of strangers: what here runs, runs without Django, mostly in a process of its own (``worker``)."""
