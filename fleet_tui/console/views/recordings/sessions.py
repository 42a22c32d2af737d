"""Sessions: earlier sessions of the ledger and recording files, for review."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from fleet_tui.base.errors import FleetError
from fleet_tui.console.actions.selection import Scope, Selection
from fleet_tui.console.shell.messages import Loudness
from fleet_tui.console.shell.places import OVERVIEW
from fleet_tui.console.shell.screen import FleetScreen
from fleet_tui.console.text.cells import Align, Cell, Tone, line_text
from fleet_tui.console.text.document import name, short
from fleet_tui.console.views.table import TablePane
from fleet_tui.console.widgets.fleet_table import Column, FleetTable
from fleet_tui.core.text import words
from fleet_tui.core.text.filters.nodes import Value
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.feed.feed import Session, View

_RIGHT = Align.RIGHT


NONE_YET = "No sessions yet: this one is the first. fleet-tui review FILE opens a recording."
NOWHERE = "No sessions: this console has no directory of sessions."


class SessionsPane(TablePane[Session]):
    """A line per session, newest first."""

    columns = (
        Column("started", "STARTED", 19, priority=200),
        Column("lasted", "LASTED", 8, _RIGHT, priority=180),
        Column("events", "EVENTS", 8, _RIGHT, priority=150),
        Column("tasks", "TASKS", 7, _RIGHT, priority=160),
        Column("name", "NAME", 16, flex=1, priority=190),
        Column("path", "FILE", 20, flex=1, priority=50),
    )
    scopes: ClassVar[frozenset[Scope]] = TablePane.scopes - {Scope.PROBLEMS}
    filter_keys: ClassVar[frozenset[str]] = frozenset({"name", "path", "events", "tasks", "age"})
    noun = ("session", "sessions")
    empty_text = "Looking for sessions."
    help_text = (
        "Every stretch of the ledger between an engine's start and its end, and recording files.\n"
        "{open} opens one for review: the same console over the past, which can never act.\n"
        "Filter: since:2d tasks>100 name:*outage*"
    )

    def __init__(self) -> None:
        super().__init__()
        self._sessions: Sequence[Session] = ()

    def on_mount(self) -> None:
        """Look for sessions whenever the view is opened."""
        self.look()

    def look(self) -> None:
        """Ask the source again."""
        self.run_worker(self._look(), group="look", exclusive=True)

    async def _look(self) -> None:
        source = self.console.sessions
        if source is None:
            self.empty_text = NOWHERE  # type: ignore[misc]  # it is this pane's alone
            self.refill()
            return
        try:
            self._sessions = tuple(await source.sessions())
        except FleetError as error:
            self.console.tell(f"sessions: {safe_line(error.message)}", Loudness.ERROR)
            return
        self.empty_text = NONE_YET  # type: ignore[misc]  # it is this pane's alone
        self.all_records = self._sessions
        self.refill()

    def records(self, view: View) -> Sequence[Session]:
        """The sessions found."""
        return self._sessions

    def row_id(self, record: Session) -> str:
        """File and start: one file may hold several."""
        return f"{record.path}:{record.started_at_ms}"

    def cells(self, record: Session) -> Mapping[str, Cell]:
        """One session in a line."""
        offset = self.console.utc_offset_minutes
        lasted = _lasted_ms(record)
        return {
            "started": Cell(words.date_clock(record.started_at_ms, offset)),
            "lasted": Cell(words.duration(lasted) if lasted is not None else "running", Tone.DIM),
            "events": Cell(words.grouped(record.events)),
            "tasks": Cell(words.grouped(record.tasks)),
            "name": Cell(name(record.name), Tone.ACCENT),
            "path": Cell(short(record.path), Tone.DIM),
        }

    def value(self, record: Session, key: str) -> Value:
        """A session's value for a filter key or column."""
        now_ms = self.view.now_ms if self.view is not None else 0
        answers: dict[str, Value] = {
            "started": float(record.started_at_ms),
            "at": float(record.started_at_ms),
            "age": float(words.elapsed_ms(record.started_at_ms, now_ms)),
            "lasted": _lasted_ms(record),
            "events": float(record.events),
            "tasks": float(record.tasks),
            "name": record.name,
            "path": record.path,
        }
        return answers.get(key)

    def titles(self) -> Sequence[Cell]:
        """``Sessions - 12``."""
        return (Cell("Sessions", Tone.TITLE), Cell(f" - {len(self.all_records)}"))

    def selection(self) -> Selection:
        """The marked lines as text."""
        chosen = self.selected_records()
        return Selection(text="\n".join(line_text(self.cells(s).values()) for s in chosen))

    @on(FleetTable.RowOpened)
    def _open(self, event: FleetTable.RowOpened) -> None:
        event.stop()
        wanted = next((s for s in self.shown_records if self.row_id(s) == event.row_id), None)
        if wanted is not None:
            self.app.run_worker(self._review(wanted), group="review", exclusive=True)

    async def _review(self, session: Session) -> None:
        source = self.console.sessions
        assert source is not None
        self.console.tell(f"opening {name(session.name)}")
        try:
            feed = await source.open(session)
        except FleetError as error:
            self.console.tell(
                f"{name(session.name)} cannot be opened: {safe_line(error.message)}",
                Loudness.ERROR,
            )
            return
        await self.console.review(feed)
        self.console.go(OVERVIEW)


def _lasted_ms(session: Session) -> float | None:
    if session.ended_at_ms is None:
        return None
    return float(words.elapsed_ms(session.started_at_ms, session.ended_at_ms))


class SessionsScreen(FleetScreen):
    """The view of key 9."""

    help_text = SessionsPane.help_text

    def compose_body(self) -> ComposeResult:
        """One table."""
        yield SessionsPane()
