"""The directories of the program, all defined here (XDG, through platformdirs).

A fleet's state directory holds its ledger, samples, logs, the engine's lock and its own log file.
"""

import getpass
import hashlib
import os
import pwd
import re
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import platformdirs

from fleet_tui.base.errors import FleetError

APP = "fleet-tui"
STATE_VARIABLE = "FLEET_TUI_STATE_DIR"
"""Overrides the parent of all fleets' state directories."""

NO_HOME = "/nonexistent"
"""HOME for a user without one, as for ``nobody`` in Debian's password file."""

SOCKET_NAME = "engine.sock"
"""The engine's socket where it is in the state directory itself."""

MAX_SOCKET_PATH_BYTES = 100
"""Unix socket paths end at 104 bytes on macOS and 108 on Linux."""


class NoHome(FleetError):
    """This user has no home directory."""


def settle_home() -> None:
    """Give this process and its children a reliable HOME and user name.

    A container's arbitrary uid has no entry in the password file, and every library that expands
    ``~`` or looks up the user then fails in its own way. With HOME at NO_HOME they find an empty
    home instead.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["LOGNAME"] = f"uid-{os.getuid()}"
    if os.environ.get("HOME", "").startswith("/"):
        return
    try:
        home = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        home = ""
    os.environ["HOME"] = home if home.startswith("/") else NO_HOME


def has_home() -> bool:
    """Whether this user has a home directory; call after :func:`settle_home`."""
    return os.environ.get("HOME") != NO_HOME


def _of_user(directory: str, what: str, hint: str) -> Path:
    """One of the user's own directories. Raises NoHome."""
    if directory.startswith(f"{NO_HOME}/"):
        raise NoHome(f"this user has no home directory to keep {what} in", hint=hint)
    return Path(directory)


def state_root() -> Path:
    """The directory that holds one state directory per fleet. Raises NoHome."""
    override = os.environ.get(STATE_VARIABLE)
    if override:
        return Path(override)
    hint = f"set HOME, or {STATE_VARIABLE} to a directory of yours"
    return _of_user(platformdirs.user_state_dir(APP), "fleets' ledgers", hint)


def sessions_dir() -> Path:
    """Where recordings and exports go by default. Raises NoHome."""
    return _data_dir("recordings") / "sessions"


def backups_dir() -> Path:
    """Where backups of ledgers go by default. Raises NoHome."""
    return _data_dir("backups") / "backups"


def _data_dir(what: str) -> Path:
    hint = "set HOME or XDG_DATA_HOME, or say where it goes"
    return _of_user(platformdirs.user_data_dir(APP), what, hint)


def cache_dir() -> Path:
    """For data that can be recreated: imported recordings. Raises NoHome."""
    return _of_user(platformdirs.user_cache_dir(APP), "caches", "set HOME or XDG_CACHE_HOME")


def fleet_dir(fleet: str) -> Path:
    """The state directory of a fleet."""
    safe = re.sub(r"[^a-z0-9._-]", "-", fleet.lower()) or "fleet"
    return state_root() / safe


def socket_path(directory: Path) -> Path:
    """The engine's socket for a state directory. If the directory's path is too long for a socket
    it is in a private directory of the user, named after the state directory."""
    inside = directory / SOCKET_NAME
    if len(os.fsencode(inside)) <= MAX_SOCKET_PATH_BYTES:
        return inside
    name = hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:16]
    return _runtime_dir() / f"{name}.sock"


def _runtime_dir() -> Path:
    """The directory for sockets whose own path is too long: the user's runtime directory, unless it
    belongs to another user, as after ``su``."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_absolute():
        with suppress(OSError):
            if os.lstat(runtime).st_uid == os.geteuid():
                return Path(runtime) / APP
    return Path(tempfile.gettempdir()) / f"{APP}-{os.geteuid()}"


def open_private(path: Path) -> BinaryIO:
    """A new or emptied file for writing and reading bytes, accessible to its owner only."""
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(path, flags, 0o600)
    os.fchmod(file, 0o600)  # an existing one may have been accessible to others
    return os.fdopen(file, "w+b")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in a private directory. Raises OSError,
    FleetError."""
    private_dir(path.parent)
    with open_private(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


def private_dir(path: Path) -> Path:
    """Make a directory that only its owner can access, and return it. Raises FleetError when it
    belongs to another user, who would control its content."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode) and found.st_uid in (0, os.geteuid()):
        found = path.stat()
    if found.st_uid != os.geteuid():
        raise FleetError(
            f"{path} belongs to user {found.st_uid}, not to user {os.geteuid()}",
            hint="remove it, or name another place",
        )
    return path
