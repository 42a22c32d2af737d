"""Durability against kill -9: what was acknowledged is there, whenever the process died."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from fleet_tui.core.ids import NOWHERE
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.journal.ledger.reader import JournalReader
from fleet_tui.journal.ledger.verifying import verify
from fleet_tui.journal.ledger.writer import JournalWriter

KILLS = 30
ROOT = Path(__file__).parents[2]


def run_and_kill(directory: Path, acked: Path, dice: random.Random) -> None:
    """One life of a writer: killed at a random moment after at least one acknowledgement."""
    before = acked.stat().st_size if acked.exists() else 0
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.journal.appender", directory, acked], cwd=ROOT
    )
    try:
        while (acked.stat().st_size if acked.exists() else 0) == before:
            assert process.poll() is None, "the writer died by itself"
            time.sleep(0.001)
        time.sleep(dice.random() * 0.05)
        assert process.poll() is None, "the writer died by itself"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
async def test_thirty_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    directory, acked = tmp_path / "state", tmp_path / "acked"
    dice = random.Random(30)
    for _ in range(KILLS):
        run_and_kill(directory, acked, dice)
    with closing(JournalReader(directory)) as reader:
        checked = verify(reader.directory)
        assert checked.intact, checked.reason
        stored: dict[int, str] = {}
        after = NOWHERE
        while page := reader.read(after, 5_000):
            after = page[-1].seq
            for recorded in page:
                event = recorded.event
                stored[recorded.seq] = event.text.raw if isinstance(event, NoteAdded) else ""
    lines = acked.read_text().splitlines()
    told = dict(line.split(" ", 1) for line in lines if line.count(" ") == 1)
    lost = [seq for seq, text in told.items() if stored.get(int(seq)) != text]
    assert lost == []
    assert len(told) > 2 * KILLS
    writer = await JournalWriter.open(directory, lambda: 0, "0.1.0", os.getpid())
    assert writer.epoch == KILLS + 1
    await writer.close("done")
