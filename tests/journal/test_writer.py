import asyncio
import errno
import os
import socket
import sqlite3
import stat
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from fleet_tui.core.engine.events import EngineStarted, EngineStopped
from fleet_tui.core.ids import NOWHERE, Epoch, Seq, TaskId
from fleet_tui.core.ledger.events import Recorded, SegmentOpened
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.core.tasks.events import TaskEnded
from fleet_tui.core.tasks.model import TaskPhase
from fleet_tui.engine.watch import MIN_SLOW, SLOW_COMMIT_S, slow_disk
from fleet_tui.journal.directory import LOCK_NAME, sync_directory
from fleet_tui.journal.errors import EpochLost, JournalFailed, JournalInUse, JournalUnavailable
from fleet_tui.journal.ledger import opening as opening_module
from fleet_tui.journal.ledger import segments
from fleet_tui.journal.ledger import writer as writer_module
from fleet_tui.journal.ledger.chain import START, read_head
from fleet_tui.journal.ledger.codec import Unstorable
from fleet_tui.journal.ledger.migrations import migrate
from fleet_tui.journal.ledger.reader import JournalReader
from fleet_tui.journal.ledger.segments import EventRow, numbered_files
from fleet_tui.journal.ledger.transaction import Transaction
from fleet_tui.journal.ledger.verifying import verify
from fleet_tui.journal.ledger.writer import JournalWriter
from fleet_tui.journal.upkeep import ballast
from tests.journal.conftest import NOW_MS, Open
from tests.journal.stories import note, opening, task_story, tasks


def read_all(directory: Path) -> list[Recorded]:
    with closing(JournalReader(directory)) as reader:
        return reader.read(NOWHERE, 1_000_000)


async def test_what_was_appended_is_read_back(open_writer: Open, directory: Path) -> None:
    writer = await open_writer()
    stored = await writer.append([*opening(), *task_story(1)], NOW_MS + 5)
    found = read_all(directory)
    assert [type(r.event) for r in found[:2]] == [SegmentOpened, EngineStarted]
    assert tuple(found[2:]) == stored
    assert [r.seq for r in found] == list(range(1, 10))
    assert writer.last_seq == 9
    assert writer.state.seq == 9
    assert writer.state.closed_tasks[TaskId(f"01J{1:023d}")].phase is TaskPhase.SUCCEEDED


async def test_reopening_folds_to_the_same_state(open_writer: Open, directory: Path) -> None:
    first = await open_writer()
    await first.append([*opening(), *tasks(20)], NOW_MS + 5)
    await first.close("done")
    second = await open_writer()
    assert second.epoch == first.epoch + 1 == 2
    assert second.state.closed_tasks == first.state.closed_tasks
    assert isinstance(read_all(directory)[-2].event, EngineStopped)
    with closing(JournalReader(directory)) as reader:
        assert reader.load() == second.state


async def test_instants_never_run_backwards(open_writer: Open) -> None:
    writer = await open_writer()
    (late,) = await writer.append([note()], NOW_MS + 1_000)
    (early,) = await writer.append([note()], NOW_MS - 50_000)
    assert early.at_ms == late.at_ms == NOW_MS + 1_000


async def test_many_callers_share_transactions(open_writer: Open, directory: Path) -> None:
    writer = await open_writer()
    answers = await asyncio.gather(
        *(writer.append([note(f"{n}a"), note(f"{n}b")], NOW_MS) for n in range(300))
    )
    seqs = [recorded.seq for answer in answers for recorded in answer]
    assert sorted(seqs) == list(range(3, 603))
    for answer in answers:
        assert answer[1].seq == answer[0].seq + 1
    stored = {recorded.seq: recorded for recorded in read_all(directory)}
    assert all(stored[recorded.seq] == recorded for answer in answers for recorded in answer)


async def test_a_cancelled_caller_changes_nothing_for_the_others(
    open_writer: Open, directory: Path
) -> None:
    writer = await open_writer()
    callers = [asyncio.create_task(writer.append([note(str(n))], NOW_MS)) for n in range(50)]
    await asyncio.sleep(0)
    for caller in callers[::2]:
        caller.cancel()
    answers = await asyncio.gather(*callers, return_exceptions=True)
    acked = [answer[0] for answer in answers if not isinstance(answer, BaseException)]
    assert len(acked) == 25
    (last,) = await writer.append([note("after")], NOW_MS)
    found = read_all(directory)
    assert found[-1] == last
    assert all(recorded in found for recorded in acked)


async def test_an_event_that_could_not_be_read_back_is_refused_alone(open_writer: Open) -> None:
    writer = await open_writer()
    with pytest.raises(Unstorable, match=r"note\.added"):
        await writer.append([note("\ud800")], NOW_MS)
    assert (await writer.append([note()], NOW_MS))[0].seq == 3


async def test_an_event_that_does_not_fold_is_not_stored(
    open_writer: Open, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = await open_writer()

    def refuse(*_: object) -> None:
        raise AssertionError("does not fit")

    with monkeypatch.context() as patched:
        patched.setattr(writer_module, "fold", refuse)
        with pytest.raises(AssertionError, match="does not fit"):
            await writer.append([note()], NOW_MS)
    assert len(read_all(directory)) == 2
    assert (await writer.append([note()], NOW_MS))[0].seq == 3


async def test_slow_commits_are_measured_and_make_a_slow_disk(
    open_writer: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    time, later_s = loop.time, 0.0
    monkeypatch.setattr(loop, "time", lambda: time() + later_s)
    real, takes_s = Transaction.executemany, 0.0

    def slow(connection: Transaction, sql: str, rows: Sequence[EventRow], /) -> sqlite3.Cursor:
        nonlocal later_s
        later_s += takes_s if rows else 0.0
        return real(connection, sql, rows)

    monkeypatch.setattr(Transaction, "executemany", slow)
    writer = await open_writer()
    await writer.append([note("quick")], NOW_MS)
    assert slow_disk(writer.commit_times(), loop.time()) == ""
    takes_s = 2 * SLOW_COMMIT_S
    for number in range(MIN_SLOW):
        assert slow_disk(writer.commit_times(), loop.time()) == ""
        await writer.append([note(f"slow {number}")], NOW_MS)
    assert "the disk is slow" in slow_disk(writer.commit_times(), loop.time())


async def test_a_second_engine_is_refused_and_told_about_the_first(open_writer: Open) -> None:
    await open_writer()
    with pytest.raises(JournalInUse) as refused:
        await open_writer()
    assert refused.value.holder is not None
    assert refused.value.holder.pid == 4711
    assert f"pid 4711 on {socket.gethostname()} since 2026-" in str(refused.value)


async def test_an_engine_whose_epoch_is_over_can_not_commit(
    open_writer: Open, directory: Path
) -> None:
    zombie = await open_writer()
    while (read_head(directory) or START).seq < zombie.last_seq:  # its keeper has nothing to do
        await asyncio.sleep(0.001)
    assert zombie.is_owner()
    (directory / "engine.lock").unlink()  # the lock is lost, as it would be on a broken disk
    assert zombie.is_owner(), "nobody else came"
    owner = await open_writer()
    assert owner.is_owner()
    assert not zombie.is_owner()
    with pytest.raises(EpochLost):
        await zombie.append([note("from beyond")], NOW_MS)
    with pytest.raises(EpochLost):
        await zombie.append([note("again")], NOW_MS)
    await owner.append([note("mine")], NOW_MS)
    assert [r.epoch for r in read_all(directory)] == [0, 1, 2, 2]


async def test_after_an_error_of_the_disk_nothing_is_trusted(
    open_writer: Open, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = await open_writer()

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Transaction, "executemany", full)
        with pytest.raises(JournalFailed, match="disk is full"):
            await writer.append([note()], NOW_MS)
    with pytest.raises(JournalFailed, match="disk is full"):
        await writer.append([note()], NOW_MS)
    assert writer.failure is not None
    await writer.close("over")
    assert len(read_all(directory)) == 2
    again = await open_writer()
    assert (await again.append([note()], NOW_MS))[0].seq == 4


async def test_everything_is_private_under_a_careless_umask(
    open_writer: Open, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "KEEP_EVERY_S", 0.001)
    before = os.umask(0o022)
    try:
        writer = await open_writer()
        await writer.append(list(tasks(3)), NOW_MS)
        while (read_head(directory) or START).seq < writer.last_seq:  # the keeper is done too
            await asyncio.sleep(0.001)
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in directory.iterdir()}
    finally:
        os.umask(before)
    assert any(name.endswith("-wal") for name in modes)
    assert "engine.lock" in modes
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


async def test_segments_rotate_and_carry_the_state(
    open_writer: Open, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "MAX_SEGMENT_ROWS", 20)
    writer = await open_writer()
    await writer.append(opening(), NOW_MS)
    for number in range(1, 21):
        await writer.append(task_story(number), NOW_MS + number)
    assert len(numbered_files(directory, "events")) >= 4
    with closing(JournalReader(directory)) as reader:
        found = reader.read(NOWHERE, 10_000)
        assert [r.seq for r in found] == list(range(1, writer.last_seq + 1))
        assert reader.load() == writer.state
        assert verify(reader.directory).intact
        story = reader.task_events(TaskId(f"01J{7:023d}"))
        assert [r.event for r in story] == task_story(7)
        half = reader.load(until_seq=Seq(found[60].seq))
        assert half.seq == 61
    await writer.close("done")
    again = await open_writer()
    assert again.state.closed_tasks == writer.state.closed_tasks


async def test_an_engine_that_died_between_two_segments_is_succeeded(
    open_writer: Open, directory: Path
) -> None:
    first = await open_writer()
    await first.append(list(tasks(2)), NOW_MS)
    await first.close("done")
    (_, path) = numbered_files(directory, "events")[-1]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE segment SET sealed = 1")
    second = await open_writer()
    assert len(numbered_files(directory, "events")) == 2
    assert second.epoch == 2
    await second.append([TaskEnded(task=TaskId("x"), phase=TaskPhase.FAILED)], NOW_MS)
    with closing(JournalReader(directory)) as reader:
        assert verify(reader.directory).intact


async def test_closing_the_loop_on_an_open_writer_ends_its_thread(directory: Path) -> None:
    writer = await JournalWriter.open(directory, lambda: NOW_MS, "0.1.0", 4711)
    writer._task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writer._task
    with pytest.raises(JournalFailed):
        await writer.append([note()], NOW_MS)
    await writer.close("over")
    writer._connection._thread.join(30)
    assert not writer._connection._thread.is_alive()


async def test_a_refusal_while_the_lock_is_made_again_ends_no_engine(
    open_writer: Open, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = await open_writer()

    def refused(_: Path) -> int:
        raise sqlite3.OperationalError("unable to open database file")

    (directory / LOCK_NAME).unlink()
    with monkeypatch.context() as patched:
        patched.setattr(writer_module, "newest_epoch", refused)
        with pytest.raises(sqlite3.OperationalError):
            writer._stay_owner()
    writer._stay_owner()
    assert writer._lock.is_ours


async def test_a_refusal_after_a_segment_was_made_is_no_other_engine(
    open_writer: Open, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "MAX_SEGMENT_ROWS", 5)
    real, refusals = sync_directory, [OSError(errno.EMFILE, os.strerror(errno.EMFILE))]

    def refused_once(where: Path) -> None:
        if refusals:
            raise refusals.pop()
        real(where)

    writer = await open_writer()
    monkeypatch.setattr(segments, "sync_directory", refused_once)
    for number in range(12):
        await writer.append([note(str(number))], NOW_MS)
    assert not refusals
    assert writer.failure is None
    await writer.close("over")
    assert verify(directory).intact
    assert [n.event.text.raw for n in read_all(directory) if isinstance(n.event, NoteAdded)] == [
        str(number) for number in range(12)
    ]


async def test_a_segment_of_another_engine_in_its_place_is_another_engine(
    open_writer: Open, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "MAX_SEGMENT_ROWS", 5)
    writer = await open_writer()
    head, state = writer._head, writer.state
    opening_module.open_segment(directory, head, state, state.at_ms, Epoch(writer.epoch + 1))
    with pytest.raises(FileExistsError):
        opening_module.open_segment(directory, head, state, state.at_ms, writer.epoch)


async def test_the_size_of_a_segment_is_known_to_the_next_engine(
    open_writer: Open, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "MAX_SEGMENT_BYTES", 10_000)
    for _ in range(4):
        writer = await open_writer()
        await writer.append([note("x" * 4_000)], NOW_MS)
        await writer.close("over")
    assert len(numbered_files(directory, "events")) == 2


def no_room_for_shared_memory() -> sqlite3.OperationalError:
    """What SQLite says where its file of shared memory finds no room."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
    error.sqlite_errorname = "SQLITE_IOERR_SHMSIZE"
    return error


async def test_the_ballast_is_given_up_for_a_full_disk_that_is_told_as_an_error_of_the_disk(
    open_writer: Open, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await open_writer()).close("over")
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(
        "fleet_tui.journal.ledger.troubles.touched",
        lambda where: full if ballast.is_made(where) else None,
    )

    def migrates(where: Path) -> None:
        if ballast.is_made(where):
            raise no_room_for_shared_memory()
        migrate(where)

    monkeypatch.setattr(opening_module, "migrate", migrates)
    await open_writer()
    assert not ballast.is_made(directory)


async def test_an_error_after_a_commit_never_says_that_nothing_was_stored(
    open_writer: Open, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = await open_writer()

    def refused(connection: Transaction) -> None:
        if not connection.in_transaction and connection.total_changes > before:
            raise full

    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    full.sqlite_errorname = "SQLITE_FULL"
    before = writer._connection.total_changes
    monkeypatch.setattr(Transaction, "look_after_files", refused)
    with pytest.raises((JournalFailed, JournalUnavailable)) as told:
        await writer.append([note("stored")], NOW_MS)
    assert isinstance(told.value, JournalFailed)
    await writer.close("")
    assert any(isinstance(r.event, NoteAdded) for r in read_all(directory))
