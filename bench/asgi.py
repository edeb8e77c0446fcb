"""Serves scripts by Bokeh's `BokehASGI` under uvicorn, with the options our own server uses."""

from __future__ import annotations

import argparse
from pathlib import Path

import uvicorn
from bokeh.server.asgi import BokehASGI


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m bench.asgi", description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--unused-session-lifetime", type=int, required=True, metavar="MS")
    parser.add_argument("--check-unused-sessions", type=int, required=True, metavar="MS")
    options = parser.parse_args()
    server = BokehASGI(
        {f"/{path.stem}": path for path in options.paths},
        extra_websocket_origins=[f"127.0.0.1:{options.port}"],
        unused_session_lifetime_milliseconds=options.unused_session_lifetime,
        check_unused_sessions_milliseconds=options.check_unused_sessions,
    )
    uvicorn.run(
        server,
        port=options.port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
