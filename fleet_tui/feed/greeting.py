"""Asking an engine for its mode, for read-only commands: one request, no event loop."""

import socket
from contextlib import closing
from pathlib import Path

import msgspec

from fleet_tui import __version__
from fleet_tui.base.doors import check_peer, check_room
from fleet_tui.base.errors import FleetError
from fleet_tui.core.engine.protocol import (
    MAX_FRAME_BYTES,
    PROTOCOL,
    Hello,
    Welcome,
    from_engine,
    read_frame,
)

DEADLINE_S = 2.0


def greet(path: Path, by: str) -> Welcome | None:
    """The reply of the engine at a socket to a hello; None when none answers in our protocol."""
    hello = Hello(protocol=PROTOCOL, version=__version__, by=by, read_only=True)
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as door:
        door.settimeout(DEADLINE_S)
        try:
            check_room(path)
            door.connect(str(path))
            check_peer(door, path)
            door.sendall(msgspec.json.encode(hello) + b"\n")
            with door.makefile("rb") as answers:
                said = read_frame(from_engine, answers.readline(MAX_FRAME_BYTES))
        except (OSError, ValueError, FleetError):
            return None
    return said if isinstance(said, Welcome) else None
