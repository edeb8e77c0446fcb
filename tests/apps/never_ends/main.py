"""Does not come to its end until somebody sets the gate, or MINUTES have passed."""

from gate import gate

MINUTES = 10

gate.started.set()
gate.opened.wait(timeout=MINUTES * 60)
