"""Whatever changes a ledger's bytes is found, with the range of events that cannot be trusted.

``JOURNAL_FLIPS`` is how many random bits are flipped, one at a time; 1,000 if it is not set, and
1,000 for the full campaign.
"""

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from fleet_tui.journal import writer as writer_module
from fleet_tui.journal.chain import write_head
from fleet_tui.journal.errors import JournalDamaged, JournalFailed
from fleet_tui.journal.segments import numbered_files
from fleet_tui.journal.verifying import Verdict, verify
from fleet_tui.journal.writer import JournalWriter
from tests.journal.conftest import NOW_MS
from tests.journal.stories import note, opening, tasks

FLIPS = int(os.environ.get("JOURNAL_FLIPS", "1000"))

Stored = list[tuple[object, ...]]


def stored(directory: Path) -> Stored:
    """Every row as SQLite gives it, whatever it is. Raises sqlite3.Error."""
    rows: Stored = []
    for _, path in numbered_files(directory, "events"):
        with closing(sqlite3.connect(path)) as database:
            database.text_factory = bytes
            rows += database.execute("SELECT * FROM events ORDER BY seq").fetchall()
    return rows


@pytest.fixture
async def ledger(directory: Path, tmp_path: Path) -> Path:
    """A ledger of three segments, the newest with most of its rows in the WAL, as after a crash."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(writer_module, "MAX_SEGMENT_ROWS", 60)
        patched.setattr(writer_module, "KEEP_EVERY_S", 3_600.0)
        patched.setattr("fleet_tui.journal.ballast.BYTES", 4_096)
        writer = await JournalWriter.open(directory, lambda: NOW_MS, "0.1.0", 4711)
        await writer.append(opening(), NOW_MS)
        for number in range(1, 26):
            await writer.append(list(tasks(1, number)), NOW_MS + number)
        for number in range(10):
            await writer.append([note(str(number))], NOW_MS + 100)
        write_head(directory, writer._head)
        crashed = tmp_path / "crashed"
        shutil.copytree(directory, crashed)
        await writer.close("done")
    assert len(numbered_files(crashed, "events")) == 3
    return crashed


def first_difference(before: Stored, after: Stored) -> int | None:
    """The position of the first row that reads differently."""
    for place, row in enumerate(before):
        if place >= len(after) or after[place] != row:
            assert isinstance(row[0], int)
            return row[0]
    return len(before) + 1 if len(after) > len(before) else None


def judged(verdict: Verdict, changed: int | None) -> bool:
    """Whether the verdict tells of a change, in the right place."""
    if changed is None:
        return True
    first, last = verdict.first_bad_seq, verdict.last_bad_seq
    return (
        not verdict.intact and first is not None and last is not None and first <= changed <= last
    )


async def test_every_flipped_bit_that_changes_a_row_is_found(ledger: Path, tmp_path: Path) -> None:
    dice = random.Random(41)
    whole = stored(copy_of(ledger, tmp_path / "whole"))
    assert verify(copy_of(ledger, tmp_path / "sound")).intact
    files = sorted(
        p.name for p in ledger.iterdir() if p.name.startswith("events-") and "shm" not in p.name
    )
    assert any(name.endswith("-wal") for name in files)
    sizes = [(ledger / name).stat().st_size for name in files]
    missed: list[tuple[str, int]] = []
    changing = 0
    for _ in range(FLIPS):
        (name,) = dice.choices(files, sizes)
        bit = dice.randrange((ledger / name).stat().st_size * 8)
        work = copy_of(ledger, tmp_path / "work")
        content = bytearray((work / name).read_bytes())
        content[bit // 8] ^= 1 << bit % 8
        (work / name).write_bytes(content)
        verdict = verify(work)
        try:
            changed = first_difference(whole, stored(work))
        except sqlite3.Error:
            changed = verdict.first_bad_seq or -1
        changing += changed is not None
        if not judged(verdict, changed):
            missed.append((name, bit))
    assert missed == []
    assert changing > FLIPS // 4, "most bits of a ledger belong to its rows"


def copy_of(ledger: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(ledger, target)
    return target


def zeroed_page(newest: Path) -> None:
    with newest.open("r+b") as file:
        file.seek(4_096)
        file.write(bytes(4_096))


def garbage(newest: Path) -> None:
    with newest.open("r+b") as file:
        file.seek(2 * 4_096)
        file.write(random.Random(1).randbytes(4_096))


def truncated(newest: Path) -> None:
    os.truncate(newest, newest.stat().st_size // 2)


def empty(newest: Path) -> None:
    os.truncate(newest, 0)


def gone(newest: Path) -> None:
    newest.unlink()


HARM: dict[str, Callable[[Path], None]] = {
    "a zeroed page": zeroed_page,
    "garbage": garbage,
    "half a file": truncated,
    "an empty file": empty,
    "no file": gone,
}


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("which", [0, 1, 2])
async def test_harm_to_a_file_is_found_and_no_engine_goes_on(
    ledger: Path, harm: str, which: int
) -> None:
    settle(ledger)
    sound = verify(ledger)
    assert sound.intact
    path = numbered_files(ledger, "events")[which][1]
    HARM[harm](path)
    verdict = verify(ledger)
    assert not verdict.intact
    assert verdict.first_bad_seq is not None
    assert verdict.last_bad_seq is not None
    assert 1 <= verdict.first_bad_seq <= verdict.last_bad_seq <= sound.last_seq
    if which == 2:  # older segments are read when they are looked at, backed up or verified
        with pytest.raises(JournalDamaged):
            await JournalWriter.open(ledger, lambda: NOW_MS, "0.1.0", 1)


def settle(ledger: Path) -> None:
    """Move the WAL into its file, as the end of an engine does."""
    for _, path in numbered_files(ledger, "events"):
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def test_a_directory_that_was_copied_without_its_wal_is_refused(ledger: Path) -> None:
    end = verify(ledger).last_seq
    for path in ledger.glob("*-wal"):
        path.unlink()
    verdict = verify(ledger)
    assert not verdict.intact
    assert verdict.last_bad_seq == end
    with pytest.raises((JournalDamaged, JournalFailed)):
        await JournalWriter.open(ledger, lambda: NOW_MS, "0.1.0", 1)


async def test_a_ledger_that_was_rolled_back_is_refused(ledger: Path) -> None:
    settle(ledger)
    files = numbered_files(ledger, "events")
    end = verify(ledger).last_seq
    files[-1][1].unlink()
    verdict = verify(ledger)
    assert (verdict.first_bad_seq, verdict.last_bad_seq) == (files[-1][0], end)
    with pytest.raises(JournalDamaged, match=f"events {files[-1][0]} to {end}"):
        await JournalWriter.open(ledger, lambda: NOW_MS, "0.1.0", 1)
