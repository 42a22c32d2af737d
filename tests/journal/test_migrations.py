"""Ledgers of other formats: older ones are lifted with a backup, newer ones stay as they are."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fleet_tui.journal.errors import JournalDamaged, JournalTooNew
from fleet_tui.journal.ledger.reader import JournalReader
from fleet_tui.journal.ledger.segments import numbered_files
from fleet_tui.journal.ledger.verifying import verify
from fleet_tui.journal.ledger.writer import JournalWriter
from tests.journal.conftest import NOW_MS, Open
from tests.journal.scenario import knowing_the_next_format
from tests.journal.stories import note, opening, tasks
from tests.journal.test_golden import golden_journal


def pragma(path: Path, name: str) -> int:
    with closing(sqlite3.connect(path)) as database:
        (found,) = database.execute(f"PRAGMA {name}").fetchone()
    return int(found)


def set_pragma(path: Path, name: str, value: int) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA {name} = {value}")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def ledger_files(directory: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in directory.glob("events-*.db")}


async def test_a_golden_journal_is_lifted_and_its_backup_kept(tmp_path: Path) -> None:
    directory = golden_journal(1, tmp_path)
    with closing(JournalReader(directory)) as reader:
        before = reader.load()
    with knowing_the_next_format():
        writer = await JournalWriter.open(directory, lambda: NOW_MS, "9.9.9", 1)
        await writer.append([note("in the next format")], NOW_MS)
        await writer.close("done")
        assert verify(directory).intact
        with closing(JournalReader(directory)) as reader:
            assert reader.load(until_seq=before.seq) == before
    (_, path) = numbered_files(directory, "events")[0]
    assert pragma(path, "user_version") == 2
    with closing(sqlite3.connect(path)) as database:
        (filled,) = database.execute("SELECT count(*) FROM events WHERE length > 0").fetchone()
    assert filled == before.seq
    backup = directory.with_name("state.before-format-2")
    assert pragma(numbered_files(backup, "events")[0][1], "user_version") == 1
    assert verify(backup).last_seq == before.seq
    with pytest.raises(JournalTooNew):
        verify(directory)


async def test_a_damaged_ledger_is_not_lifted(open_writer: Open, directory: Path) -> None:
    writer = await open_writer()
    await writer.append([*opening(), *tasks(3)], NOW_MS)
    await writer.close("done")
    (_, path) = numbered_files(directory, "events")[0]
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE events SET at = 1 WHERE seq = 7")
    with knowing_the_next_format(), pytest.raises(JournalDamaged, match="events 7 to"):
        await open_writer()
    assert pragma(path, "user_version") == 1


@pytest.mark.parametrize("reader", [0, 1, 2])
async def test_a_newer_ledger_is_refused_and_stays_as_it_is(
    open_writer: Open, directory: Path, reader: int
) -> None:
    """``reader`` is the format that the newer version asks of those who only look."""
    writer = await open_writer()
    await writer.append([*opening(), *tasks(3)], NOW_MS)
    await writer.close("done")
    end = verify(directory).last_seq
    (_, path) = numbered_files(directory, "events")[0]
    set_pragma(path, "application_id", reader)
    set_pragma(path, "user_version", 2)
    before = ledger_files(directory)
    with pytest.raises(
        JournalTooNew, match="has journal format 2, this version knows formats up to 1"
    ):
        await open_writer()
    assert ledger_files(directory) == before
    assert not list(directory.parent.glob("*.before-format-*"))
    if reader == 1:
        assert verify(directory).last_seq == end
    else:
        with pytest.raises(JournalTooNew):
            verify(directory)
    assert ledger_files(directory) == before
