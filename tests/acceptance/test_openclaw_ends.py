"""A real gateway and what has ended: its rows of our sessions are deleted after the stated time."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from fleet_tui.core.agents.model import Health
from fleet_tui.core.ids import TaskId
from fleet_tui.core.tasks.attempts import KEEP_RUNS_MS
from tests.acceptance.gateways import fleet_of
from tests.acceptance.rig import MakeRig, Rig
from tests.acceptance.test_openclaw_phases import (
    EVERY,
    SOON_S,
    given,
    is_,
    succeeded,
    task,
)
from tests.support.openclaw_lab import Gateway, OpenClawLab

pytestmark = [
    pytest.mark.openclaw,
    pytest.mark.sshd,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("openclaw"),
]

LATER = """
import sys
from fleet_tui.cli.main import run
from fleet_tui.engine import cadence, clock
from fleet_tui.wire.openclaw.port import OpenClawPort

ahead_ms, book = int(sys.argv.pop(1)), sys.argv.pop(1)
now_ms, collect = clock.WallClock.now_ms, OpenClawPort.collect

async def noted(self, runs):
    gone = await collect(self, runs)
    with open(book, "a") as file:
        print(self._agent.name, *gone, file=file)
    return gone

cadence.COLLECT_EVERY_S = 0.5
clock.WallClock.now_ms = lambda self: now_ms(self) + ahead_ms
OpenClawPort.collect = noted
sys.exit(run(sys.argv[1:]))
"""
"""An engine whose clock is ahead, which tidies up twice a second and writes down what is gone."""

HOUR_MS = 3_600_000


def session_keys(gateway: Gateway) -> set[str]:
    """The sessions that a gateway has."""
    file = gateway.directory / "agents" / "main" / "agent" / "openclaw-agent.sqlite"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        found = database.execute("SELECT session_key FROM session_nodes").fetchall()
    return {str(key) for (key,) in found}


def rows(gateway: Gateway, *tasks: TaskId) -> list[bool]:
    """Of which tasks a gateway has the session of the first run."""
    keys = session_keys(gateway)
    return [any(f":fleet:{one.lower()}:1" in key for key in keys) for one in tasks]


def edit(rig: Rig, old: str, new: str) -> None:
    text = rig.file.read_text()
    assert old in text
    rig.file.write_text(text.replace(old, new))


async def test_session_rows_are_deleted_a_day_after_their_end_unless_they_are_to_stay(
    openclaw_lab: OpenClawLab, make_rig: MakeRig, short_dir: Path
) -> None:
    lab = openclaw_lab
    one, two = lab.gateways[:2]
    book = short_dir / "book"

    def gone() -> dict[str, set[str]]:
        """By gateway: the tasks whose runs it was told to forget."""
        told: dict[str, set[str]] = {}
        for line in book.read_text().splitlines() if book.exists() else ():
            name, *runs = line.split()
            told.setdefault(name, set()).update(run.partition(".")[0] for run in runs)
        return told

    def later(by_ms: int) -> None:
        rig.kill()
        rig.program = (sys.executable, "-c", LATER, str(by_ms), str(book))
        rig.start()

    rig = fleet_of(make_rig, lab, [one, two], short_dir, every=EVERY)
    edit(rig, f"{two.name}: {{", f"{two.name}: {{keep_sessions: true, ")
    rig.start()
    for gateway in (one, two):
        await is_(rig, gateway, Health.UP)
    here = await given(rig, "one", "--agent", one.name)
    kept = await given(rig, "two", "--agent", two.name)
    await succeeded(rig, here, kept)
    assert rows(one, here) == rows(two, kept) == [True]

    later(KEEP_RUNS_MS - HOUR_MS)
    new = await given(rig, "three", "--agent", one.name)
    await succeeded(rig, new)
    assert gone() == {}, "it is not a day yet"
    assert rows(one, here, new) == [True, True]

    later(KEEP_RUNS_MS + HOUR_MS)
    await rig.until(lambda: gone() == {one.name: {here}, two.name: {kept}}, SOON_S, "it tidies up")
    assert rows(one, here, new) == [False, True], "the other one ended two hours ago"
    assert rows(two, kept) == [True]
    assert task(rig, here).attempts[0].answer.text.raw, "the ledger keeps the answer"
