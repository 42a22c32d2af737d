"""All messages of the console, newest first."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from fleet_tui.console.actions.selection import Scope, Selection
from fleet_tui.console.shell.messages import Notice
from fleet_tui.console.shell.screen import FleetScreen
from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.text.looks import level_tone
from fleet_tui.console.views.table import TablePane
from fleet_tui.console.widgets.fleet_table import Column, FleetTable
from fleet_tui.core.logs import Level
from fleet_tui.core.text import words
from fleet_tui.core.text.filters.nodes import Value
from fleet_tui.feed.feed import View

Numbered = tuple[int, Notice]


class MessagesPane(TablePane[Numbered]):
    """A line per notice; enter opens its subject."""

    scopes: ClassVar[frozenset[Scope]] = TablePane.scopes
    columns = (
        Column("at", "AT", 8, priority=200),
        Column("text", "MESSAGE", 20, flex=1, priority=190),
        Column("opens", "ENTER OPENS", 12, priority=50),
    )
    filter_keys = frozenset({"level"})
    noun = ("message", "messages")
    empty_text = "No messages yet. Notifications of the console are kept here."

    def records(self, view: View) -> Sequence[Numbered]:
        """The notices, newest first."""
        del view
        return list(enumerate(self.console.notices))[::-1]

    def row_id(self, record: Numbered) -> str:
        """Its number."""
        return str(record[0])

    def cells(self, record: Numbered) -> dict[str, Cell]:
        """When, what, where to."""
        notice = record[1]
        return {
            "at": Cell(words.clock(notice.at_ms, self.console.utc_offset_minutes), Tone.DIM),
            "text": Cell(notice.text, level_tone(notice.loudness.level)),
            "opens": Cell(notice.opens.view if notice.opens is not None else "-", Tone.DIM),
        }

    def value(self, record: Numbered, key: str) -> Value:
        """``level``, and the columns."""
        match key:
            case "level":
                return record[1].loudness.level.name.lower()
            case "at":
                return float(record[1].at_ms)
            case "text":
                return record[1].text
            case _:  # a key of other lists only
                return None

    def is_problem(self, record: Numbered) -> bool:
        """Warnings and errors."""
        return record[1].loudness.level >= Level.WARN

    def titles(self) -> Line:
        """``Messages - 12``."""
        return (Cell("Messages", Tone.TITLE), Cell(f" - {len(self.all_records)}"))

    def selection(self) -> Selection:
        """The text of the message."""
        return Selection(text="\n".join(notice.text for _, notice in self.selected_records()))


class MessagesScreen(FleetScreen):
    """The texts of toasts."""

    def compose_body(self) -> ComposeResult:
        """One table."""
        yield MessagesPane(id="messages")

    def crumb(self) -> str:
        """Always the same word."""
        return "Messages"

    @on(FleetTable.RowOpened)
    def _opened(self, event: FleetTable.RowOpened) -> None:
        event.stop()
        by_number = dict(enumerate(self.console.notices))
        notice = by_number.get(int(event.row_id))
        if notice is not None and notice.opens is not None:
            self.console.go(notice.opens)
