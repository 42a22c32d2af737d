"""Backups made beside a working writer, and proved."""

import asyncio
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fleet_tui.core.ids import Seq
from fleet_tui.journal.errors import BackupFailed, JournalDamaged, JournalMissing
from fleet_tui.journal.ledger import writer as writer_module
from fleet_tui.journal.ledger.chain import read_head
from fleet_tui.journal.ledger.reader import JournalReader
from fleet_tui.journal.ledger.segments import numbered_files
from fleet_tui.journal.ledger.verifying import verify
from fleet_tui.journal.telemetry.logs import LogWriter
from fleet_tui.journal.telemetry.samples import SampleReader, SampleWriter
from fleet_tui.journal.upkeep import backups
from fleet_tui.journal.upkeep.backups import back_up
from tests.journal.conftest import NOW_MS, Open
from tests.journal.stories import note, opening, tasks


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
        checked = verify(copy)
        assert checked.intact
        assert checked.events == done.events == done.last_seq
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
    from fleet_tui.core.agents.vitals import FleetSample

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


async def test_a_disk_that_keeps_the_copys_own_journal_makes_no_backup(
    open_writer: Open, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = await open_writer()
    await writer.append(list(tasks(3)), NOW_MS)
    copy_file = backups._copy_file

    def kept(source: Path, target: Path) -> None:
        copy_file(source, target)
        target.with_name(f"{target.name}-journal").write_bytes(b"\x01" * 512)  # SQLite: hot

    monkeypatch.setattr(backups, "_copy_file", kept)
    with pytest.raises(BackupFailed, match="the disk did not let the copy end"):
        back_up(directory, tmp_path / "backup")
    assert {p.name for p in tmp_path.iterdir()} == {directory.name}


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


async def test_a_copy_ends_though_something_is_committed_at_each_of_its_steps(
    open_writer: Open, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = await open_writer()
    await writer.append([note("x" * 100_000)], NOW_MS)
    path = numbered_files(directory, "events")[0][1]
    steps = 0

    class Watched(sqlite3.Connection):
        def backup(self, target: sqlite3.Connection, **options: Any) -> None:
            super().backup(target, progress=commit, **options)

    def commit(*_: int) -> None:
        nonlocal steps
        steps += 1
        assert steps < 1_000, "it began anew at each step"
        other.execute("PRAGMA user_version = 1")

    def watched(source: Path) -> sqlite3.Connection:
        return sqlite3.connect(source, factory=Watched, isolation_level=None)

    monkeypatch.setattr(backups, "COPY_PAGES", 1)
    monkeypatch.setattr(backups, "open_read_only", watched)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        backups._copy_file(path, tmp_path / "copy.db")
    assert steps > 10
    await writer.close("over")
