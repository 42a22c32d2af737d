"""A fleet so large that every screen has room for every payload, and the count of what they show.

``python -m tests.support.hostile_crowd`` opens every screen in a terminal of COLUMNS and ROWS, and
ends by printing which payloads which screen did not show.
"""

import asyncio
import json
import re
from collections.abc import Sequence

import msgspec
from textual.pilot import Pilot

from fleet_tui.console.shell.app import FleetApp
from fleet_tui.console.shell.places import Place
from fleet_tui.core.agents.events import HealthChanged
from fleet_tui.core.agents.model import Health
from fleet_tui.core.alerting.model import Alert, Severity
from fleet_tui.core.ids import AgentName, AlertId, Capability, Epoch, RunId, Seq
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.logs import Level, LogLine
from fleet_tui.core.routing.decision import Rejection, Rule
from fleet_tui.core.tasks.model import Task, TaskPhase
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.feed.feed import Session
from tests.support import payloads
from tests.support.console import COLOURFUL, text_of
from tests.support.fake_feed import FakeFeed
from tests.support.fake_review import FakeSessions
from tests.support.scene import NOW_MS, agent_name, seeded_state, task_id

COLUMNS, ROWS = 240, 200

_LETTERS = "abcdefghij"

TEXTS = tuple(
    f"{payload}#{_LETTERS[at // 10]}{_LETTERS[at % 10]}." for at, payload in enumerate(payloads.ALL)
)
"""Every payload with a mark behind it, in letters: numbers do not count where failures are
grouped. Without a mark one could be taken for a part of another."""

SUBJECT = agent_name(1)
"""The agent whose own pages hold every payload."""

DEAD = 60_000
"""The number of the first dead letter, whose own pages hold every payload."""

MAX_TURNS = 100
"""Turns of the loop that a screen may take to show everything."""

LAST_LINES = 50
"""As many of its log lines does an agent's page show; the rest stands in its story."""

SCREENS = (
    Place("overview"),
    Place("agents"),
    Place("tasks"),
    Place("logs"),
    Place("routes"),
    Place("alerts"),
    Place("sessions"),
    Place("dead"),
    Place("agent", SUBJECT),
    Place("logs", SUBJECT),
    Place("definition", SUBJECT),
    Place("task", task_id(DEAD)),
    Place("why", task_id(DEAD)),
    Place("messages"),
)
"""Where texts from outside stand, and each payload must. Left out are those with nothing but names
of the fleet file, and the form that edits a task: its field shows text as it is to be changed."""


def _dead_letters(state: FleetState) -> dict[str, Task]:
    """A failed task for each text; the first has all of them in its texts and its routing."""
    model = next(task for task in state.open_tasks.values() if task.attempts)
    rejections = tuple(
        Rejection(rule=Rule.CAPABILITY, wanted=text, count=1, left=1, example=text)
        for text in TEXTS
    )
    made: dict[str, Task] = {}
    for at, text in enumerate(TEXTS):
        name = task_id(DEAD + at)
        decision = model.attempts[0].decision
        if at == 0:
            decision = msgspec.structs.replace(decision, rejections=rejections)
        attempt = msgspec.structs.replace(
            model.attempts[0], run_id=RunId(f"{name}.1"), decision=decision, reason=text
        )
        payload = "\n".join(TEXTS) if at == 0 else text
        made[name] = msgspec.structs.replace(
            model,
            id=name,
            number=DEAD + at,
            spec=msgspec.structs.replace(model.spec, payload=Untrusted(payload)),
            phase=TaskPhase.FAILED,
            attempts=(attempt,),
            ended_at_ms=NOW_MS - at,
            reason=text,
        )
    return made


def crowd() -> FleetState:
    """The scene with a hundred hostile agents, tasks, alerts and decisions."""
    state = seeded_state()
    spec, agent = state.fleet.agents[SUBJECT], state.agents[SUBJECT]
    names = [AgentName(f"crowd-{at:02d}") for at in range(len(TEXTS))]
    capabilities = frozenset(map(Capability, TEXTS))
    specs = {name: msgspec.structs.replace(spec, name=name) for name in names}
    specs[SUBJECT] = msgspec.structs.replace(spec, capabilities=capabilities)
    agents = {
        name: msgspec.structs.replace(agent, name=name, health=Health.DEGRADED, reason=text)
        for name, text in zip(names, TEXTS, strict=True)
    }
    record = next(each for each in state.decisions if each.decision.chosen is not None)
    return msgspec.structs.replace(
        state,
        fleet=msgspec.structs.replace(state.fleet, agents=specs),
        agents={SUBJECT: agent, **agents},
        open_tasks={},
        closed_tasks={},
        dead_letters=_dead_letters(state),
        decisions=tuple(
            msgspec.structs.replace(
                record,
                seq=Seq(at + 1),
                decision=msgspec.structs.replace(record.decision, note=text),
            )
            for at, text in enumerate(TEXTS)
        ),
        alerts={
            AlertId(f"crowd:{at}"): Alert(
                id=AlertId(f"crowd:{at}"), severity=Severity.WARN, subject=SUBJECT, text=text
            )
            for at, text in enumerate(TEXTS)
        },
    )


class CrowdFeed(FakeFeed):
    """The crowd; one agent says everything."""

    def __init__(self) -> None:
        lines = [
            LogLine(
                received_at_ms=NOW_MS - len(TEXTS) + at,
                source=SUBJECT,
                level=Level.INFO,
                text=Untrusted(text),
            )
            for at, text in enumerate(TEXTS)
        ]
        super().__init__(state=crowd(), probes={}, lines=lines)

    async def history(self, limit: int, until: Seq | None = None) -> Sequence[Recorded]:
        """What the page of the agent has no log lines for."""
        story = [
            HealthChanged(agent=SUBJECT, health=Health.SUSPECT, was=Health.UP, reason=text)
            for text in TEXTS[: len(TEXTS) - LAST_LINES]
        ]
        recorded = [
            Recorded(Seq(9_000 + at), NOW_MS - 60_000 + at, Epoch(3), event)
            for at, event in enumerate(story)
        ]
        return [each for each in recorded if until is None or each.seq <= until][-limit:]


class CrowdSessions(FakeSessions):
    """A recording for each text, in a file of that name."""

    async def sessions(self) -> Sequence[Session]:
        return [
            Session(
                name=str(at), path=text, started_at_ms=NOW_MS - at, ended_at_ms=NOW_MS,
                events=1, tasks=1,
            )
            for at, text in enumerate(TEXTS)
        ]  # fmt: skip


def _squeezed(text: str) -> str:
    """Without what a line break or a frame puts between two characters."""
    return re.sub(r"[\s│]+", "", text)


def _written(text: str, place: Place) -> str:
    """How a screen has a text: a definition is in the style of the fleet file, quoted."""
    return json.dumps(text, ensure_ascii=False)[1:-1] if place.view == "definition" else text


def unseen(app: FleetApp, place: Place) -> list[str]:
    """The texts that the screen in view does not show."""
    shown = _squeezed(text_of(app))
    return [text for text in TEXTS if _squeezed(safe_line(_written(text, place))) not in shown]


async def visit(pilot: Pilot[int], app: FleetApp) -> dict[Place, list[str]]:
    """Open every screen; by each, what it did not show."""
    for text in TEXTS:
        app.tell(text)
    missed: dict[Place, list[str]] = {}
    for place in SCREENS:
        app.go(place)
        for _ in range(MAX_TURNS):
            await pilot.pause()
            missed[place] = unseen(app, place)
            if not missed[place]:
                break
            await pilot.pause(0.01)
    app.leave()
    return missed


def main() -> None:
    """Visit all screens in a terminal."""
    app = FleetApp(CrowdFeed(), sessions=CrowdSessions(), env=COLOURFUL)
    missed: dict[Place, list[str]] = {}

    async def visited(pilot: Pilot[object]) -> None:
        missed.update(await visit(pilot, app))  # type: ignore[arg-type]  # of this very app

    asyncio.run(app.run_async(auto_pilot=visited))
    for place, texts in missed.items():
        if texts:
            print("MISSED", place.view, place.subject, *map(safe_line, texts))
    pairs = len(SCREENS) * len(TEXTS)
    print("PAIRS", pairs - sum(map(len, missed.values())), "OF", pairs)
    print("CODE", app.return_code, "DONE")


if __name__ == "__main__":
    main()
