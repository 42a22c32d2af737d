"""The ledger itself, event by event, up to the moment on screen."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from fleet_tui.console.actions.selection import Scope, Selection
from fleet_tui.console.shell.places import Place
from fleet_tui.console.shell.screen import FleetScreen
from fleet_tui.console.text.cells import Align, Cell, Tone, line_text
from fleet_tui.console.text.document import short
from fleet_tui.console.text.looks import level_tone
from fleet_tui.console.views.table import TablePane
from fleet_tui.console.widgets.fleet_table import Column, FleetTable
from fleet_tui.core.ids import AgentName, Seq, TaskId
from fleet_tui.core.ledger.events import Recorded, kind_of
from fleet_tui.core.ledger.narrate import narrate
from fleet_tui.core.ledger.sentence import Sentence
from fleet_tui.core.logs import Level
from fleet_tui.core.text import words
from fleet_tui.core.text.filters.nodes import Value
from fleet_tui.feed.feed import View

MAX_EVENTS = 500
"""The newest events before the moment on screen that are listed."""

Told = tuple[Recorded, Sentence | None]


class EventsPane(TablePane[Told]):
    """A line per event, newest first."""

    scopes: ClassVar[frozenset[Scope]] = TablePane.scopes | {Scope.TASKS, Scope.AGENTS}
    columns = (
        Column("at", "AT", 8, priority=200),
        Column("seq", "SEQ", 7, Align.RIGHT, priority=120),
        Column("kind", "KIND", 20, priority=150),
        Column("text", "WHAT HAPPENED", 20, flex=1, priority=190),
    )
    filter_keys: ClassVar[frozenset[str]] = frozenset({"kind", "agent", "task", "level", "seq"})
    noun = ("event", "events")
    empty_text = (
        "No events before this moment. "
        "In a recording {review.step} goes one event on, {pause} plays."
    )
    help_text = (
        "What the ledger holds, newest first, up to the moment on screen.\n"
        "In a recording: {review.back} and {review.step} step, "
        "{review.previous} and {review.next} go to notable events, "
        "{review.slower} and {review.faster} change the speed,\n"
        "{pause} plays, :goto 11:58 goes to a time. Filter: kind:task.* agent:agent-14 level>=warn"
    )

    def __init__(self) -> None:
        super().__init__()
        self._events: Sequence[Told] = ()
        self._read_at: Seq | None = None

    def show(self, previous: View | None, view: View) -> None:
        """Events are read when the position changed."""
        super().show(previous, view)
        if view.state.seq != self._read_at:
            self._read_at = view.state.seq
            self.run_worker(self._read(view), group="events", exclusive=True)

    async def _read(self, view: View) -> None:
        found = await self.console.feed.history(MAX_EVENTS, view.state.seq)
        self._events = [(r, narrate(r.event, view.state)) for r in reversed(found)]
        self.all_records = self._events
        self.refill()

    def records(self, view: View) -> Sequence[Told]:
        """The events read."""
        return self._events

    def row_id(self, record: Told) -> str:
        """Its place in the ledger."""
        return str(record[0].seq)

    def cells(self, record: Told) -> Mapping[str, Cell]:
        """One event in a line."""
        recorded, sentence = record
        said = ""
        tone = Tone.DIM
        if sentence is not None:
            more = f": {sentence.detail.raw}" if sentence.detail else ""
            said, tone = short(sentence.text + more), level_tone(sentence.level)
        return {
            "at": Cell(words.clock(recorded.at_ms, self.console.utc_offset_minutes), Tone.DIM),
            "seq": Cell(str(recorded.seq), Tone.DIM),
            "kind": Cell(short(kind_of(recorded.event))),
            "text": Cell(said, tone),
        }

    def value(self, record: Told, key: str) -> Value:
        """``kind agent task level seq``."""
        recorded, sentence = record
        match key:
            case "kind":
                return kind_of(recorded.event)
            case "seq":
                return float(recorded.seq)
            case "at":
                return float(recorded.at_ms)
            case "agent":
                return sentence.agent if sentence is not None else None
            case "level":
                return sentence.level.name if sentence is not None else None
            case "task" if sentence is not None and sentence.task is not None:
                task = self.view.state.task(sentence.task) if self.view is not None else None
                return task.label if task is not None else sentence.task
            case "text":
                return sentence.text if sentence is not None else None
            case _:  # a key of other lists, or of no meaning for this event
                return None

    def is_problem(self, record: Told) -> bool:
        """Warnings and errors."""
        return record[1] is not None and record[1].level >= Level.WARN

    def titles(self) -> Sequence[Cell]:
        """``Events - 500 up to 11:58:10``."""
        at = words.clock(self.view.now_ms if self.view else None, self.console.utc_offset_minutes)
        return (Cell("Events", Tone.TITLE), Cell(f" - {len(self.all_records)} up to {at}"))

    def selection(self) -> Selection:
        """The tasks and agents of the marked events."""
        chosen = [record[1] for record in self.selected_records() if record[1] is not None]
        tasks = tuple(dict.fromkeys(TaskId(s.task) for s in chosen if s.task is not None))
        agents = tuple(dict.fromkeys(AgentName(s.agent) for s in chosen if s.agent is not None))
        text = "\n".join(line_text(self.cells(r).values()) for r in self.selected_records())
        return Selection(tasks=tasks, agents=agents, text=text)

    @on(FleetTable.RowOpened)
    def _open(self, event: FleetTable.RowOpened) -> None:
        """Open its task or agent."""
        event.stop()
        chosen = self.selection()
        if chosen.tasks:
            self.console.go(Place("task", chosen.tasks[0]))
        elif chosen.agents:
            self.console.go(Place("agent", chosen.agents[0]))


class ReviewScreen(FleetScreen):
    """``:review``: the events around the moment on screen."""

    help_text = EventsPane.help_text

    def crumb(self) -> str:
        """``events``."""
        return "events"

    def compose_body(self) -> ComposeResult:
        """One table."""
        yield EventsPane()
