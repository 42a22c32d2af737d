"""The state directory: private to its owner, on a local disk, owned by one engine at a time."""

import fcntl
import os
import socket
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from fleet_tui.journal.errors import (
    JournalInUse,
    JournalMissing,
    LockHolder,
    StateGone,
    UnsafeDirectory,
)

LOCK_NAME = "engine.lock"
MAX_LOCK_BYTES = 4_096
LOCK_TRIES = 11
LOCK_AGAIN_S = 0.05
"""A command that only checks who has the lock shares it briefly: no engine may fail because of
that."""
DIRECTORY_MODE = 0o700
FILE_MODE = 0o600
OTHERS = 0o077
MOUNTS = Path("/proc/self/mountinfo")

NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "ceph", "coda"}
    | {"9p", "gfs2", "glusterfs", "lustre", "ocfs2", "fuse"}
)
"""File systems with unreliable locks and fsync. ``fuse.*`` is refused too; ``fuseblk`` is local."""


Identity = tuple[int, int]
"""Device and inode of a file."""


def identity(path: str | Path) -> Identity | None:
    """The identity of the file with this name; None for none. Raises OSError when it cannot be
    read."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


class Home:
    """The state directory of one engine, from its start to its end. The engine returns only to this
    directory and this ledger: a new ledger in its place would know nothing about open runs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._found: Identity | None = None
        self._had_ledger = False

    def enter(self) -> None:
        """Make the directory if it never existed, and check it. Raises StateGone when it was
        replaced or removed, UnsafeDirectory, OSError."""
        if self._found is None:
            with suppress(FileExistsError, NotADirectoryError):  # the check reports it
                _make(self.directory)
            check(self.directory)
            self._found = identity(self.directory)
        else:
            self.stay()
            check(self.directory)

    def stay(self) -> None:
        """Check that the directory is still in place. Raises StateGone, OSError."""
        now = identity(self.directory)
        if now is None or now != self._found:
            here = "nothing is there now" if now is None else "another one is there"
            raise StateGone(self.directory, here)

    def expect_ledger(self, *, found: bool) -> None:
        """Remember that there is a ledger. Raises StateGone when there was one and it is gone."""
        if self._had_ledger and not found:
            raise StateGone(self.directory, "it is there, but its ledger is not")
        self._had_ledger = found


def prepare(directory: Path) -> None:
    """Make the directory if need be and check it. Raises UnsafeDirectory."""
    try:
        _make(directory)
    except OSError as error:
        raise UnsafeDirectory(f"cannot make {directory}: {error.strerror}") from error
    check(directory)


def _make(directory: Path) -> None:
    directory.parent.mkdir(parents=True, exist_ok=True)
    directory.mkdir(mode=DIRECTORY_MODE, exist_ok=True)


def check(directory: Path) -> None:
    """Raises JournalMissing, or UnsafeDirectory when others could read or change what is inside."""
    try:
        found = directory.lstat()
    except FileNotFoundError:
        raise JournalMissing(f"there is no directory {directory}") from None
    except OSError as error:
        raise UnsafeDirectory(f"cannot look at {directory}: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafeDirectory(f"{directory} is not a directory (links are not followed)")
    _check_private(directory, found)
    with os.scandir(directory) as entries:
        for entry in entries:
            _check_entry(Path(entry.path))
    kind = file_system(directory)
    if is_network(kind):
        raise UnsafeDirectory(
            f"{directory} is on a network file system ({kind}), where locks cannot be relied on",
            hint="choose a state directory on a local disk",
        )


def _check_entry(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return  # a -wal or temporary file may vanish at any time
    if stat.S_ISLNK(found.st_mode):
        raise UnsafeDirectory(f"{path} is a link; nothing in a state directory may be one")
    if path.name == LOCK_NAME and not stat.S_ISREG(found.st_mode):
        raise UnsafeDirectory(
            f"{path} is not a file, and an engine's lock belongs there", hint=f"move {path} away"
        )
    if stat.S_ISSOCK(found.st_mode):
        return  # its mode is set by its own server
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise UnsafeDirectory(
            f"{path} is a pipe or a device, which may never end", hint=f"move {path} away"
        )
    _check_private(path, found)


def _check_private(path: Path, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        raise UnsafeDirectory(f"{path} belongs to user {found.st_uid}, not to {os.geteuid()}")
    mode = stat.S_IMODE(found.st_mode)
    if mode & OTHERS:
        allowed = DIRECTORY_MODE if stat.S_ISDIR(found.st_mode) else FILE_MODE
        raise UnsafeDirectory(
            f"{path} has mode {mode:04o}, so others can get at it; {allowed:04o} is allowed",
            hint=f"chmod {allowed:o} {path}",
        )


def file_system(path: Path, mounts: Path = MOUNTS) -> str:
    """The type of the file system that holds ``path``; empty where the system does not report it.

    Source: proc(5), ``mountinfo``: field 5 is the mount point, the type follows a lone ``-``.
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    wanted = path.resolve()
    best, kind = -1, ""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        point = fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        if wanted.is_relative_to(point) and len(point) >= best:
            best, kind = len(point), after.split()[0]
    return kind


def is_network(kind: str) -> bool:
    """Whether a file system of this type is, or may be, on another machine."""
    return kind in NETWORK_FILE_SYSTEMS or kind.startswith("fuse.")


def unfinished_copy(directory: Path) -> Path:
    """The temporary directory in which ``directory`` is prepared: next to it, and gone once
    done."""
    return directory.with_name(f".{directory.name}.new")


def create_private(path: Path) -> int:
    """Create a file that only we can read, before any other process opens it. Raises
    FileExistsError."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, FILE_MODE)


def open_there(path: Path, access: int = os.O_RDONLY) -> int:
    """Open an existing file of a state directory. Never waits: it may have been replaced by a pipe
    without a writer. Raises OSError."""
    return os.open(path, access | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)


def read_there(path: Path, most: int = -1) -> bytes:
    """The content of such a file, ``most`` bytes of it; all by default. Raises OSError."""
    with os.fdopen(open_there(path), "rb") as file:
        return file.read(most)


def sync_directory(directory: Path) -> None:
    """Make renames and new names in the directory durable."""
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


class EngineLock:
    """The right to write; held until :meth:`release` or the end of the process."""

    def __init__(self, directory: Path, holder: LockHolder) -> None:
        """Take the lock; blocks for up to LOCK_TRIES * LOCK_AGAIN_S while it is held. Raises
        JournalInUse, naming the holder, and OSError."""
        self._path = directory / LOCK_NAME
        flags = os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(self._path, flags, FILE_MODE)
        try:
            if not _locked_in_time(self._file):
                first = read_holder(self._file)
                raise JournalInUse(directory, first, in_words(first))
            said = msgspec.json.encode(holder) + b"\n"
            os.pwrite(self._file, said, 0)
            os.ftruncate(self._file, len(said))
        except BaseException:  # release the lock
            os.close(self._file)
            raise

    @property
    def is_ours(self) -> bool:
        """Whether the file that others would lock is still the one that we have locked."""
        try:
            return os.path.samestat(os.fstat(self._file), self._path.lstat())
        except OSError:
            return False

    def release(self) -> None:
        """Release the lock for the next engine."""
        if self._file >= 0:
            fcntl.flock(self._file, fcntl.LOCK_UN)  # also for a child that inherited the file
            os.close(self._file)
            self._file = -1


def _locked_in_time(file: int) -> bool:
    for left in reversed(range(LOCK_TRIES)):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if left:
                time.sleep(LOCK_AGAIN_S)
        else:
            return True
    return False


def lock_holder(directory: Path) -> str | None:
    """The current owner of the ledger, in words; None when there is none. Does not affect the
    lock."""
    try:
        file = open_there(directory / LOCK_NAME)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return in_words(read_holder(file))
    finally:
        os.close(file)
    return None


def read_holder(file: int) -> LockHolder | None:
    """The holder recorded in an open lock file; None when it cannot be read."""
    try:
        return msgspec.json.decode(os.pread(file, MAX_LOCK_BYTES, 0), type=LockHolder)
    except (OSError, ValueError):
        return None


def holder_now(pid: int, now_ms: Callable[[], int]) -> LockHolder:
    """This process as a lock holder."""
    return LockHolder(pid=pid, host=socket.gethostname(), since_ms=now_ms())


def in_words(holder: LockHolder | None) -> str:
    """``pid 12 on bastion since 2026-11-21 07:52:19 UTC``."""
    if holder is None:
        return "it did not say who it is"
    try:
        since = datetime.fromtimestamp(holder.since_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        since = "an impossible date"
    return f"pid {holder.pid} on {holder.host[:253]} since {since} UTC"
