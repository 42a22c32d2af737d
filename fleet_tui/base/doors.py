"""Protects the engine's socket against other users of this machine.

A socket in a directory that another user can write to may belong to another user. So its directory
is private and not a link, and each side asks the system for the other's identity before it sends
anything.
"""

import os
import socket
import stat
import struct
import sys
from pathlib import Path

from fleet_tui.base.errors import FleetError
from fleet_tui.base.paths import SOCKET_NAME

_UCRED = struct.Struct("3i")
"""``struct ucred`` of unix(7): pid, uid, gid."""
_XUCRED = struct.Struct("=II")
"""The beginning of ``struct xucred`` of unix(4) on macOS and FreeBSD: version, uid."""
_XUCRED_BYTES = 128
"""More than any system's ``xucred`` needs."""
_XUCRED_VERSION = 0
_SOL_LOCAL = 0
_LOCAL_PEERCRED = 1
_LOCAL_PEERCRED_SYSTEMS = ("darwin", "freebsd")

WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def make_room(path: Path) -> None:
    """Create the directory for a socket at ``path`` if needed, except a state directory: a missing
    one is never recreated for its socket. Raises FleetError when it is not private, OSError when it
    is missing and cannot be created."""
    room = path.parent
    if path.name != SOCKET_NAME and not room.is_symlink():
        room.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_room(path)


def check_room(path: Path) -> None:
    """Raises FleetError when the directory of a socket at ``path`` is not private, OSError when
    there is none. No other user can replace it afterwards: it is ours, and if its parent is shared,
    that one is sticky."""
    room = path.parent
    found = room.lstat()
    who = os.geteuid()
    if stat.S_ISLNK(found.st_mode):
        problem = f"{room} is a link that user {found.st_uid} made"
    elif not stat.S_ISDIR(found.st_mode):
        problem = f"{room} is not a directory"
    elif found.st_uid != who:
        problem = f"{room} belongs to user {found.st_uid}, not to user {who}"
    elif found.st_mode & WRITABLE_BY_OTHERS:
        problem = f"{room} has mode {stat.S_IMODE(found.st_mode):04o}, so others can write to it"
    else:
        return
    raise FleetError(
        f"{problem}; an engine's socket needs a directory of your own",
        hint=f"remove {room}, or let FLEET_TUI_STATE_DIR name a shorter path of your own",
    )


def check_peer(peer: socket.socket, path: Path) -> None:
    """Raises FleetError when another user's process listens at the socket."""
    uid = peer_uid(peer)
    if uid is not None and uid != os.geteuid():
        raise FleetError(
            f"user {uid} listens at {path}, not user {os.geteuid()}; nothing was sent",
            hint="it is no engine of yours: remove the socket, or ask who made it",
        )


def is_ours(peer: socket.socket) -> bool:
    """Whether the other side runs as our user."""
    return peer_uid(peer) in (None, os.geteuid())


def peer_uid(peer: socket.socket) -> int | None:
    """The user at the other side of a connected Unix socket, according to the system: who
    connected, or who began to listen. None on systems that do not report it, where the mode of the
    socket and of its directory must suffice. Raises OSError when the connection is gone."""
    system: str = sys.platform
    if system == "linux":
        raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        return int(_UCRED.unpack(raw)[1])
    if system.startswith(_LOCAL_PEERCRED_SYSTEMS):
        return xucred_uid(peer.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_BYTES))
    return None


def xucred_uid(raw: bytes) -> int | None:
    """The user in a ``struct xucred``; None for one of a version that we do not know."""
    if len(raw) < _XUCRED.size:
        return None
    version, uid = _XUCRED.unpack_from(raw)
    return int(uid) if version == _XUCRED_VERSION else None
