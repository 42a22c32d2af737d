"""An engine whose disk fails while it works: it begins anew from what is on the disk, and keeps
trying, more and more slowly. That the disk refuses proves no damage."""

import asyncio
import errno
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from fleet_tui.base import doors
from fleet_tui.base.errors import Unreachable
from fleet_tui.base.paths import socket_path
from fleet_tui.core.engine.commands import StopEngine
from fleet_tui.core.engine.events import EngineModeChanged, EngineStarted
from fleet_tui.core.ids import NOWHERE
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.ledger.replies import Accepted, Refused, Reply
from fleet_tui.core.modes import (
    TROUBLES,
    EngineMode,
    Healing,
    ModeNow,
    Trouble,
    trouble_of_errno,
)
from fleet_tui.core.notes.commands import AddNote
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.engine import standby
from fleet_tui.engine.pacing import Pacing
from fleet_tui.engine.run import run_engine
from fleet_tui.feed.client import EngineClient
from fleet_tui.journal.directory import LOCK_NAME, EngineLock, holder_now
from fleet_tui.journal.errors import (
    EpochLost,
    JournalFailed,
    JournalInUse,
    LockHolder,
    StateGone,
)
from fleet_tui.journal.ledger import opening, troubles
from fleet_tui.journal.ledger.holding import proven_holder
from fleet_tui.journal.ledger.reader import JournalReader
from fleet_tui.journal.ledger.segments import EventRow, numbered_files
from fleet_tui.journal.ledger.transaction import CommitInDoubt, Transaction
from fleet_tui.journal.ledger.verifying import verify
from fleet_tui.journal.upkeep import ballast
from tests.journal.stories import FLEET

DEADLINE_S = 30.0
NOTE = AddNote(text=Untrusted("hello"))


class Broken:
    """A disk whose sync says EIO as often as it is told to: whether it has the commit is open."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        real = Transaction.executemany

        def executemany(
            connection: Transaction, sql: str, rows: Sequence[EventRow], /
        ) -> sqlite3.Cursor:
            if self.times and rows:
                self.times -= 1
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
                error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
                raise CommitInDoubt(error)
            return real(connection, sql, rows)

        monkeypatch.setattr(Transaction, "executemany", executemany)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Broken:
    return Broken(monkeypatch)


HURRY = Pacing(store_again_ms=20, room_every_s=0.02)


def engine_in(directory: Path) -> Coroutine[None, None, str]:
    return run_engine(FLEET, directory, pacing=HURRY)


@asynccontextmanager
async def engine(directory: Path) -> AsyncIterator["asyncio.Task[str]"]:
    running = asyncio.create_task(engine_in(directory))
    try:
        yield running
    finally:
        if not running.done():
            await ask(directory, StopEngine(reason="over"))
        await running


async def connected(directory: Path) -> EngineClient:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                return await EngineClient.connect(socket_path(directory), "ana")
            except Unreachable:
                await asyncio.sleep(0.01)


async def ask(directory: Path, command: Command) -> Reply:
    client = await connected(directory)
    try:
        return await client.send(command)
    finally:
        await client.close()


async def told(directory: Path, holds: Callable[[ModeNow], bool]) -> ModeNow:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            client = await connected(directory)
            await client.close()
            if holds(client.welcome.mode):
                return client.welcome.mode
            await asyncio.sleep(0.01)


def events(directory: Path) -> list[Recorded]:
    with closing(JournalReader(directory)) as reader:
        return reader.read(NOWHERE, 10_000)


async def test_one_failure_is_answered_by_a_new_beginning_from_the_disk(
    short_dir: Path, broken: Broken
) -> None:
    directory = short_dir / "state"
    async with engine(directory):
        assert isinstance(await ask(directory, NOTE), Accepted)
        broken.times = 1
        reply = await ask(directory, NOTE)
        assert isinstance(reply, Refused)
        assert reply.code in ("in-doubt", "no-reply")
        assert isinstance(await ask(directory, NOTE), Accepted)
    stored = events(directory)
    assert verify(directory).intact
    assert [r.event.epoch for r in stored if isinstance(r.event, EngineStarted)] == [1, 2]
    assert sum(isinstance(r.event, NoteAdded) for r in stored) == 2
    (change,) = [r.event for r in stored if isinstance(r.event, EngineModeChanged)]
    assert (change.was, change.mode) == (EngineMode.READ_ONLY, EngineMode.NORMAL)
    assert "disk I/O error" in change.reason


async def test_a_disk_that_fails_again_is_no_damage_and_is_tried_again_until_it_works(
    short_dir: Path, broken: Broken, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = short_dir / "state"
    async with engine(directory) as running:
        assert isinstance(await ask(directory, NOTE), Accepted)
        broken.times = 1
        assert isinstance(await ask(directory, NOTE), Refused)
        assert isinstance(await ask(directory, NOTE), Accepted)
        monkeypatch.setattr(standby, "touched", lambda _: OSError(errno.EIO, "still"))
        broken.times = 1
        assert isinstance(await ask(directory, NOTE), Refused)
        mode = await told(directory, lambda m: m.mode is EngineMode.READ_ONLY)
        assert mode.trouble is Trouble.DISK_ERROR
        assert "the disk reports errors" in mode.reason
        assert mode.trusted_seq is None
        reply = await ask(directory, NOTE)
        assert isinstance(reply, Refused)
        assert reply.code == "read-only-mode"
        assert "restore" not in reply.hint
        assert "dmesg" in reply.hint
        assert not running.done()
        monkeypatch.setattr(standby, "touched", lambda _: None)
        await told(directory, lambda m: m.mode is EngineMode.NORMAL)
        assert isinstance(await ask(directory, NOTE), Accepted)
    assert verify(directory).intact
    assert sum(isinstance(r.event, NoteAdded) for r in events(directory)) == 3


@pytest.mark.parametrize("refusals", [3, 1_000])
async def test_a_disk_that_refuses_even_the_lock_for_a_moment_ends_no_engine(
    short_dir: Path, broken: Broken, monkeypatch: pytest.MonkeyPatch, refusals: int
) -> None:
    directory = short_dir / "state"
    left = refusals

    def lock(where: Path, holder: LockHolder) -> EngineLock:
        nonlocal left
        if left:
            left -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return EngineLock(where, holder)

    running = asyncio.create_task(engine_in(directory))
    assert isinstance(await ask(directory, NOTE), Accepted)
    broken.times = 1
    await ask(directory, NOTE)
    assert isinstance(await ask(directory, NOTE), Accepted)
    monkeypatch.setattr(standby, "EngineLock", lock)
    broken.times = 1
    await ask(directory, NOTE)
    if refusals == 1_000:
        with pytest.raises(JournalFailed, match="the disk reports errors"):
            await running
        return
    await told(directory, lambda mode: mode.mode is EngineMode.NORMAL)
    assert isinstance(await ask(directory, NOTE), Accepted)
    assert left == 0
    await ask(directory, StopEngine(reason="over"))
    await running


@pytest.mark.parametrize("family", ["samples", "logs"])
async def test_telemetry_that_cannot_be_written_keeps_no_engine_from_working(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    monkeypatch.setattr("fleet_tui.journal.telemetry.rolling.BUSY_TIMEOUT_S", 0.01)
    directory = short_dir / "state"
    async with engine(directory):
        assert isinstance(await ask(directory, NOTE), Accepted)
    ((_, path),) = numbered_files(directory, family)
    with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        async with engine(directory):
            assert isinstance(await ask(directory, NOTE), Accepted)


@pytest.mark.parametrize("stays", [True, False])
async def test_what_stands_in_the_place_of_the_door_is_told_and_waited_for(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch, stays: bool
) -> None:
    directory = short_dir / "state"
    inside = directory / "engine.sock" / "inside"
    for made in (directory, inside.parent, inside):
        made.mkdir(mode=0o700)

    def make_room(path: Path) -> None:
        doors.make_room(path)
        if not stays and inside.exists():
            inside.rmdir()
            path.rmdir()

    monkeypatch.setattr(standby, "make_room", make_room)
    running = asyncio.create_task(engine_in(directory))
    if stays:
        with pytest.raises(JournalFailed, match=r"Directory not empty.*engine\.sock"):
            await running
        return
    await told(directory, lambda mode: mode.mode is EngineMode.NORMAL)
    assert isinstance(await ask(directory, NOTE), Accepted)
    await ask(directory, StopEngine(reason="over"))
    await running


@pytest.mark.parametrize("failures", [1, 2])
async def test_whoever_has_the_lock_after_a_failure_took_over(
    short_dir: Path, broken: Broken, failures: int
) -> None:
    """Once into the new beginning, once into the standby after it."""
    directory = short_dir / "state"
    running = asyncio.create_task(engine_in(directory))
    assert isinstance(await ask(directory, NOTE), Accepted)
    for _ in range(failures - 1):
        broken.times = 1
        await ask(directory, NOTE)
        assert isinstance(await ask(directory, NOTE), Accepted)
    (directory / LOCK_NAME).unlink()
    other = EngineLock(directory, holder_now(4711, lambda: 1_790_000_000_000))
    try:
        broken.times = 1
        await ask(directory, NOTE)
        with pytest.raises(EpochLost, match=r"another engine took over.*pid 4711"):
            await running
    finally:
        other.release()


@pytest.mark.parametrize("how", ["moved", "replaced", "emptied"])
async def test_no_engine_begins_an_empty_ledger_where_there_was_one(
    short_dir: Path, broken: Broken, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """As the advice about a disk that fails says: somebody moves the state directory away."""
    monkeypatch.setattr(standby, "touched", lambda _: OSError(errno.EIO, "still"))
    directory = short_dir / "state"
    running = asyncio.create_task(engine_in(directory))
    for _ in range(2):
        assert isinstance(await ask(directory, NOTE), Accepted)
        broken.times = 1
        await ask(directory, NOTE)
    await told(directory, lambda mode: mode.mode is EngineMode.READ_ONLY)
    if how == "emptied":
        for path in [*directory.glob("events-*"), directory / "head"]:
            path.unlink()
    else:
        directory.rename(short_dir / "elsewhere")
    if how == "replaced":
        directory.mkdir(mode=0o700)
    monkeypatch.setattr(standby, "touched", lambda _: None)
    with pytest.raises(StateGone):
        async with asyncio.timeout(DEADLINE_S):
            await running
    assert directory.exists() == (how != "moved")
    assert not list(directory.glob("events-*"))


REFUSALS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOMEM),
    *(errno.EROFS, errno.EACCES, errno.EAGAIN, errno.EINTR),
)
"""One for each trouble that the same engine gets over."""


def test_every_trouble_that_an_engine_gets_over_is_tried_below() -> None:
    assert {trouble_of_errno(number) for number in REFUSALS} == {
        trouble
        for trouble, row in TROUBLES.items()
        if row.healing is Healing.TRY_AGAIN and row.mode is EngineMode.READ_ONLY
    }


@pytest.mark.parametrize("number", REFUSALS, ids=errno.errorcode.get)
async def test_what_is_over_within_seconds_is_said_and_gone_on_after_by_the_same_engine(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """SQLite keeps the number to itself: the engine finds it out from the directory."""
    row = TROUBLES[trouble_of_errno(number)]
    real, refuses = Transaction.executemany, False

    def executemany(
        connection: Transaction, sql: str, rows: Sequence[EventRow], /
    ) -> sqlite3.Cursor:
        if refuses and rows:
            error = sqlite3.OperationalError("unable to open database file")
            error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
            error.sqlite_errorname = "SQLITE_CANTOPEN"
            raise error
        return real(connection, sql, rows)

    def touched(_: Path) -> OSError | None:
        return OSError(number, os.strerror(number)) if refuses else None

    monkeypatch.setattr(Transaction, "executemany", executemany)
    monkeypatch.setattr(troubles, "touched", touched)
    monkeypatch.setattr(ballast, "make", lambda _: not refuses)
    directory = short_dir / "state"
    async with engine(directory):
        assert isinstance(await ask(directory, NOTE), Accepted)
        refuses = True
        reply = await ask(directory, NOTE)
        assert isinstance(reply, Refused)
        assert reply.code == "read-only-mode"
        assert row.words in reply.text
        assert row.way_out[1:] in reply.hint
        assert "restore" not in reply.text + reply.hint
        mode = await told(directory, lambda m: m.mode is not EngineMode.NORMAL)
        assert (mode.mode, mode.trouble) == (row.mode, trouble_of_errno(number))
        refuses = False
        await told(directory, lambda m: m.mode is EngineMode.NORMAL)
        assert isinstance(await ask(directory, NOTE), Accepted)
    stored = events(directory)
    assert [r.event.epoch for r in stored if isinstance(r.event, EngineStarted)] == [1]
    assert sum(isinstance(r.event, NoteAdded) for r in stored) == 2
    assert verify(directory).intact


@pytest.mark.parametrize(
    "number",
    [errno.EROFS, errno.EACCES, errno.EMFILE, errno.ENOSPC, errno.EIO],
    ids=errno.errorcode.get,
)
@pytest.mark.parametrize("refused", ["the lock", "the directory"])
async def test_an_engine_that_ends_at_its_start_says_what_to_do_and_nothing_of_going_on(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch, number: int, refused: str
) -> None:
    asked = 0

    def refuses(*_: object, **_named: object) -> None:
        nonlocal asked
        asked += 1
        raise OSError(number, os.strerror(number))

    if refused == "the lock":
        monkeypatch.setattr(opening, "EngineLock", refuses)
        monkeypatch.setattr(standby, "EngineLock", refuses)
    else:
        monkeypatch.setattr(Path, "mkdir", refuses)
    row = TROUBLES[trouble_of_errno(number)]
    with pytest.raises(JournalFailed) as ended:
        await engine_in(short_dir / "state")
    assert asked == 2, "to open the ledger, and to wait; only one that worked asks again"
    assert row.words in ended.value.message
    assert row.advice in ended.value.hint
    assert ended.value.hint.endswith("then start the engine again")
    assert "by itself" not in ended.value.hint + ended.value.message
    assert "restore" not in ended.value.hint + ended.value.message


@pytest.fixture
def damaged(short_dir: Path) -> Path:
    """The state directory of a ledger that is not what was written."""
    directory = short_dir / "state"
    directory.mkdir(mode=0o700)
    path = directory / "events-000001.db"
    path.touch(mode=0o600)
    path.write_bytes(b"no ledger")
    return directory


async def test_an_engine_that_stands_by_makes_its_lost_lock_again(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine(damaged) as running:
        mode = await told(damaged, lambda m: m.mode is EngineMode.RECOVERY)
        assert not mode.mode.takes_commands
        (damaged / LOCK_NAME).unlink()
        async with asyncio.timeout(DEADLINE_S):
            while (holder := proven_holder(damaged)) is None:
                await asyncio.sleep(0.01)
        assert holder.pid == os.getpid()
        with pytest.raises(JournalInUse):
            await engine_in(damaged)
        assert not running.done()


async def test_an_engine_that_stands_by_leaves_to_another_that_has_the_lock(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the two would take the socket from each other for ever."""
    running = asyncio.create_task(engine_in(damaged))
    await told(damaged, lambda m: m.mode is EngineMode.RECOVERY)
    (damaged / LOCK_NAME).unlink()
    other = EngineLock(damaged, holder_now(4711, lambda: 1_790_000_000_000))
    socket_path(damaged).unlink()
    socket_path(damaged).touch()  # the other one's
    try:
        with pytest.raises(JournalInUse, match=r"another engine.*pid 4711"):
            async with asyncio.timeout(DEADLINE_S):
                await running
        assert socket_path(damaged).is_file()
    finally:
        other.release()
