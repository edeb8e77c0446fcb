"""For tests of apps: open one in this process, or over a real socket, and use it as a browser does."""

from .checking import CheckedApp, check_app
from .inprocess import CallbackFailed, OpenedApp, open_app
from .server import RunningServer, run_server
from .socket import AppSocket, connect

__all__ = [
    "AppSocket",
    "CallbackFailed",
    "CheckedApp",
    "OpenedApp",
    "RunningServer",
    "check_app",
    "connect",
    "open_app",
    "run_server",
]
