"""What the system refuses at the journal's edge: each refusal has its words, none of them is
damage, and a lock is told with its holder."""

import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet_tui.core.modes import TROUBLES, EngineMode, Healing, Trouble, trouble_of_errno
from fleet_tui.engine.pacing import USUAL
from fleet_tui.journal.directory import Home
from fleet_tui.journal.errors import JournalDamaged, JournalFailed, JournalUnavailable, StateGone
from fleet_tui.journal.ledger import troubles
from fleet_tui.journal.ledger.lockers import Locker, is_locked, lockers
from fleet_tui.journal.ledger.opening import take
from fleet_tui.journal.ledger.segments import LOCK_WAIT_S, numbered_files
from fleet_tui.journal.ledger.troubles import (
    code_of,
    failure,
    is_damage,
    touched,
    trouble_of,
    unreadable,
)
from fleet_tui.journal.ledger.verifying import verify
from fleet_tui.journal.ledger.writer import JournalWriter
from tests.journal.conftest import NOW_MS
from tests.journal.stories import note

MATRIX = {
    errno.ENOSPC: Trouble.DISK_FULL,
    errno.EDQUOT: Trouble.QUOTA_USED_UP,
    errno.EFBIG: Trouble.FILE_TOO_LARGE,
    errno.EMFILE: Trouble.NO_DESCRIPTORS,
    errno.ENFILE: Trouble.NO_SYSTEM_FILES,
    errno.ENOMEM: Trouble.NO_MEMORY,
    errno.EIO: Trouble.DISK_ERROR,
    errno.EROFS: Trouble.READ_ONLY_FILE_SYSTEM,
    errno.EACCES: Trouble.NOT_PERMITTED,
    errno.EPERM: Trouble.NOT_PERMITTED,
    errno.EAGAIN: Trouble.LOCKED,
    errno.ENOENT: Trouble.DIRECTORY_GONE,
    errno.EINTR: Trouble.INTERRUPTED,
    errno.EXDEV: Trouble.UNCLEAR,
}


def sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("refused")
    error.sqlite_errorcode = code
    error.sqlite_errorname = "SQLITE_TEST"
    return error


async def ledger(directory: Path) -> Path:
    writer = await JournalWriter.open(directory, lambda: NOW_MS, "0.1.0", os.getpid())
    await writer.append([note("one")], NOW_MS)
    await writer.close("done")
    return numbered_files(directory, "events")[-1][1]


def test_every_trouble_has_its_row_and_only_damage_speaks_of_backups() -> None:
    assert set(TROUBLES) == set(Trouble)
    for trouble, row in TROUBLES.items():
        assert row.words, trouble
        assert row.advice, trouble
        damage = trouble is Trouble.DAMAGED
        assert (row.mode is EngineMode.RECOVERY) is damage, trouble
        assert ("restore" in row.advice) is damage, trouble
        assert (row.healing is Healing.OPERATOR) is damage, trouble
        assert ("by itself" in row.way_out) is (row.mode is EngineMode.READ_ONLY), trouble
        again = row.healing is Healing.OPEN_AGAIN
        assert ("by itself within a minute" in row.way_out) is again, trouble
    # What is opened again and fails again is tried more and more slowly.
    assert USUAL.max_wait_s <= 60
    # A refusal names who has a lock: it is found out by waiting, within five seconds altogether.
    assert LOCK_WAIT_S <= 2


@pytest.mark.parametrize("trouble", Trouble)
def test_an_error_that_ends_a_program_does_not_say_that_it_goes_on(
    trouble: Trouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(troubles, "trouble_of", lambda *_: trouble)
    for error in (
        JournalUnavailable(trouble),
        failure(OSError(1, "x"), tmp_path, "it cannot be done"),
    ):
        assert error.hint == TROUBLES[trouble].advice
        assert "by itself" not in error.hint


@pytest.mark.parametrize(("number", "trouble"), MATRIX.items())
def test_an_error_of_the_system_has_one_meaning(
    number: int, trouble: Trouble, tmp_path: Path
) -> None:
    assert trouble_of_errno(number) is trouble
    assert trouble_of(OSError(number, "x"), tmp_path) is trouble


def test_no_error_of_the_system_is_damage(tmp_path: Path) -> None:
    for number in errno.errorcode:
        assert trouble_of(OSError(number, "x"), tmp_path) is not Trouble.DAMAGED
    assert trouble_of(MemoryError(), tmp_path) is Trouble.NO_MEMORY


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        (sqlite3.SQLITE_BUSY, Trouble.LOCKED),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, Trouble.LOCKED),
        (sqlite3.SQLITE_LOCKED, Trouble.LOCKED),
        (sqlite3.SQLITE_NOMEM, Trouble.NO_MEMORY),
        (sqlite3.SQLITE_IOERR_NOMEM, Trouble.NO_MEMORY),
        (sqlite3.SQLITE_FULL, Trouble.DISK_FULL),
        (sqlite3.SQLITE_INTERRUPT, Trouble.INTERRUPTED),
        (sqlite3.SQLITE_IOERR_FSYNC, Trouble.DISK_ERROR),
        (sqlite3.SQLITE_READONLY, Trouble.READ_ONLY_FILE_SYSTEM),
        (sqlite3.SQLITE_READONLY_DBMOVED, Trouble.DIRECTORY_GONE),
        (sqlite3.SQLITE_CORRUPT, Trouble.DAMAGED),
        (sqlite3.SQLITE_CORRUPT_INDEX, Trouble.DAMAGED),
        (sqlite3.SQLITE_NOTADB, Trouble.DAMAGED),
    ],
)
def test_a_code_of_sqlite_has_the_same_meaning(code: int, trouble: Trouble, tmp_path: Path) -> None:
    error = sqlite_error(code)
    assert code_of(error) == code
    assert trouble_of(error, tmp_path) is trouble
    assert is_damage(error) is (trouble is Trouble.DAMAGED)
    found = unreadable(error, tmp_path / "events-1.db", 1, 1)
    assert isinstance(found, JournalDamaged) is (trouble is Trouble.DAMAGED)


@pytest.mark.parametrize(("number", "trouble"), MATRIX.items())
@pytest.mark.parametrize(
    "code", [sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_READONLY]
)
def test_a_code_that_hides_the_systems_error_is_looked_behind(
    code: int,
    number: int,
    trouble: Trouble,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(troubles, "touched", lambda _: OSError(number, "x"))
    assert trouble_of(sqlite_error(code), tmp_path) is trouble


def test_touching_leaves_nothing_behind_and_tells_what_it_met(tmp_path: Path) -> None:
    assert touched(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    met = touched(tmp_path / "gone")
    assert met is not None
    assert met.errno == errno.ENOENT


FEW = """
import resource, sys
from pathlib import Path
from fleet_tui.journal.errors import JournalDamaged, JournalFailed
from fleet_tui.journal.directory import Home
from fleet_tui.journal.ledger.opening import take
from fleet_tui.journal.ledger.verifying import verify
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
for room in range(3, 12):
    limit = len(__import__("os").listdir("/proc/self/fd")) + room
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    for what in (verify, lambda where: take(Home(where), lambda: 1, 1).lock.release()):
        try:
            what(Path(sys.argv[1]))
            print("fine")
        except JournalDamaged as error:
            print("damaged", error)
        except JournalFailed as error:
            print(error.trouble.value)
        except OSError as error:
            print("OSError", error.errno)
        except Exception as error:
            print(type(error).__name__, getattr(error, "sqlite_errorname", ""))
"""


async def test_a_process_without_descriptors_finds_no_damage(tmp_path: Path) -> None:
    """With one more descriptor in each try, so that each step is the one that gets none."""
    directory = tmp_path / "state"
    await ledger(directory)
    done = subprocess.run(
        [sys.executable, "-c", FEW, directory], capture_output=True, text=True, check=False
    )
    said = set(done.stdout.split("\n")) - {""}
    assert done.returncode == 0, done.stderr
    assert "fine" in said
    assert said <= {
        "fine",
        "no-descriptors",
        f"OSError {errno.EMFILE}",
        "OperationalError SQLITE_CANTOPEN",
    }
    assert said > {"fine"}
    assert verify(directory).intact


HOLD = """
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def hold() -> Callable[[Path], "subprocess.Popen[str]"]:
    """Another program that locks a segment until its input ends."""

    def begin(segment: Path) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, segment],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    return begin


def let_go(process: "subprocess.Popen[str]") -> None:
    process.communicate("")


async def test_a_foreign_lock_holds_a_commit_up_names_its_holder_and_fails_nothing(
    tmp_path: Path, hold: Callable[[Path], "subprocess.Popen[str]"]
) -> None:
    writer = await JournalWriter.open(tmp_path / "state", lambda: NOW_MS, "0.1.0", os.getpid())
    await writer.append([note("one")], NOW_MS)
    other = hold(numbered_files(tmp_path / "state", "events")[-1][1])
    with pytest.raises(JournalUnavailable) as held:
        await writer.append([note("two")], NOW_MS)
    assert held.value.trouble is Trouble.LOCKED
    if sys.platform.startswith("linux"):
        assert f"pid {other.pid} (python" in held.value.message
    assert writer.failure is None
    let_go(other)
    (stored,) = await writer.append([note("three")], NOW_MS)
    assert stored.epoch == writer.epoch == 1
    await writer.close("done")
    assert verify(tmp_path / "state").intact


async def test_a_lock_is_seen_before_a_ledger_is_opened(
    tmp_path: Path, hold: Callable[[Path], "subprocess.Popen[str]"]
) -> None:
    segment = await ledger(tmp_path / "state")
    assert not is_locked(segment)
    other = hold(segment)
    assert is_locked(segment)
    with pytest.raises(JournalFailed) as failed:
        await JournalWriter.open(tmp_path / "state", lambda: NOW_MS, "0.1.0", os.getpid())
    assert failed.value.trouble is Trouble.LOCKED
    if sys.platform.startswith("linux"):
        assert f"pid {other.pid}" in failed.value.message
    let_go(other)
    assert not is_locked(segment)


def test_locks_of_others_on_these_files_are_named_and_no_others(tmp_path: Path) -> None:
    segment = tmp_path / "events-1.db"
    segment.touch()
    found = segment.stat()
    where = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    other = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino + 1}"
    locks = tmp_path / "locks"
    locks.write_text(
        f"1: POSIX  ADVISORY  READ  11 {where} 1073741826 1073742335\n"
        f"2: POSIX  ADVISORY  WRITE 12 {where} 120 120\n"
        f"2: -> POSIX  ADVISORY  WRITE 13 {where} 120 120\n"
        f"3: POSIX  ADVISORY  WRITE 14 {other} 120 120\n"
        f"4: POSIX  ADVISORY  WRITE 15 {where} 120 120\n"
        f"5: FLOCK  ADVISORY  WRITE 0 {where} 0 EOF\n"
        "nonsense\n"
    )
    (tmp_path / "12").mkdir()
    (tmp_path / "12" / "comm").write_bytes(b"sq\x1b[1mlite\n")
    named = lockers(segment, but=15, locks=locks, processes=tmp_path)
    assert named == [Locker(pid=12, name="sq?[1mlite")]
    assert str(named[0]) == "pid 12 (sq?[1mlite)"
    readers = lockers(segment, but=12, locks=locks, processes=tmp_path)
    assert [locker.pid for locker in readers] == [15]
    assert lockers(segment, but=1, locks=tmp_path / "no", processes=tmp_path) == []


@pytest.mark.parametrize("lost", ["-wal", "-shm", "both"])
async def test_a_log_that_is_removed_under_a_writer_loses_nothing(
    tmp_path: Path, lost: str
) -> None:
    directory = tmp_path / "state"
    writer = await JournalWriter.open(directory, lambda: NOW_MS, "0.1.0", os.getpid())
    await writer.append([note("one")], NOW_MS)
    segment = numbered_files(directory, "events")[-1][1]
    for suffix in ("-wal", "-shm") if lost == "both" else (lost,):
        Path(f"{segment}{suffix}").unlink()
    with pytest.raises(JournalFailed, match="removed"):
        await writer.append([note("two")], NOW_MS)
    await writer.close("")
    taken = take(Home(directory), lambda: NOW_MS, 1)
    taken.lock.release()
    assert verify(directory).intact
    assert "one" in [n.text.raw for n in taken.state.notes]


@pytest.mark.parametrize("how", ["removed", "moved", "replaced"])
async def test_nothing_is_acknowledged_once_the_directory_is_gone(tmp_path: Path, how: str) -> None:
    directory = tmp_path / "state"
    writer = await JournalWriter.open(directory, lambda: NOW_MS, "0.1.0", os.getpid())
    await writer.append([note("one")], NOW_MS)
    directory.rename(tmp_path / "elsewhere")
    if how == "replaced":
        directory.mkdir(mode=0o700)
    if how == "removed":
        for path in (tmp_path / "elsewhere").iterdir():
            path.unlink()
        (tmp_path / "elsewhere").rmdir()
    with pytest.raises(StateGone, match="state directory") as failed:
        await writer.append([note("two")], NOW_MS)
    assert failed.value.trouble is Trouble.DIRECTORY_GONE
    await writer.close("")
    assert not (directory / "head").exists(), "an engine that ended made a ledger of its own"


async def test_a_directory_that_is_replaced_while_the_keeper_looks_is_no_other_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "state"
    replaced = False
    real = Home.stay

    def stay(home: Home) -> None:
        nonlocal replaced
        real(home)
        if not replaced:
            replaced = True
            directory.rename(tmp_path / "elsewhere")
            directory.mkdir(mode=0o700)

    writer = await JournalWriter.open(directory, lambda: NOW_MS, "0.1.0", os.getpid())
    monkeypatch.setattr(Home, "stay", stay)
    with pytest.raises(StateGone):
        await writer.failed()
    await writer.close("")
