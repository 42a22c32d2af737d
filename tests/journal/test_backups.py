"""Backups made beside a working writer, proved, and put back."""

import asyncio
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from fleet_tui.core.ids import Seq
from fleet_tui.journal import writer as writer_module
from fleet_tui.journal.backups import UNKNOWN_EPOCHS, back_up, restore
from fleet_tui.journal.chain import read_head
from fleet_tui.journal.directory import holder_now
from fleet_tui.journal.errors import (
    BackupFailed,
    JournalDamaged,
    JournalInUse,
    JournalMissing,
    JournalTooNew,
    UnsafeDirectory,
)
from fleet_tui.journal.logs import LogWriter
from fleet_tui.journal.reader import JournalReader
from fleet_tui.journal.samples import SampleReader, SampleWriter
from fleet_tui.journal.segments import newest_epoch, numbered_files
from fleet_tui.journal.verifying import verify
from tests.journal.conftest import NOW_MS, Open
from tests.journal.stories import note, opening, tasks

HOLDER = holder_now(4711, lambda: NOW_MS)


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


async def test_a_backup_beside_a_busy_writer_is_whole_and_proved(
    open_writer: Open, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "MAX_SEGMENT_ROWS", 150)
    writer = await open_writer()
    await writer.append(opening(), NOW_MS)
    stop = asyncio.Event()

    async def busy() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            await writer.append(list(tasks(3, 1 + 3 * number)), NOW_MS + number)

    working = asyncio.create_task(busy())
    last = 0
    for number in range(5):
        before = writer.last_seq
        done = await asyncio.to_thread(back_up, directory, tmp_path / f"backup-{number}")
        assert before <= done.last_seq <= writer.last_seq
        assert done.last_seq >= last
        last = done.last_seq
        copy = Path(done.path)
        verdict = verify(copy)
        assert verdict.intact
        assert verdict.events == done.events == done.last_seq
        head = read_head(copy)
        assert head is not None
        assert head.seq == done.last_seq
        assert not [p.name for p in copy.iterdir() if p.name.endswith(("-wal", "-shm"))]
    stop.set()
    await working
    assert len(numbered_files(copy, "events")) > 1
    with closing(JournalReader(copy)) as reader, closing(JournalReader(directory)) as original:
        assert reader.load() == original.load(until_seq=Seq(last))


async def test_a_backup_is_private_and_holds_the_telemetry_too(
    open_writer: Open, directory: Path, tmp_path: Path
) -> None:
    await open_writer()
    samples, logs = await SampleWriter.open(directory), await LogWriter.open(directory)
    from fleet_tui.core.vitals import FleetSample

    samples.add([FleetSample(at_ms=NOW_MS, up=1, agents=1)])
    await samples.close()
    await logs.close()
    (directory / "logs-0000000000000001.db").write_bytes(b"no database at all" * 100)
    done = back_up(directory, tmp_path / "deep" / "backup")
    assert done.left_out == ("logs-0000000000000001.db",)
    copy = tmp_path / "deep" / "backup"
    with closing(SampleReader(copy)) as reader:
        assert len(reader.fleet_samples(0, 2**50, 5)) == 1
    assert stat.S_IMODE(copy.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in copy.iterdir()} == {0o600}


async def test_a_damaged_ledger_makes_no_backup(
    open_writer: Open, directory: Path, tmp_path: Path
) -> None:
    writer = await open_writer()
    await writer.append(list(tasks(10)), NOW_MS)
    await writer.close("done")
    (_, path) = numbered_files(directory, "events")[-1]
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE events SET at = at + 1 WHERE seq = 30")
    with pytest.raises(JournalDamaged) as refused:
        back_up(directory, tmp_path / "backup")
    assert (refused.value.first_bad_seq, refused.value.last_seq) == (30, 53)
    assert {p.name for p in tmp_path.iterdir()} == {directory.name}


async def test_a_rolled_back_ledger_makes_no_backup(
    open_writer: Open, directory: Path, tmp_path: Path
) -> None:
    writer = await open_writer()
    await writer.close("done")
    old = (directory / numbered_files(directory, "events")[-1][1].name).read_bytes()
    again = await open_writer()
    await again.append(list(tasks(3)), NOW_MS)
    await again.close("done")
    numbered_files(directory, "events")[-1][1].write_bytes(old)
    with pytest.raises(JournalDamaged, match="20 events were written"):
        back_up(directory, tmp_path / "backup")


async def test_a_backup_never_replaces_anything(
    open_writer: Open, directory: Path, tmp_path: Path
) -> None:
    await open_writer()
    (tmp_path / "there").mkdir()
    with pytest.raises(BackupFailed, match="is there already"):
        back_up(directory, tmp_path / "there")
    (tmp_path / "file").touch()
    with pytest.raises(BackupFailed, match="cannot write"):
        back_up(directory, tmp_path / "file" / "backup")
    with pytest.raises(JournalMissing):
        back_up(tmp_path / "nowhere", tmp_path / "backup")


async def test_restoring_puts_the_old_aside_and_raises_the_epoch(
    open_writer: Open, directory: Path, tmp_path: Path
) -> None:
    writer = await open_writer()
    await writer.append([*opening(), *tasks(3)], NOW_MS)
    back_up(directory, tmp_path / "backup")
    before = contents(tmp_path / "backup")
    await writer.append(list(tasks(2, 4)), NOW_MS)
    with pytest.raises(JournalInUse, match="pid 4711"):
        restore(tmp_path / "backup", directory, HOLDER, tmp_path / "aside")
    await writer.close("done")
    for _ in range(3):
        await (await open_writer()).close("done")
    old_end = verify(directory).last_seq
    done = restore(tmp_path / "backup", directory, HOLDER, tmp_path / "aside")
    assert contents(tmp_path / "backup") == before
    assert done.old_last_seq == old_end
    assert done.is_behind
    assert verify(tmp_path / "aside").last_seq == old_end
    again = await open_writer()
    assert again.epoch == 5
    assert len(again.state.closed_tasks) == 3
    assert again.last_seq == done.copy.last_seq + 1
    assert verify(directory).intact


async def test_restoring_over_a_ledger_that_cannot_be_read_leaves_its_epochs_behind(
    open_writer: Open, directory: Path, tmp_path: Path
) -> None:
    writer = await open_writer()
    await writer.close("done")
    back_up(directory, tmp_path / "backup")
    (_, path) = numbered_files(directory, "events")[-1]
    path.write_bytes(b"")
    done = restore(tmp_path / "backup", directory, HOLDER, tmp_path / "aside")
    assert done.old_last_seq is None
    assert done.is_behind
    assert newest_epoch(directory) == 1 + UNKNOWN_EPOCHS
    assert (await open_writer()).epoch == 2 + UNKNOWN_EPOCHS


async def test_restoring_where_there_was_nothing_leaves_nothing_aside(
    open_writer: Open, directory: Path, tmp_path: Path
) -> None:
    writer = await open_writer()
    await writer.append([note()], NOW_MS)
    back_up(directory, tmp_path / "backup")
    done = restore(tmp_path / "backup", tmp_path / "elsewhere", HOLDER, tmp_path / "aside")
    assert done.aside is None
    assert not done.is_behind
    assert {p.name for p in tmp_path.iterdir()} == {directory.name, "backup", "elsewhere"}
    assert verify(tmp_path / "elsewhere").intact


async def test_a_backup_that_was_changed_is_not_restored(
    open_writer: Open, directory: Path, tmp_path: Path
) -> None:
    writer = await open_writer()
    await writer.append(list(tasks(3)), NOW_MS)
    back_up(directory, tmp_path / "backup")
    await writer.close("done")
    before = contents(directory)
    (_, path) = numbered_files(tmp_path / "backup", "events")[-1]
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM events WHERE seq = 9")
    with pytest.raises(JournalDamaged, match="events 9 to"):
        restore(tmp_path / "backup", directory, HOLDER, tmp_path / "aside")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(JournalTooNew):
        restore(tmp_path / "backup", directory, HOLDER, tmp_path / "aside")
    (tmp_path / "backup").chmod(0o755)
    with pytest.raises(UnsafeDirectory, match="backup cannot be trusted"):
        restore(tmp_path / "backup", directory, HOLDER, tmp_path / "aside")
    with pytest.raises(JournalMissing):
        restore(tmp_path / "nowhere", directory, HOLDER, tmp_path / "aside")
    with pytest.raises(BackupFailed, match="from itself"):
        restore(directory, directory, HOLDER, tmp_path / "aside")
    after = contents(directory)
    assert {n: after[n] for n in before if n != "engine.lock"} == {
        n: before[n] for n in before if n != "engine.lock"
    }
    assert not (tmp_path / "aside").exists()
