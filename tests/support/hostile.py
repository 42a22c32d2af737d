"""A fleet in which whatever is text tries to steer the terminal: names, reasons, answers, lines.

``python -m tests.support.hostile`` shows every screen of it in the terminal it has, and ends by
printing DONE. With ``--by-hand`` it waits for keys instead, and at the end prints those that came.
A recording of unknown origin may hold all of this.
"""

import argparse
import asyncio
import inspect
import itertools
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.pilot import Pilot

from fleet_tui.console.shell.app import FleetApp
from fleet_tui.console.shell.places import Place
from fleet_tui.console.terminal import seatbelt
from fleet_tui.console.text.cells import Cell
from fleet_tui.console.widgets.paint import Painted
from fleet_tui.core.agents.vitals import ProbeResult
from fleet_tui.core.diff import Moments
from fleet_tui.core.ids import AgentName, Seq, TaskId
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused, Reply
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.core.plans import Impact
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.ulid import ULID_CHARS
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.feed.feed import Link
from tests.support import payloads
from tests.support.console import COLOURFUL, press, text_of, until
from tests.support.fake_feed import FakeFeed
from tests.support.scene import seeded_looks, seeded_state
from tests.support.scene_telemetry import seeded_lines

T = TypeVar("T")

PAYLOADS = payloads.ALL

_turns = itertools.count()


def poisoned_text(text: str) -> str:
    """A text with a payload in it, the same for the same text, so that names still match. A run's
    id stays one of its task's."""
    task, dot, number = text.rpartition(".")
    if len(task) == ULID_CHARS and number.isdecimal():
        return poisoned_text(task) + dot + number
    at = zlib.crc32(text.encode(errors="surrogatepass")) if text else next(_turns)
    return text + PAYLOADS[at % len(PAYLOADS)]


def poisoned(value: T) -> T:
    """A value in which every text that is not a word of ours (an enum) carries a payload."""
    made: object = value
    if isinstance(value, str):
        made = poisoned_text(value) if type(value) is str else value
    elif isinstance(value, Untrusted):
        made = Untrusted(PAYLOADS[next(_turns) % len(PAYLOADS)] + value.raw)
    elif isinstance(value, msgspec.Struct):
        fields = {name: poisoned(getattr(value, name)) for name in value.__struct_fields__}
        made = msgspec.structs.replace(value, **fields)
    elif isinstance(value, Mapping):
        made = {poisoned(key): poisoned(each) for key, each in value.items()}
    elif isinstance(value, tuple):
        each = [poisoned(item) for item in value]
        made = type(value)._make(each) if hasattr(value, "_make") else tuple(each)
    elif isinstance(value, frozenset):
        made = frozenset(poisoned(item) for item in value)
    return made  # type: ignore[return-value]  # of the type it was made from


_ids = itertools.count()


def strange(line: LogLine | LogGap) -> LogLine | LogGap:
    """Every second line is about a task that nobody knows, whose id ends in something short that
    acts: where ids are cut to their ends, that is what is left."""
    number = next(_ids)
    if isinstance(line, LogGap) or number % 2:
        return line
    return msgspec.structs.replace(line, task=TaskId(f"TASK{SHORT[number // 2 % len(SHORT)]}"))


SHORT = ("\x1b[31m", "\x1bc", "\x9b2J", "\u202etxt", "\x1b]0;x\x07", "[/red]", "\u3164")

reached: list[str] = []
"""What came to the seatbelt: every one of them went around the firewall."""


def watch_the_belt() -> None:
    """Note what the second lines of defence have to stop: painted cells, and the driver."""
    paint = Painted.segments

    def painted(widget: Painted, cells: Iterable[Cell], over: Style | None = None) -> list[Segment]:
        found = tuple(cells)
        reached.extend(c.text for c in found if safe_line(c.text, len(c.text) + 16) != c.text)
        return paint(widget, found, over)

    Painted.segments = painted  # type: ignore[method-assign, assignment]  # to watch it
    shown = seatbelt._shown

    def noted(found: re.Match[str]) -> str:
        reached.append(found.string[max(0, found.start() - 40) : found.end() + 20])
        return shown(found)

    seatbelt._shown = noted


class HostileFeed(FakeFeed):
    """The scene of the tests, poisoned; every command is refused with more of the same."""

    def __init__(self) -> None:
        super().__init__(
            state=poisoned(seeded_state()),
            probes=poisoned(seeded_looks()),
            lines=[*map(strange, [poisoned(line) for line in seeded_lines()])],
        )

    async def series(self, agent: AgentName, limit: int) -> Sequence[ProbeResult]:
        return [poisoned(probe) for probe in await super().series(agent, limit)]

    async def history(self, limit: int, until: Seq | None = None) -> Sequence[Recorded]:
        return [poisoned(r) for r in await super().history(limit, until)]

    async def moments(self, before_ms: int, after_ms: int) -> Moments:
        empty = FleetState()
        state = self.view().state
        return Moments(before=empty, after=state, before_ms=before_ms, after_ms=after_ms)

    async def task_events(self, task: TaskId) -> Sequence[Recorded]:
        del task
        return await self.history(100)

    async def send(self, command: Command, shown: Impact | None = None) -> Reply:
        self.sent.append(command)
        return poisoned(Refused(code=RefusalCode.NOT_WAITING, text="no", hint="no"))


def places(feed: HostileFeed) -> list[Place]:
    """Every screen, those with a subject for what is worst."""
    state = feed.view().state
    agent = sorted(state.agents.values(), key=lambda a: not a.detail)[0].name
    tasks = [*state.open_tasks.values()][:2]
    tasks += [t for t in state.open_tasks.values() if t.phase.value == "needs-operator"]
    tasks += [*state.ended_tasks()][-3:]
    roots = [Place(v) for v in ("overview", "agents", "tasks", "logs", "routes", "alerts")]
    return [
        *roots,
        Place("sessions"),
        Place("agent", agent),
        Place("definition", agent),
        *(Place(view, task.id) for task in tasks for view in ("task", "why")),
        Place("logs", agent),
        Place("diff", "0..9"),
        Place("submit"),
        Place("review"),
        Place("messages"),
        Place("help", "keys"),
    ]


async def walk(pilot: Pilot[int], app: FleetApp, feed: HostileFeed) -> None:
    """Open everything, also the cards and menus in which names stand; then leave."""
    for place in places(feed):
        app.go(place)
        await until(pilot, lambda: app.visible_screen is not None)
        await press(pilot, "j", "w", "z", "z", "G", "escape")
    app.go(Place("overview"))
    for keys in (
        ("C", "y", "escape"),
        ("s", "escape"),
        ("a", "escape"),
        ("ctrl+p", "escape"),
        ("3", "j", "K", "escape", "escape"),
        ("V", "escape", "escape"),
        ("3", "H", "n", "I", "0", "y", "escape"),
        ("u", "j", "Y", "escape", "W", "escape", "enter", "j", "Y", "escape", "M", "escape"),
        ("7", "A", "y", "escape"),
        ("5", "enter", "escape"),
        ("2", "asterisk", "C", "escape", "escape", "slash", *"pool:nowhere", "enter", "escape"),
        ("colon", *"agent nobody", "enter", "escape"),
    ):
        await press(pilot, *keys)
    feed.push(link=Link.RECONNECTING, link_detail=payloads.ESCAPES[0] + payloads.MARKUP[0])
    await until(pilot, lambda: "as of" in text_of(app))
    alerts = feed.view().state.alerts
    feed.change_state(alerts={})
    await until(pilot, lambda: not app.view.state.alerts)
    feed.change_state(alerts=alerts)
    # Looked for where it has no line breaks: a toast is narrow.
    await until(pilot, lambda: any("7: alerts" in n.message for n in app._notifications))
    app.leave()


class ByHand(FleetApp):
    """Remembers what came from the terminal."""

    CSS_PATH = str(Path(inspect.getfile(FleetApp)).with_name("fleet.tcss"))

    def __init__(self, feed: HostileFeed) -> None:
        super().__init__(feed, env=COLOURFUL)
        self.came: list[str] = []

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key) and not event.is_forwarded:
            self.came.append(event.key)
        elif isinstance(event, events.Paste | events.MouseEvent) and not event.is_forwarded:
            self.came.append(type(event).__name__)
        await super().on_event(event)


def main() -> None:
    """Walk through all screens in a terminal, or have somebody do it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--by-hand", action="store_true")
    feed = HostileFeed()
    if parser.parse_args().by_hand:
        by_hand = ByHand(feed)
        by_hand.run()
        print("CAME", *by_hand.came, "SENT", len(feed.sent), "CODE", by_hand.return_code, "DONE")
        return
    app = FleetApp(feed, env=COLOURFUL)

    async def walked(pilot: Pilot[object]) -> None:
        await walk(pilot, app, feed)  # type: ignore[arg-type]  # of this very app

    watch_the_belt()
    asyncio.run(app.run_async(auto_pilot=walked))
    print("REACHED", len(reached), [ascii(each) for each in reached[:5]])
    print("CODE", app.return_code, "DONE")


if __name__ == "__main__":
    main()
