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

from fleet_tui.core.ids import Seq
from fleet_tui.engine import proving
from fleet_tui.engine.proving import proved
from fleet_tui.journal.errors import JournalDamaged, JournalFailed
from fleet_tui.journal.ledger import writer as writer_module
from fleet_tui.journal.ledger.chain import Head, write_head
from fleet_tui.journal.ledger.segments import SegmentReader, numbered_files
from fleet_tui.journal.ledger.verifying import Verification, verify
from fleet_tui.journal.ledger.writer import JournalWriter
from fleet_tui.journal.upkeep.backups import back_up
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
        patched.setattr("fleet_tui.journal.upkeep.ballast.BYTES", 4_096)
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


def judged(checked: Verification, changed: int | None) -> bool:
    """Whether it tells of a change, in the right place."""
    if changed is None:
        return True
    first, last = checked.first_bad_seq, checked.last_bad_seq
    return (
        not checked.intact and first is not None and last is not None and first <= changed <= last
    )


FRAME_BYTES = 24 + 4_096
"""Of a log: a page with its header."""
LAG = 7
"""Commits that the head file does not know yet, as within a second of a crash."""


@pytest.mark.parametrize("lag", [0, LAG])
async def test_every_flipped_bit_that_changes_a_row_is_found(
    ledger: Path, tmp_path: Path, lag: int
) -> None:
    """Only the very last commit before a crash can be taken for one that was never completed, as
    long as the head file does not know it."""
    dice = random.Random(41)
    end = verify(copy_of(ledger, tmp_path / "whole")).last_seq
    forget_in_head(ledger, end - lag)
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
        checked = verify(work)
        try:
            changed = first_difference(whole, stored(work))
        except sqlite3.Error:
            changed = checked.first_bad_seq or -1
        changing += changed is not None
        if not judged(checked, changed) and not (lag and changed == end):
            missed.append((name, bit))
    assert missed == []
    assert changing > FLIPS // 4, "most bits of a ledger belong to its rows"


def forget_in_head(ledger: Path, seq: int) -> None:
    """Let the head file be as it was at an earlier event."""
    looked_at = ledger.with_name("looked-at")
    newest = numbered_files(copy_of(ledger, looked_at), "events")[-1][1]
    with closing(SegmentReader(newest)) as segment:
        mark = segment.mark(seq)
    assert mark is not None
    write_head(ledger, Head(Seq(seq), mark[1]))


async def test_an_acknowledged_commit_hidden_by_a_bad_bit_in_the_log_is_missed(
    ledger: Path, tmp_path: Path
) -> None:
    """SQLite alone would forget the second half of the log and begin anew from there."""
    end = verify(copy_of(ledger, tmp_path / "whole")).last_seq
    forget_in_head(ledger, end - LAG)
    (log,) = ledger.glob("*-wal")
    content = bytearray(log.read_bytes())
    content[-6 * FRAME_BYTES - 2_000] ^= 1
    log.write_bytes(content)
    (ledger / f"{log.name.removesuffix('-wal')}-shm").unlink()
    before = {p.name: p.read_bytes() for p in (*ledger.glob("events-*"), ledger / "head")}
    checked = verify(copy_of(ledger, tmp_path / "verified"))
    assert not checked.intact
    assert (checked.first_bad_seq or 0) > end - LAG
    assert (checked.last_bad_seq or 0) >= (checked.first_bad_seq or 0)
    with pytest.raises(JournalDamaged, match="-wal is damaged") as refused:
        await JournalWriter.open(ledger, lambda: NOW_MS, "0.1.0", 1)
    assert refused.value.first_bad_seq == checked.first_bad_seq
    after = {p.name: p.read_bytes() for p in ledger.iterdir() if p.name in before}
    assert after == before
    with pytest.raises(JournalDamaged, match="-wal is damaged"):
        back_up(ledger, tmp_path / "backup")


@pytest.mark.parametrize("part", [0.0, 0.3, 0.6, 0.99])
async def test_a_log_that_ends_in_the_middle_of_a_commit_is_no_damage(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: float
) -> None:
    """A power cut leaves the last transaction in pieces, in any order: nobody was told of it."""
    monkeypatch.setattr(writer_module, "KEEP_EVERY_S", 3_600.0)
    torn = tmp_path / "torn"
    writer = await JournalWriter.open(directory, lambda: NOW_MS, "0.1.0", 4711)
    await writer.append(opening(), NOW_MS)
    end = writer.last_seq
    (log,) = directory.glob("events-*-wal")
    size = log.stat().st_size
    await writer.append(list(tasks(40)), NOW_MS)
    shutil.copytree(directory, torn)
    await writer.close("done")
    content = bytearray((torn / log.name).read_bytes())
    grown = len(content) - size
    assert grown > 4 * FRAME_BYTES
    place = size + int(part * (grown - FRAME_BYTES))
    content[place : place + 4_096] = bytes(4_096)
    (torn / log.name).write_bytes(content)
    assert verify(torn).last_seq == end
    again = await JournalWriter.open(torn, lambda: NOW_MS, "0.1.0", 1)
    assert again.last_seq == end + 1
    await again.close("done")


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


def schema_of_no_text(newest: Path) -> None:
    """SQLite repeats it in its complaint, which Python cannot read."""
    content = newest.read_bytes()
    assert b"tableeventsevents" in content
    content = content.replace(b"tableeventsevents", b"tableev\xffntsev\xffnts", 1)
    newest.write_bytes(content.replace(b"CREATE TABLE events", b"CREATE TABLE ev\xff(ts", 1))


def no_format(newest: Path) -> None:
    with newest.open("r+b") as file:
        file.seek(60)
        file.write(bytes(4))


HARM: dict[str, Callable[[Path], None]] = {
    "a zeroed page": zeroed_page,
    "garbage": garbage,
    "half a file": truncated,
    "an empty file": empty,
    "no file": gone,
    "a schema of no text": schema_of_no_text,
    "no format": no_format,
}


AT_ONCE = ("no file", "an empty file", "a schema of no text", "no format")


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "SHARE", 1.0)


@pytest.mark.usefixtures("hurried")
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
    checked = verify(ledger)
    assert not checked.intact
    assert checked.first_bad_seq is not None
    assert checked.last_bad_seq is not None
    assert 1 <= checked.first_bad_seq <= checked.last_bad_seq <= sound.last_seq
    refused: JournalDamaged | None = None
    try:
        writer = await JournalWriter.open(ledger, lambda: NOW_MS, "0.1.0", 1)
    except JournalDamaged as error:
        refused = error
    if refused is not None:  # of the newest file nothing but the head knows how far it went
        assert which == 2 or refused.last_seq >= checked.last_bad_seq
        return
    await writer.close("opened")
    assert which < 2
    assert harm not in AT_ONCE, "that is seen without reading it all"
    with pytest.raises(JournalDamaged):  # what an engine does beside its work
        await proved(ledger)


def settle(ledger: Path) -> None:
    """Move the WAL into its file, as the end of an engine does."""
    for _, path in numbered_files(ledger, "events"):
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def test_a_directory_that_was_copied_without_its_wal_is_refused(ledger: Path) -> None:
    end = verify(ledger).last_seq
    for path in ledger.glob("*-wal"):
        path.unlink()
    checked = verify(ledger)
    assert not checked.intact
    assert checked.last_bad_seq == end
    with pytest.raises((JournalDamaged, JournalFailed)):
        await JournalWriter.open(ledger, lambda: NOW_MS, "0.1.0", 1)


async def test_a_ledger_that_was_rolled_back_is_refused(ledger: Path) -> None:
    settle(ledger)
    files = numbered_files(ledger, "events")
    end = verify(ledger).last_seq
    files[-1][1].unlink()
    checked = verify(ledger)
    assert (checked.first_bad_seq, checked.last_bad_seq) == (files[-1][0], end)
    with pytest.raises(JournalDamaged, match=f"events {files[-1][0]} to {end}"):
        await JournalWriter.open(ledger, lambda: NOW_MS, "0.1.0", 1)
