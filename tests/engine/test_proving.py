"""The whole ledger is read beside the work, and an engine stops working on one that is damaged."""

import asyncio
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fleet_tui.core.ledger.replies import Accepted, Refused
from fleet_tui.core.modes import EngineMode, ModeNow
from fleet_tui.engine import proving, run
from fleet_tui.engine.proving import proved
from fleet_tui.engine.standby import mode_for
from fleet_tui.journal.errors import JournalDamaged, JournalError
from fleet_tui.journal.ledger import verifying
from fleet_tui.journal.ledger import writer as writer_module
from fleet_tui.journal.ledger.segments import SegmentReader, numbered_files
from fleet_tui.journal.ledger.verifying import Verification, verify, verify_in_steps
from fleet_tui.journal.ledger.writer import JournalWriter
from tests.engine.test_failing_ledger import DEADLINE_S, NOTE, ask, engine, told
from tests.journal.conftest import NOW_MS
from tests.journal.stories import opening, tasks


async def a_ledger(directory: Path) -> None:
    """One of several segments."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(writer_module, "MAX_SEGMENT_ROWS", 60)
        writer = await JournalWriter.open(directory, lambda: NOW_MS, "0.1.0", 4711)
        await writer.append(opening(), NOW_MS)
        for number in range(1, 41):
            await writer.append(list(tasks(1, number)), NOW_MS + number)
        await writer.close("done")
    assert len(numbered_files(directory, "events")) > 3


def change(directory: Path, seq: int) -> None:
    """Change an event of the oldest segment."""
    with closing(sqlite3.connect(numbered_files(directory, "events")[0][1])) as database, database:
        database.execute("UPDATE events SET at = at + 1 WHERE seq = ?", (seq,))


async def damaged(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger whose event 20 was changed, and which an engine proves without delay."""
    await a_ledger(directory)
    change(directory, 20)
    monkeypatch.setattr(proving, "FIRST_AFTER_S", 0.0)
    monkeypatch.setattr(proving, "SHARE", 1.0)
    return directory


async def test_damage_in_an_old_segment_ends_the_work(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = await damaged(short_dir / "state", monkeypatch)
    async with engine(directory):
        mode = await told(directory, lambda mode: mode.mode is EngineMode.RECOVERY)
        assert mode.trusted_seq == 19
        assert "events 20 to" in mode.reason
        reply = await ask(directory, NOTE)
        assert isinstance(reply, Refused)
        assert reply.code == "recovery-mode"


async def test_a_stop_is_obeyed_that_comes_while_the_damage_is_looked_at(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = await damaged(short_dir / "state", monkeypatch)

    def told_to_stop(where: Path, error: JournalError, now_ms: int) -> ModeNow:
        os.kill(os.getpid(), signal.SIGTERM)
        return mode_for(where, error, now_ms)

    monkeypatch.setattr(run, "mode_for", told_to_stop)
    async with engine(directory) as running, asyncio.timeout(DEADLINE_S):
        assert await asyncio.shield(running) == "got SIGTERM"


async def test_damage_that_comes_later_is_found_by_a_later_proof(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = short_dir / "state"
    await a_ledger(directory)
    sound = asyncio.Event()
    real = proving.proved

    async def noted(where: Path) -> Verification:
        checked = await real(where)
        sound.set()
        return checked

    monkeypatch.setattr(proving, "proved", noted)
    monkeypatch.setattr(proving, "FIRST_AFTER_S", 0.0)
    monkeypatch.setattr(proving, "EVERY_S", 0.01)
    monkeypatch.setattr(proving, "SHARE", 1.0)
    async with engine(directory):
        async with asyncio.timeout(DEADLINE_S):
            await sound.wait()
        assert isinstance(await ask(directory, NOTE), Accepted)
        change(directory, 20)
        mode = await told(directory, lambda mode: mode.mode is EngineMode.RECOVERY)
        assert "events 20 to" in mode.reason


async def test_a_passing_trouble_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "state"
    await a_ledger(directory)
    monkeypatch.setattr(proving, "SHARE", 1.0)
    real, troubles = SegmentReader, [True]

    def once_refused(path: Path) -> SegmentReader:
        if troubles:
            troubles.pop()
            raise sqlite3.OperationalError("unable to open database file")
        return real(path)

    monkeypatch.setattr(verifying, "SegmentReader", once_refused)
    assert (await proved(directory)).intact
    assert not troubles
    change(directory, 20)
    with pytest.raises(JournalDamaged, match="events 20 to"):
        await proved(directory)


async def test_a_long_proof_comes_in_short_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "state"
    await a_ledger(directory)
    monkeypatch.setattr(verifying, "STEP_EVENTS", 10)
    events = verify(directory).events
    files = len(numbered_files(directory, "events"))
    assert len(list(verify_in_steps(directory))) == events // 10 + files
