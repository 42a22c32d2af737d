"""Where things are kept: one place that knows the directories (XDG, through platformdirs).

A fleet's state directory holds its ledger, samples, logs, the engine's lock and its own log file.
"""

import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import BinaryIO

import platformdirs

from fleet_tui.errors import FleetError

APP = "fleet-tui"
STATE_VARIABLE = "FLEET_TUI_STATE_DIR"
"""Overrides where all fleets' state directories are."""

MAX_SOCKET_PATH_BYTES = 100
"""Unix socket paths end at 104 bytes on macOS and 108 on Linux."""


def state_root() -> Path:
    """The directory that holds one state directory per fleet."""
    override = os.environ.get(STATE_VARIABLE)
    return Path(override) if override else Path(platformdirs.user_state_dir(APP))


def config_dir() -> Path:
    """The operator's own settings: key map, themes."""
    return Path(platformdirs.user_config_dir(APP))


def sessions_dir() -> Path:
    """Where recordings and exports go by default."""
    return Path(platformdirs.user_data_dir(APP)) / "sessions"


def backups_dir() -> Path:
    """Where backups of ledgers go by default."""
    return Path(platformdirs.user_data_dir(APP)) / "backups"


def cache_dir() -> Path:
    """What can be made again: imported recordings."""
    return Path(platformdirs.user_cache_dir(APP))


def fleet_dir(fleet: str) -> Path:
    """The state directory of a fleet."""
    safe = re.sub(r"[^a-z0-9._-]", "-", fleet.lower()) or "fleet"
    return state_root() / safe


def socket_path(directory: Path) -> Path:
    """The engine's socket for a state directory. Where the directory's own path is too long for a
    socket it is in a private directory of the user's, named after the state directory."""
    inside = directory / "engine.sock"
    if len(os.fsencode(inside)) <= MAX_SOCKET_PATH_BYTES:
        return inside
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    root = Path(runtime) / APP if runtime else Path(tempfile.gettempdir()) / f"{APP}-{os.getuid()}"
    name = hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:16]
    return root / f"{name}.sock"


def open_private(path: Path) -> BinaryIO:
    """A new or emptied file for writing bytes that only its owner can read."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(path, flags, 0o600)
    os.fchmod(file, 0o600)  # one that was there may have been open to others
    return os.fdopen(file, "wb")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in a directory that is ours. Raises OSError,
    FleetError."""
    private_dir(path.parent)
    with open_private(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


def private_dir(path: Path) -> Path:
    """Make a directory that only its owner can look into, and return it. Raises FleetError when
    somebody else had made it: what is put there would be theirs."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_owner(path)
    return path


def check_owner(path: Path) -> None:
    """Raises FleetError for a directory that is not ours, OSError when there is none."""
    if path.stat().st_uid != os.getuid():
        raise FleetError(f"{path} belongs to another user", hint="remove it, or name another place")
