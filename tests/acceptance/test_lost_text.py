"""A real gateway that is killed after it has noted that a turn runs, and before it has kept the
text of that turn: after its restart it goes on with a prompt of its own alone."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from fleet_tui.core.agents.model import Health
from fleet_tui.core.tasks.model import Task, TaskPhase
from tests.acceptance.gateways import Books, fleet_of
from tests.acceptance.rig import MakeRig, Rig
from tests.acceptance.test_openclaw_fleet import COST_MICROUSD
from tests.support.openclaw_lab import Gateway, OpenClawLab

pytestmark = [
    pytest.mark.openclaw,
    pytest.mark.sshd,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("openclaw"),
]

UP_WITHIN_S = 120.0
END_WITHIN_S = 180.0
TRAPPED_WITHIN_S = 60.0

TURNS = """
    SELECT n.session_key, (
        SELECT count(*) FROM transcript_event_identities t
        WHERE t.session_id = n.current_session_id AND t.message_idempotency_key LIKE '%:user'
    )
    FROM session_nodes n WHERE n.session_key LIKE '%:fleet:%' AND n.status = 'running'
"""
"""The sessions with a turn, and how many texts of users are kept in each."""


def kill_between(gateway: Gateway, sessions: Path) -> bool:
    """Kill the gateway as soon as a turn runs whose text it has not kept. False when it was kept
    before anybody could look."""
    deadline = time.monotonic() + TRAPPED_WITHIN_S
    uri = f"file:{sessions}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as database:
        while time.monotonic() < deadline:
            turns = database.execute(TURNS).fetchall()
            if any(texts == 0 for _, texts in turns):
                gateway.kill()
                return True
            if turns:
                return False
    raise AssertionError("no turn began")


async def trapped(rig: Rig, gateway: Gateway, text: str) -> Task:
    """A ``once`` task whose turn was begun without its text, as it ended."""
    sessions = gateway.directory / "agents" / "main" / "agent" / "openclaw-agent.sqlite"
    for attempt in range(5):
        await rig.until(
            lambda: rig.agent(gateway.name).health is Health.UP, UP_WITHIN_S, "it is up"
        )
        trap = asyncio.create_task(asyncio.to_thread(kill_between, gateway, sessions))
        await asyncio.to_thread(rig.submit, f"{text}, try {attempt}", "--class", "once")
        is_trapped = await trap
        if is_trapped:
            gateway.start()
        await rig.until(
            lambda: rig.tasks()[-1].phase not in (TaskPhase.WAITING, TaskPhase.ACTIVE),
            END_WITHIN_S,
            "the task ends",
        )
        if is_trapped:
            return rig.tasks()[-1]
    raise AssertionError("the text was always kept in time")


async def test_an_answer_to_a_turn_without_its_text_is_no_success(
    openclaw_lab: OpenClawLab, make_rig: MakeRig, short_dir: Path
) -> None:
    gateway = openclaw_lab.gateways[0]
    rig = fleet_of(make_rig, openclaw_lab, [gateway], short_dir, every="1s")
    books = Books(openclaw_lab.model)
    rig.start()
    await rig.until(lambda: rig.agent(gateway.name).health is Health.UP, UP_WITHIN_S, "it is up")
    await asyncio.to_thread(rig.submit, "the first turn of a process is slower")
    await rig.until(lambda: rig.tasks()[0].phase is TaskPhase.SUCCEEDED, END_WITHIN_S, "it ends")

    once = await trapped(rig, gateway, "[[sleep 1]] at most once")
    assert once.phase is TaskPhase.FAILED, rig.summary()
    assert [attempt.reason for attempt in once.attempts] == ["text-lost"]
    assert once.attempts[0].detail.raw.startswith("echo: [System]"), "what was answered instead"
    assert once.cost_microusd == COST_MICROUSD
    assert not any(once.spec.payload.raw in asked for asked in books.asked())
