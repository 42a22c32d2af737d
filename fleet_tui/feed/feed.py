"""Everything that the console knows about the fleet."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from fleet_tui.core.agents.vitals import FleetSample, ProbeResult
from fleet_tui.core.diff import Moments
from fleet_tui.core.ids import AgentName, Seq, TaskId
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.ledger.replies import Reply
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.logs import LogGap, LogLine, LogQuery
from fleet_tui.core.modes import NORMAL, ModeNow
from fleet_tui.core.plans import Impact
from fleet_tui.core.tasks.retell import Retelling
from fleet_tui.feed.marks import Mark

MAX_LINES_PER_PAGE = 5_000


class Mode(StrEnum):
    """The mode word of the header. It is never shown by colour alone."""

    LIVE = "LIVE"
    DEMO = "DEMO"
    READ_ONLY = "READ-ONLY"
    REVIEW = "REVIEW"


class Link(StrEnum):
    """Whether the data shown can be current."""

    ATTACHED = "attached"
    RECONNECTING = "reconnecting"
    """The engine does not answer; the ledger is still read."""
    NONE = "none"
    """There is never an engine: a recording."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """One consistent snapshot of the fleet. Values are shared, never changed."""

    state: FleetState
    probes: Mapping[AgentName, ProbeResult]
    """The newest probe of each agent."""
    samples: Sequence[FleetSample]
    """Samples of the fleet, oldest first: a day back, as :mod:`fleet_tui.feed.pulse` keeps them."""
    now_ms: int
    """The engine's clock live, the cursor's in review."""
    mode: Mode
    link: Link = Link.ATTACHED
    link_detail: str = ""
    """Why it is reconnecting, in our own words."""
    engine: ModeNow = NORMAL
    """How much the engine can do."""


class Feed(Protocol):
    """The common interface of live, attached and recorded feeds. All methods run on the UI loop."""

    @property
    def can_act(self) -> bool:
        """Whether ``send`` can ever be accepted; False hides the acting keys."""
        ...

    async def open(self) -> None:
        """Connect and read the existing data. Raises fleet_tui.base.errors.FleetError when it
        cannot."""
        ...

    def view(self) -> View:
        """The newest view; cheap, the same object until something changed."""
        ...

    def take_lines(self) -> Sequence[LogLine | LogGap]:
        """Log lines received since the last call, oldest first (bounded; a LogGap marks lost
        lines)."""
        ...

    async def changed(self) -> None:
        """Return when ``view`` or ``take_lines`` has something new."""
        ...

    async def logs(self, query: LogQuery) -> Sequence[LogLine]:
        """Stored lines, oldest first, never later than the view's moment."""
        ...

    async def series(self, agent: AgentName, limit: int) -> Sequence[ProbeResult]:
        """The newest probes of an agent up to the view's moment, oldest first."""
        ...

    async def history(self, limit: int, until: Seq | None = None) -> Sequence[Recorded]:
        """The newest events up to a position, by default up to the view's moment and never later,
        oldest first."""
        ...

    async def retell(self, text: str) -> Retelling | None:
        """The task meant by ``t-42``, ``42`` or its id, from the ledger up to the view's moment,
        even when the state has forgotten it. None when the ledger has none."""
        ...

    async def task_events(self, task: TaskId) -> Sequence[Recorded]:
        """The story of a task, oldest first, also when the state has forgotten it."""
        ...

    async def moments(self, before_ms: int, after_ms: int) -> Moments:
        """The fleet at two instants, for comparing them: the earlier one first, each the nearest
        that the ledger has, and never later than the view's moment."""
        ...

    async def send(self, command: Command, shown: Impact | None = None) -> Reply:
        """Send a command to the engine; ``shown`` is the impact that its author was shown, and no
        more than that is done. Recorded feeds always refuse."""
        ...

    async def close(self) -> None:
        """Release everything; ends a pending ``changed``."""
        ...


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the ledger between an engine's start and its end, or a recording file."""

    name: str
    path: str
    started_at_ms: int
    ended_at_ms: int | None
    events: int
    tasks: int


class Timeline(Protocol):
    """What a recorded feed can do in addition: move through time."""

    @property
    def start_ms(self) -> int:
        """When the recording begins."""
        ...

    @property
    def end_ms(self) -> int:
        """When it ends."""
        ...

    @property
    def playing(self) -> bool:
        """Whether it is playing."""
        ...

    @property
    def speed(self) -> float:
        """Recorded seconds per second."""
        ...

    def play(self) -> None:
        """Play from here."""
        ...

    def pause(self) -> None:
        """Pause playing."""
        ...

    def set_speed(self, speed: float) -> None:
        """Set recorded seconds per second, 0.25 to 256."""
        ...

    async def seek(self, at_ms: int) -> None:
        """Go to an instant; the nearest one inside the recording."""
        ...

    async def step(self, events: int) -> None:
        """Go that many events forward, or back when negative, and pause."""
        ...

    async def next_mark(self, backward: bool = False) -> bool:
        """Go to the next notable event (health change, alert, failed task, note) and pause.

        Returns whether there was one.
        """
        ...

    def marks(self) -> Sequence[tuple[int, Mark]]:
        """(instant, mark) of notable events, for the timeline's bar; at most a few hundred."""
        ...

    def depth_curve(self, buckets: int) -> Sequence[int]:
        """The most tasks waiting in each of that many equal stretches of the recording."""
        ...
