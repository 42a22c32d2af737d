"""A journal directory in use: locked against eviction, with a check of its identity."""

import fcntl
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from fleet_tui.journal.errors import JournalError

UNREADABLE = (JournalError, OSError, sqlite3.Error)
"""Errors of reading where the files are gone or replaced."""


class DirectoryInUse:
    """A reader locks it, so that no other process takes a recording for unused."""

    def __init__(self, directory: Path) -> None:
        """Raises OSError where there is none."""
        self.path = directory
        self._file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with suppress(OSError):  # it is just being removed, or the file system has no locks
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def is_there(self) -> bool:
        """Whether it is still in place: not deleted, moved or replaced."""
        try:
            now = self.path.stat()
        except OSError:
            return False
        return os.path.samestat(now, os.fstat(self._file))

    def close(self) -> None:
        """Release it."""
        os.close(self._file)
