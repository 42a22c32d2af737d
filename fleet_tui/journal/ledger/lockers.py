"""The holders of locks on the files of a ledger, where the system reports them.

Linux lists every lock with its process and the inode it is on: proc(5), ``/proc/locks``:
``1: POSIX  ADVISORY  WRITE 1234 08:01:131074 120 120``. Other systems do not report them.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from fleet_tui.journal.directory import open_there

LOCKS: Final = Path("/proc/locks")
PROCESSES: Final = Path("/proc")
MAX_LOCKS_BYTES: Final = 4 * 1024 * 1024
MAX_NAMED: Final = 3
MAX_NAME_BYTES: Final = 64
_WAL_WRITE: Final = 120
_PENDING: Final = 0x4000_0000

_LINE: Final = re.compile(
    r"^\d+: +\w+ +\w+ +(?P<kind>READ|WRITE|RW) +(?P<pid>-?\d+)"
    r" +(?P<major>[0-9a-f]+):(?P<minor>[0-9a-f]+):(?P<inode>\d+) ",
)
"""A waiting one has an arrow before its kind and does not match: it holds nothing."""
_UNSAFE: Final = re.compile(r"[^ -~]")


class Locker(msgspec.Struct, frozen=True, kw_only=True):
    """A process that holds a lock."""

    pid: int
    name: str
    """The name of its program as the system keeps it, 15 bytes; empty when it cannot be read."""

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.name})" if self.name else f"pid {self.pid}"


def lockers(
    segment: Path, *, but: int, locks: Path = LOCKS, processes: Path = PROCESSES
) -> list[Locker]:
    """The processes, other than ``but``, that hold a lock on a segment or on its write-ahead log,
    at most MAX_NAMED: those that hold one for writing if there are any. Empty where the system does
    not report them. Never raises."""
    files = set(_identities(segment))
    try:
        with locks.open("rb") as file:
            lines = file.read(MAX_LOCKS_BYTES).decode("ascii", "replace").splitlines()
    except OSError:
        return []
    by_kind: dict[str, dict[int, None]] = {"READ": {}, "WRITE": {}}
    for line in lines:
        found = _LINE.match(line)
        if found is None:
            continue
        device = os.makedev(int(found["major"], 16), int(found["minor"], 16))
        pid = int(found["pid"])
        if (device, int(found["inode"])) in files and pid not in (but, 0, -1):
            by_kind["READ" if found["kind"] == "READ" else "WRITE"][pid] = None
    pids = list(by_kind["WRITE"] or by_kind["READ"])[:MAX_NAMED]
    return [Locker(pid=pid, name=_name(pid, processes)) for pid in pids]


def flock_pids(inode: int, *, locks: Path = LOCKS) -> set[int] | None:
    """The processes that hold an flock(2) on a file of this inode; None where the system does not
    report them."""
    try:
        with locks.open("rb") as file:
            lines = file.read(MAX_LOCKS_BYTES).decode("ascii", "replace").splitlines()
    except OSError:
        return None
    found = (_LINE.match(line) for line in lines if " FLOCK " in line)
    return {int(one["pid"]) for one in found if one is not None and int(one["inode"]) == inode}


def is_locked(segment: Path) -> bool:
    """Whether another process blocks writers of a segment. Only for a process that has no
    connection to it: closing a file releases the locks of its whole process. Raises OSError.

    Bytes: https://www.sqlite.org/walformat.html (WAL_WRITE_LOCK) and os.h (PENDING_BYTE).
    """
    for suffix, first, count in (("-shm", _WAL_WRITE, 1), ("", _PENDING, 2)):
        try:
            file = open_there(Path(f"{segment}{suffix}"), os.O_RDWR)
        except FileNotFoundError:
            continue
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, count, first)
        except (BlockingIOError, PermissionError):  # EAGAIN or, on some systems, EACCES
            return True
        finally:
            os.close(file)
    return False


def in_words(found: list[Locker]) -> str:
    """``pid 12 (sqlite3) and pid 13 (restic)``; empty for nobody."""
    return " and ".join(str(locker) for locker in found)


def _identities(segment: Path) -> Iterator[tuple[int, int]]:
    """The files that SQLite locks: the database, and in WAL mode its shared memory."""
    for suffix in ("", "-shm", "-wal"):
        try:
            found = os.stat(f"{segment}{suffix}")
        except OSError:
            continue
        yield found.st_dev, found.st_ino


def _name(pid: int, processes: Path) -> str:
    """The program's name without its arguments, which may contain secrets."""
    try:
        with (processes / str(pid) / "comm").open("rb") as file:
            name = file.read(MAX_NAME_BYTES).decode("ascii", "replace").strip()
    except OSError:
        return ""
    return _UNSAFE.sub("?", name)
