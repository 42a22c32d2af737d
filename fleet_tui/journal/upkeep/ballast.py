"""Reserved disk space: a file next to the journal that is deleted when the disk is full, so that
the engine can still record that."""

import contextlib
import errno
import os
import sqlite3
from pathlib import Path

from fleet_tui.journal.directory import create_private, sync_directory

NAME = "ballast"
BYTES = 16 * 1024 * 1024
SHARE = 16
"""At most one part in this many of a small disk."""
MARGIN = 4
"""One part in this many of the ballast must be free in addition before a disk counts as having
space: otherwise the ballast's own space would count."""

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


def wanted_bytes(directory: Path) -> int:
    """How large the ballast is on this disk. Raises OSError."""
    disk = os.statvfs(directory)
    return min(BYTES, disk.f_blocks * disk.f_frsize // SHARE)


def is_made(directory: Path) -> bool:
    """Whether the ballast exists in full. Raises OSError."""
    try:
        return (directory / NAME).stat().st_size >= wanted_bytes(directory)
    except FileNotFoundError:
        return False


def make(directory: Path) -> bool:
    """Make the ballast unless it exists; False when the disk lacks space for it and a margin.
    Raises OSError for every other error of the disk."""
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
    """Delete the ballast; returns whether there was one. Raises OSError."""
    try:
        (directory / NAME).unlink()
    except FileNotFoundError:
        return False
    return True


def is_full(error: sqlite3.Error | OSError | MemoryError) -> bool:
    """Whether the disk, or our share of it, is full, and nothing else is wrong."""
    if isinstance(error, OSError):
        return error.errno in NO_SPACE
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF == sqlite3.SQLITE_FULL


def _fill(file: int, size: int) -> None:
    """Allocate the space now; a sparse file would take none."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
        return
    block = bytes(1024 * 1024)
    while size > 0:
        size -= os.write(file, block[:size])
