"""Maps errors of the operating system and of SQLite to the one table of
:mod:`fleet_tui.core.modes`.

SQLite hides the error number: ``unable to open database file`` may be a missing file, a permission,
or a lack of descriptors. For such codes a file in the directory is written, which gives the same
error with its number.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

from fleet_tui.core.modes import TROUBLES, Trouble, trouble_of_errno
from fleet_tui.journal.errors import JournalDamaged, JournalError, JournalFailed
from fleet_tui.journal.ledger.lockers import in_words as named
from fleet_tui.journal.ledger.lockers import lockers
from fleet_tui.journal.ledger.segments import numbered_files

StorageError = sqlite3.Error | OSError | MemoryError

PRIMARY: Final = 0xFF
"""The low byte of an extended result code. Source: https://www.sqlite.org/rescode.html"""

_BY_PRIMARY: Final[dict[int, Trouble]] = {
    sqlite3.SQLITE_FULL: Trouble.DISK_FULL,
    sqlite3.SQLITE_BUSY: Trouble.LOCKED,
    sqlite3.SQLITE_LOCKED: Trouble.LOCKED,
    sqlite3.SQLITE_PROTOCOL: Trouble.LOCKED,
    sqlite3.SQLITE_NOMEM: Trouble.NO_MEMORY,
    sqlite3.SQLITE_IOERR: Trouble.DISK_ERROR,
    sqlite3.SQLITE_READONLY: Trouble.READ_ONLY_FILE_SYSTEM,
    sqlite3.SQLITE_PERM: Trouble.NOT_PERMITTED,
    sqlite3.SQLITE_AUTH: Trouble.NOT_PERMITTED,
    sqlite3.SQLITE_CANTOPEN: Trouble.UNCLEAR,
    sqlite3.SQLITE_NOLFS: Trouble.FILE_TOO_LARGE,
    sqlite3.SQLITE_INTERRUPT: Trouble.INTERRUPTED,
    sqlite3.SQLITE_ABORT: Trouble.INTERRUPTED,
    sqlite3.SQLITE_CORRUPT: Trouble.DAMAGED,
    sqlite3.SQLITE_NOTADB: Trouble.DAMAGED,
}
"""Other codes (an SQL error, a constraint) are not about the system."""

_BY_CODE: Final[dict[int, Trouble]] = {
    sqlite3.SQLITE_IOERR_NOMEM: Trouble.NO_MEMORY,
    sqlite3.SQLITE_IOERR_BLOCKED: Trouble.LOCKED,
    sqlite3.SQLITE_READONLY_DBMOVED: Trouble.DIRECTORY_GONE,
}

_HIDES_A_NUMBER: Final = frozenset(
    {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
)
"""Codes for which the operating system's own error decides."""

TOUCH_NAME: Final = ".touch.new"
"""Like every ``.*.new``, it is removed by the next engine if left behind."""

TOUCH_BYTES: Final = 64 * 1024
"""Enough to run into a quota."""


def trouble_of(error: StorageError, directory: Path) -> Trouble:
    """The trouble behind an error. May write to the directory to find out; never raises."""
    if isinstance(error, MemoryError):
        return Trouble.NO_MEMORY
    if isinstance(error, OSError):
        return trouble_of_errno(error.errno)
    code = code_of(error)
    if code is None:
        return Trouble.UNCLEAR
    found = _BY_CODE.get(code) or _BY_PRIMARY.get(code & PRIMARY, Trouble.UNCLEAR)
    if code & PRIMARY not in _HIDES_A_NUMBER or found is Trouble.DIRECTORY_GONE:
        return found
    met = touched(directory)
    return found if met is None else trouble_of_errno(met.errno)


def code_of(error: sqlite3.Error) -> int | None:
    """The extended result code; None for an error that is not SQLite's own."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return code


def touched(directory: Path) -> OSError | None:
    """Create, write, sync and remove a file in the directory; returns the system's error."""
    path = directory / TOUCH_NAME
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        file = os.open(path, flags, 0o600)
        try:
            os.write(file, bytes(TOUCH_BYTES))
            os.fsync(file)
        finally:
            os.close(file)
            with suppress(OSError):
                path.unlink()
    except OSError as error:
        return error
    return None


def is_damage(error: sqlite3.Error) -> bool:
    """Whether a file that could be opened differs from what was written: by SQLite's findings, or
    by missing parts. False for every error of the system on the way there."""
    code = code_of(error)
    return code is None or _BY_PRIMARY.get(code & PRIMARY, Trouble.DAMAGED) is Trouble.DAMAGED


def in_words(trouble: Trouble, error: StorageError, directory: Path) -> str:
    """``the disk reports errors: [Errno 5] Input/output error``; for a lock, its holder where the
    system reports it: ``another program holds a lock on the ledger: pid 12 (sqlite3)``."""
    if trouble is Trouble.LOCKED:
        files = numbered_files(directory, "events")
        if files and (holders := named(lockers(files[-1][1], but=os.getpid()))):
            return f"{TROUBLES[trouble].words}: {holders}"
    name = getattr(error, "sqlite_errorname", None)
    own = f"{error} ({name})" if name else str(error)
    return f"{TROUBLES[trouble].words}: {own}" if own else TROUBLES[trouble].words


def failure(error: StorageError, directory: Path, what: str) -> JournalFailed:
    """An error of the system as the one that ends the use of a ledger; ``what`` cannot be done."""
    trouble = trouble_of(error, directory)
    return JournalFailed(
        f"{what}: {in_words(trouble, error, directory)}",
        hint=TROUBLES[trouble].advice,
        trouble=trouble,
    )


def unreadable(error: sqlite3.Error, path: Path, first_bad_seq: int, last_seq: int) -> JournalError:
    """A file of the ledger that could not be read: damaged where that is proven, else refused."""
    if is_damage(error):
        reason = f"{path.name} cannot be read ({error})"
        return JournalDamaged(path.parent, reason, first_bad_seq, last_seq)
    return failure(error, path.parent, f"{path} cannot be read")
