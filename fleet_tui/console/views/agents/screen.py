"""One agent: identity, health and since when, its work, its last log lines."""

from collections import deque
from collections.abc import Callable, Sequence

from fleet_tui.console.actions.selection import Scope, Selection
from fleet_tui.console.shell.places import Place
from fleet_tui.console.text.cells import Tone
from fleet_tui.console.text.document import Pen, Section, name, paragraph
from fleet_tui.console.views.agents.detail import (
    MAX_HEALTH_CHANGES,
    MAX_LAST_LINES,
    MAX_PROBES,
    agent_sections,
    health_changes,
)
from fleet_tui.console.views.detail_pane import DetailScreen
from fleet_tui.core.agents.model import AgentState
from fleet_tui.core.agents.vitals import ProbeResult
from fleet_tui.core.ids import AgentName, Seq
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.logs import LogGap, LogLine, LogQuery
from fleet_tui.feed.feed import View

HISTORY_PAGE = 5_000
HISTORY_PAGES = 4
"""The timeline reads at most this many pages of the ledger."""

LEAP_MS = 60_000
"""A screen that was not updated for longer has missed probes: a recording jumped, or the machine
slept."""

ENOUGH_CHANGES = 8
"""With this many changes found it stops reading."""


class AgentScreen(DetailScreen):
    """``Place("agent", name)``."""

    subject_scopes = frozenset({Scope.AGENTS})
    help_text = (
        "Health and since when, the connection to its host, the newest probe and the probes "
        "before it,\nits work and what became of it, its health in the ledger, its last log "
        "lines.\n{open} opens the task of the marked line; {logs.of} shows all its logs, "
        "{definition} its definition."
    )

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._agent: AgentState | None = None
        self._probes: deque[ProbeResult] = deque(maxlen=MAX_PROBES)
        self._noted_ms: int | None = None
        """The moment that was shown last."""
        self._changes: Sequence[Recorded] | None = None
        self._lines: deque[LogLine] | None = None

    def crumb(self) -> str:
        """Its name."""
        return name(self.place.subject)

    def on_mount(self) -> None:
        """Read its newest lines and probes from the store."""
        self.run_worker(self._read_lines(), group="lines", exclusive=True)
        self.run_worker(self._read_probes(), group="probes", exclusive=True)

    def show(self, previous: View | None, view: View) -> None:
        """Show the agent as it is now; its timeline is read again when its health changed."""
        agent_name = AgentName(self.place.subject)
        agent = view.state.agents.get(agent_name)
        if agent is None:
            self.show_document(_missing(agent_name, view, self.console.keyed), Selection())
            return
        self._note(view.probes.get(agent_name), view.now_ms)
        if self._agent is None or _health_of(agent) != _health_of(self._agent):
            self.run_worker(self._read_changes(view.state.seq), group="changes", exclusive=True)
        self._agent = agent
        console = self.console
        pen = Pen(console.glyphs, console.utc_offset_minutes, keyed=console.keyed)
        lines = None if self._lines is None else tuple(self._lines)
        probes = tuple(self._probes)
        sections = agent_sections(agent, view.state, probes, self._changes, lines, pen, view.now_ms)
        self.show_document(sections, Selection(agents=(agent_name,)))

    def _note(self, newest: ProbeResult | None, now_ms: int) -> None:
        """Add the newest probe. Where time went back or jumped, the probes are read again."""
        last = self._probes[-1] if self._probes else None
        since_ms = now_ms - (now_ms if self._noted_ms is None else self._noted_ms)
        is_older = newest is not None and last is not None and _at(newest) < _at(last)
        self._noted_ms = now_ms
        if is_older or not 0 <= since_ms <= LEAP_MS:
            self._probes.clear()
            self.run_worker(self._read_probes(), group="probes", exclusive=True)
        if newest is not None and newest != last:
            self._probes.append(newest)

    def show_lines(self, lines: Sequence[LogLine | LogGap]) -> None:
        """Its own lines are added at once."""
        if self._lines is None:
            return
        known = max((line.line_id for line in self._lines), default=0)
        fresh = [
            line
            for line in lines
            if isinstance(line, LogLine)
            and line.source == self.place.subject
            and (line.line_id == 0 or line.line_id > known)
        ]
        if fresh:
            self._lines.extend(fresh)
            self._again()

    def _again(self) -> None:
        if self.shown is not None:
            self.show(None, self.shown)

    async def _read_lines(self) -> None:
        query = LogQuery(source=AgentName(self.place.subject), limit=MAX_LAST_LINES)
        self._lines = deque(await self.console.feed.logs(query), maxlen=MAX_LAST_LINES)
        self._again()

    async def _read_probes(self) -> None:
        stored = await self.console.feed.series(AgentName(self.place.subject), MAX_PROBES)
        fresh = [p for p in self._probes if not stored or _at(p) > _at(stored[-1])]
        self._probes = deque((*stored, *fresh), maxlen=MAX_PROBES)
        self._again()

    async def _read_changes(self, newest: Seq) -> None:
        """Page back through the ledger until enough changes are found."""
        agent_name = AgentName(self.place.subject)
        found: list[Recorded] = []
        upto = newest
        for _ in range(HISTORY_PAGES):
            page = await self.console.feed.history(HISTORY_PAGE, upto)
            found = health_changes(page, agent_name) + found
            if len(found) >= ENOUGH_CHANGES or not page:
                break
            upto = Seq(page[0].seq - 1)
        self._changes = found[-MAX_HEALTH_CHANGES:]
        self._again()


def _at(probe: ProbeResult) -> int:
    return probe.observed_at_ms


def _health_of(agent: AgentState) -> tuple[object, ...]:
    """The values shown in the timeline: when one of them changes it has a new entry."""
    return (
        agent.health,
        agent.since_ms,
        agent.cordon,
        agent.version,
        agent.boot_id,
        agent.breaker,
    )


def _missing(agent: AgentName, view: View, keyed: Callable[[str], str]) -> list[Section]:
    known = len(view.state.agents)
    return [
        Section(
            "",
            (
                paragraph(f"No agent {name(agent)} among the fleet's {known}.", Tone.WARN),
                paragraph(keyed("{agents} lists them; {clear} goes back."), Tone.DIM),
            ),
        )
    ]
