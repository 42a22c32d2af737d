"""How long the console stands still for any one thing it is given: the longest turn of its loop.

Everything runs in the loop of a console over a feed in memory at 120x40. What is counted is the
loop's own CPU between two of its turns, so that other programs of the machine do not show.
"""

import asyncio
import functools
import gc
import selectors
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import NamedTuple

import msgspec
from textual import events
from textual.pilot import Pilot

from fleet_tui.console.shell.app import FleetApp
from fleet_tui.console.shell.places import Place
from fleet_tui.console.terminal.garbage import Tidying
from fleet_tui.core.agents.vitals import ProbeResult, VitalsReading
from fleet_tui.core.ids import AgentName, HostName, TaskId
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.logs import Level, LogLine
from fleet_tui.core.tasks.model import Task, TaskPhase
from fleet_tui.core.text.untrusted import Untrusted
from tests.bench.frame import Row, at_most
from tests.support.console import at_rest, console, press, running, until
from tests.support.fake_feed import FakeFeed
from tests.support.scene import NOW_MS, agent_name, seeded_looks, seeded_state, task_id

LIMIT_MS = 100.0
"""What a person takes for at once."""

LONG_LINE_BYTES = 10_000_000
BURST_LINES = 100_000
REGEX_LINES = 10_000
PASTE_CHARS = 1_000_000
AGENTS = 2_000
WAITING = 100_000
DEAD = 10_000

FIRST_NUMBER = 100_000
"""Of the tasks that are made here; those of the scene have smaller ones."""

RUNAWAY = "/(a+)+$/"
QUADRATIC = "/a.*b.*c/"

Act = Callable[[Pilot[int], FleetApp, FakeFeed], Awaitable[object]]


class TurnClock(selectors.DefaultSelector):
    """What a loop waits with; it keeps the CPU of the longest turn between two waits."""

    def __init__(self) -> None:
        super().__init__()
        self.longest_ms = 0.0
        self._turn_began_s: float | None = None

    def start_again(self) -> None:
        """Forget the turns until now."""
        self.longest_ms = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait, as any loop does between two turns."""
        if self._turn_began_s is not None:
            took_ms = 1_000 * (time.thread_time() - self._turn_began_s)
            self.longest_ms = max(self.longest_ms, took_ms)
        ready = super().select(timeout)
        self._turn_began_s = time.thread_time()
        return ready


class Case(NamedTuple):
    """Something the console is given, and what an operator then does."""

    name: str
    make: Callable[[], FakeFeed]
    act: Act


def freeze() -> Iterator[Row]:
    """The longest stall of each case, beside the limit."""
    for case in CASES:
        yield Row(
            name=f"longest stall: {case.name}",
            figure=longest_stall_ms(case),
            unit="ms",
            peer_name="the limit",
            peer=LIMIT_MS,
            target=at_most(LIMIT_MS),
        )


def longest_stall_ms(case: Case) -> float:
    """Start a console, then count while the case acts."""
    clock = TurnClock()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(clock)) as runner:
        runner.run(_act(case, clock))
    return clock.longest_ms


async def _act(case: Case, clock: TurnClock) -> None:
    feed = case.make()
    app = console(feed)
    async with running(app) as pilot:
        thresholds = gc.get_threshold()
        Tidying().begin()  # as the console does in a terminal once it has a fleet
        try:
            clock.start_again()
            await case.act(pilot, app, feed)
            await until(pilot, lambda: at_rest(app), case.name)
            longest_ms = clock.longest_ms
        finally:
            gc.set_threshold(*thresholds)
            gc.unfreeze()
    clock.longest_ms = longest_ms


# --- what is given ---


def line(number: int, text: str) -> LogLine:
    return LogLine(
        received_at_ms=NOW_MS + number,
        source=agent_name(1 + number % 20),
        level=Level.INFO,
        text=Untrusted(text),
    )


def long_line(kind: str) -> Act:
    async def act(pilot: Pilot[int], app: FleetApp, feed: FakeFeed) -> None:
        await open_screen(pilot, app, Place("logs"))
        feed.say(line(0, kind * (LONG_LINE_BYTES // len(kind))))
        await until(pilot, lambda: at_rest(app))
        await press(pilot, "w", "k", "j", "c")

    return act


@functools.cache
def burst_lines() -> tuple[LogLine, ...]:
    return tuple(line(n, f"tool call browser.open ok {n} {'x' * 60}") for n in range(BURST_LINES))


def before_the_burst() -> FakeFeed:
    burst_lines()
    return FakeFeed()


async def burst(pilot: Pilot[int], app: FleetApp, feed: FakeFeed) -> None:
    await open_screen(pilot, app, Place("logs"))
    feed.say(*burst_lines())


def filtered(pattern: str) -> Act:
    async def act(pilot: Pilot[int], app: FleetApp, feed: FakeFeed) -> None:
        await open_screen(pilot, app, Place("logs"))
        await press(pilot, "slash", *pattern, "enter", "escape")

    return act


def paste(where: Place | None, *keys: str) -> Act:
    async def act(pilot: Pilot[int], app: FleetApp, feed: FakeFeed) -> None:
        del feed
        if where is not None:
            await open_screen(pilot, app, where)
        await press(pilot, *keys)
        app.post_message(events.Paste(f"{'paste ' * 9}\n" * (PASTE_CHARS // 55)))
        await pilot.pause()
        await press(pilot, "x")

    return act


def look_around(*places: Place) -> Act:
    """Open each, go to its end, narrow it down, sort it; time passes and a task changes."""

    async def act(pilot: Pilot[int], app: FleetApp, feed: FakeFeed) -> None:
        for place in places:
            await open_screen(pilot, app, place)
            await press(pilot, "G", "g", "slash", *"prio:P1", "enter", "escape", "exclamation_mark")
            await press(pilot, "exclamation_mark", "greater_than_sign", "asterisk", "escape")
            feed.tick()
            await until(pilot, lambda: at_rest(app))
            feed.change_state(open_tasks=dict(feed.view().state.open_tasks))
            await until(pilot, lambda: at_rest(app))

    return act


async def open_screen(pilot: Pilot[int], app: FleetApp, place: Place) -> None:
    app.go(place)
    await until(pilot, lambda: at_rest(app), str(place))


def many_lines() -> FakeFeed:
    lines = [line(n, f"{'a' * 200} b {n}!") for n in range(REGEX_LINES)]
    return FakeFeed(lines=lines)


def many_agents() -> FakeFeed:
    state, probes = seeded_state(), dict[AgentName, ProbeResult](seeded_looks())
    agents, specs, hosts = dict(state.agents), dict(state.fleet.agents), dict(state.fleet.hosts)
    reading = next(look for look in probes.values() if isinstance(look, VitalsReading))
    for number in range(AGENTS):
        like = agent_name(1 + number % 20)
        name, host = AgentName(f"more-{number:04d}"), HostName(f"more-{number:04d}")
        specs[name] = msgspec.structs.replace(specs[like], name=name, host=host)
        hosts[host] = msgspec.structs.replace(next(iter(hosts.values())), name=host)
        agents[name] = msgspec.structs.replace(agents[like], name=name)
        probes[name] = msgspec.structs.replace(reading, observed_at_ms=NOW_MS - number)
    fleet = msgspec.structs.replace(state.fleet, agents=specs, hosts=hosts)
    return FakeFeed(state=msgspec.structs.replace(state, agents=agents, fleet=fleet), probes=probes)


def copies(like: Task, count: int) -> dict[TaskId, Task]:
    made = {}
    for number in range(FIRST_NUMBER, FIRST_NUMBER + count):
        made[task_id(number)] = msgspec.structs.replace(
            like, id=task_id(number), number=number, submitted_at_ms=like.submitted_at_ms - number
        )
    return made


def many_waiting() -> FakeFeed:
    state = seeded_state()
    waiting = next(state.waiting())
    return FakeFeed(state=with_tasks(state, open_tasks=copies(waiting, WAITING)))


def many_dead() -> FakeFeed:
    state = seeded_state()
    failed = next(t for t in state.ended_tasks() if t.phase is TaskPhase.FAILED)
    letters = copies(failed, DEAD)
    for number, (name, task) in enumerate(letters.items()):
        letters[name] = msgspec.structs.replace(
            task, reason=f"model-error {'abcdefgh'[number % 8]}"
        )
    return FakeFeed(state=with_tasks(state, dead_letters=letters))


def with_tasks(state: FleetState, **more: dict[TaskId, Task]) -> FleetState:
    return msgspec.structs.replace(
        state, **{shelf: {**getattr(state, shelf), **tasks} for shelf, tasks in more.items()}
    )


EVERYWHERE = (Place("overview"), Place("agents"), Place("tasks"), Place("dead"))

CASES = (
    Case("a log line of 10 MB", FakeFeed, long_line("x")),
    Case("a log line of 10 MB that steers", FakeFeed, long_line("\x1b]52;c;eA==\x07\u202e")),
    Case("100,000 log lines at once", before_the_burst, burst),
    Case("a runaway pattern over 10,000 lines", many_lines, filtered(RUNAWAY)),
    Case("a slow pattern over 10,000 lines", many_lines, filtered(QUADRATIC)),
    Case("1 MB pasted into the command line", FakeFeed, paste(None, "colon")),
    Case("1 MB pasted into a task", FakeFeed, paste(Place("submit"))),
    Case("2,000 agents", many_agents, look_around(*EVERYWHERE)),
    Case("10,000 dead letters", many_dead, look_around(*EVERYWHERE)),
    Case("100,000 waiting tasks", many_waiting, look_around(*EVERYWHERE)),
    Case("the quiet scene, to compare", FakeFeed, look_around(*EVERYWHERE)),
)
