"""An engine whose ledger fails while it works: it begins anew from the disk, once."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from fleet_tui.core.commands import Accepted, AddNote, Command, Refused, Reply, StopEngine
from fleet_tui.core.events import EngineModeChanged, EngineStarted, NoteAdded, Recorded
from fleet_tui.core.ids import NOWHERE
from fleet_tui.core.modes import EngineMode, ModeNow
from fleet_tui.core.untrusted import Untrusted
from fleet_tui.engine.run import run_engine
from fleet_tui.errors import Unreachable
from fleet_tui.feed.client import EngineClient
from fleet_tui.journal.reader import JournalReader
from fleet_tui.journal.segments import EventRow
from fleet_tui.journal.verifying import verify
from fleet_tui.journal.writer import Transaction
from fleet_tui.paths import socket_path
from tests.journal.stories import FLEET

DEADLINE_S = 30.0
NOTE = AddNote(text=Untrusted("hello"))


class Broken:
    """A disk that says EIO as often as it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        real = Transaction.executemany

        def executemany(
            connection: Transaction, sql: str, rows: Iterable[EventRow], /
        ) -> sqlite3.Cursor:
            if self.times:
                self.times -= 1
                raise sqlite3.OperationalError("disk I/O error")
            return real(connection, sql, rows)

        monkeypatch.setattr(Transaction, "executemany", executemany)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Broken:
    return Broken(monkeypatch)


@asynccontextmanager
async def engine(directory: Path) -> AsyncIterator["asyncio.Task[str]"]:
    running = asyncio.create_task(run_engine(FLEET, directory))
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
    assert (change.was, change.mode) == (EngineMode.RECOVERY, EngineMode.NORMAL)
    assert "disk I/O error" in change.reason


async def test_a_ledger_that_fails_again_is_left_alone_and_that_is_said(
    short_dir: Path, broken: Broken
) -> None:
    directory = short_dir / "state"
    async with engine(directory) as running:
        assert isinstance(await ask(directory, NOTE), Accepted)
        for _ in range(2):
            broken.times = 1
            assert isinstance(await ask(directory, NOTE), Refused)
        mode = await told(directory, lambda m: m.mode is EngineMode.RECOVERY)
        assert "disk I/O error" in mode.reason
        reply = await ask(directory, NOTE)
        assert isinstance(reply, Refused)
        assert reply.code == "recovery-mode"
        assert "fleet-tui verify" in reply.hint
        assert not running.done()
        count = len(events(directory))
        assert isinstance(await ask(directory, StopEngine(reason="looked")), Accepted)
        assert await running == "looked"
    assert len(events(directory)) == count
