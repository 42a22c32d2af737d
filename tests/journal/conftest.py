import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from fleet_tui.journal.ledger.writer import JournalWriter

Open = Callable[[], Awaitable[JournalWriter]]

NOW_MS = 1_795_000_000_000


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
async def open_writer(directory: Path) -> AsyncIterator[Open]:
    """Opens writers of the directory; whatever the test leaves open is closed."""
    opened: list[JournalWriter] = []

    async def open_one() -> JournalWriter:
        writer = await JournalWriter.open(directory, lambda: NOW_MS, "0.1.0", 4711)
        opened.append(writer)
        return writer

    yield open_one
    await asyncio.gather(*(writer.close("test over") for writer in opened))
