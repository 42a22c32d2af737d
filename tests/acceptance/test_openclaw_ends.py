"""A real gateway and what has ended: its rows of our sessions are deleted after the stated time."""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from fleet_tui.core.agents.model import Health
from fleet_tui.core.ids import TaskId, run_id
from fleet_tui.core.tasks.attempts import KEEP_RUNS_MS
from fleet_tui.core.text.ulid import ENTROPY_BYTES, new_ulid
from fleet_tui.wire.openclaw.connection import Connection, GatewayResult, connect
from fleet_tui.wire.openclaw.dial import dial_over_ssh
from fleet_tui.wire.openclaw.sessions import key_of
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
from tests.support.openclaw_lab import HOST, Gateway, OpenClawLab
from tests.support.release_trials import pool_to

pytestmark = [
    pytest.mark.openclaw,
    pytest.mark.sshd,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("openclaw"),
]

LATER = """
import sys
from functools import partial
from fleet_tui.cli.main import run
from fleet_tui.core.tasks import store
from fleet_tui.engine import clock, run as engines
from fleet_tui.engine.pacing import Pacing
from fleet_tui.wire.openclaw.port import OpenClawPort

ahead_ms, every_s, book = int(sys.argv.pop(1)), float(sys.argv.pop(1)), sys.argv.pop(1)
now_ms, collect = clock.WallClock.now_ms, OpenClawPort.collect

async def noted(self, runs):
    gone = await collect(self, runs)
    with open(book, "a") as file:
        print(self._agent.name, *gone, file=file)
    return gone

engines.run_engine = partial(engines.run_engine, pacing=Pacing(collect_every_s=every_s))
store.MAX_CLOSED_TASKS = int(sys.argv.pop(1))
clock.WallClock.now_ms = lambda self: now_ms(self) + ahead_ms
OpenClawPort.collect = noted
sys.exit(run(sys.argv[1:]))
"""
"""An engine whose clock is ahead, which tidies up as often as it is told, writes down what is gone
and remembers so many tasks that ended."""

HOUR_MS = 3_600_000
OFTEN_S, NEVER_S = 0.5, 1e6
ALL = 2_000


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


def engine(rig: Rig, book: Path, *, ahead_ms: int = 0, every_s: float, remembers: int) -> None:
    """Begin one after the other."""
    rig.kill()
    told = (str(ahead_ms), str(every_s), str(book), str(remembers))
    rig.program = (sys.executable, "-c", LATER, *told)
    rig.start()


def gone(book: Path) -> dict[str, set[str]]:
    """By gateway: the tasks whose runs it was told to forget."""
    told: dict[str, set[str]] = {}
    for line in book.read_text().splitlines() if book.exists() else ():
        name, *runs = line.split()
        told.setdefault(name, set()).update(run.partition(".")[0] for run in runs)
    return told


async def test_session_rows_are_deleted_a_day_after_their_end_unless_they_are_to_stay(
    openclaw_lab: OpenClawLab, make_rig: MakeRig, short_dir: Path
) -> None:
    lab = openclaw_lab
    one, two = lab.gateways[:2]
    book = short_dir / "book"

    rig = fleet_of(make_rig, lab, [one, two], short_dir, every=EVERY)
    edit(rig, f"{two.name}: {{", f"{two.name}: {{keep_sessions: true, ")
    rig.start()
    for gateway in (one, two):
        await is_(rig, gateway, Health.UP)
    here = await given(rig, "one", "--agent", one.name)
    kept = await given(rig, "two", "--agent", two.name)
    await succeeded(rig, here, kept)
    assert rows(one, here) == rows(two, kept) == [True]

    engine(rig, book, ahead_ms=KEEP_RUNS_MS - HOUR_MS, every_s=OFTEN_S, remembers=ALL)
    new = await given(rig, "three", "--agent", one.name)
    await succeeded(rig, new)
    assert gone(book) == {}, "it is not a day yet"
    assert rows(one, here, new) == [True, True]

    engine(rig, book, ahead_ms=KEEP_RUNS_MS + HOUR_MS, every_s=OFTEN_S, remembers=ALL)
    told = {one.name: {here}, two.name: {kept}}
    await rig.until(lambda: gone(book) == told, SOON_S, "it tidies up")
    assert rows(one, here, new) == [False, True], "the other one ended two hours ago"
    assert rows(two, kept) == [True]
    assert task(rig, here).attempts[0].answer.text.raw, "the ledger keeps the answer"


async def test_an_engine_that_starts_anew_finds_rows_of_runs_that_the_state_has_forgotten(
    openclaw_lab: OpenClawLab, make_rig: MakeRig, short_dir: Path
) -> None:
    """And none of another ledger, none that the state remembers, none where they are to stay."""
    lab = openclaw_lab
    one, two = lab.gateways[:2]
    book = short_dir / "book"
    nobodys = new_ulid(1_795_201_000_000, os.urandom(ENTROPY_BYTES))
    async with pool_to(lab) as pool:
        line = await connect(dial_over_ssh(pool, HOST, one.port), one.token)
        assert isinstance(line, Connection), line
        key = key_of("main", run_id(nobodys, 1))
        made = await line.call("sessions.create", {"key": key}, timeout_ms=10_000)
        assert isinstance(made, GatewayResult), made
        await line.close()

    rig = fleet_of(make_rig, lab, [one, two], short_dir, every=EVERY)
    edit(rig, f"{two.name}: {{", f"{two.name}: {{keep_sessions: true, ")
    rig.start()
    engine(rig, book, every_s=NEVER_S, remembers=1)
    for gateway in (one, two):
        await is_(rig, gateway, Health.UP)
    kept = await given(rig, "zero", "--agent", two.name)
    await succeeded(rig, kept)
    ended = []
    for text in ("one", "two", "three"):  # each in the place of the one before it
        ended.append(await given(rig, text, "--agent", one.name))
        await succeeded(rig, ended[-1])
    assert rows(one, *ended, nobodys) == [True] * 4

    engine(rig, book, every_s=OFTEN_S, remembers=1)
    await rig.until(lambda: gone(book) == {one.name: {*ended[:2]}}, SOON_S, "it tidies up")
    assert rows(one, *ended, nobodys) == [False, False, True, True]
    assert rows(two, kept) == [True]
