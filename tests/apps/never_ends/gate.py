"""What a test gets hold of, as the module PACKAGE.gate in sys.modules."""

from threading import Event
from types import SimpleNamespace

gate = SimpleNamespace(started=Event(), opened=Event())
