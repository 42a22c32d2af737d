"""Room kept back for the worst hour: a file beside the journal that is given up when the disk is
full, so that the engine can still write down what happened to it."""

import contextlib
import errno
import os
import sqlite3
from pathlib import Path

from fleet_tui.journal.directory import create_private, sync_directory

NAME = "ballast"
BYTES = 16 * 1024 * 1024
SHARE = 16
"""A small disk gives up one part in this many at most."""
MARGIN = 4
"""One part in this many of the ballast must be free beside it before a disk counts as having room:
otherwise the ballast's own space would look like room."""

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


def wanted_bytes(directory: Path) -> int:
    """How large the ballast is on this disk. Raises OSError."""
    disk = os.statvfs(directory)
    return min(BYTES, disk.f_blocks * disk.f_frsize // SHARE)


def is_made(directory: Path) -> bool:
    """Whether the ballast is there in full. Raises OSError."""
    try:
        return (directory / NAME).stat().st_size >= wanted_bytes(directory)
    except FileNotFoundError:
        return False


def make(directory: Path) -> bool:
    """Make the ballast unless it is there; False when the disk has no room for it and some to
    spare. Raises OSError for everything else that a disk can refuse."""
    wanted = wanted_bytes(directory)
    if is_made(directory):
        return True
    disk = os.statvfs(directory)
    if disk.f_bavail * disk.f_frsize < wanted + wanted // MARGIN:
        return False
    temporary = directory / f".{NAME}.new"
    temporary.unlink(missing_ok=True)
    file = create_private(temporary)
    try:
        _fill(file, wanted)
        os.fsync(file)
        temporary.rename(directory / NAME)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if error.errno in NO_SPACE:
            return False
        raise
    finally:
        os.close(file)
    sync_directory(directory)
    return True


def release(directory: Path) -> bool:
    """Give the ballast up; whether there was one. Raises OSError."""
    try:
        (directory / NAME).unlink()
    except FileNotFoundError:
        return False
    return True


def is_full(error: sqlite3.Error | OSError | MemoryError) -> bool:
    """Whether the disk, or our share of it, is full; nothing else is wrong then."""
    if isinstance(error, OSError):
        return error.errno in NO_SPACE
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF == sqlite3.SQLITE_FULL


def _fill(file: int, size: int) -> None:
    """Take the space now; a sparse file would take none."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
        return
    block = bytes(1024 * 1024)
    while size > 0:
        size -= os.write(file, block[:size])
