"""Published data: what is taken in, how it is kept, and who sees which rows of it."""
