"""A journal directory that is being looked at: kept from being evicted, and known again."""

import fcntl
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from fleet_tui.journal.errors import JournalError

UNREADABLE = (JournalError, OSError, sqlite3.Error)
"""What reading raises where the files are gone, or are not what they were."""


class DirectoryInUse:
    """Whoever looks at it locks it, so that no other process takes a recording for unused."""

    def __init__(self, directory: Path) -> None:
        """Raises OSError where there is none."""
        self.path = directory
        self._file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with suppress(OSError):  # somebody removes it just now, or the file system has no locks
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def is_there(self) -> bool:
        """Whether its name still means it: it was not deleted, moved or replaced."""
        try:
            now = self.path.stat()
        except OSError:
            return False
        return os.path.samestat(now, os.fstat(self._file))

    def close(self) -> None:
        """Let go of it."""
        os.close(self._file)
