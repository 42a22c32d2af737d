"""Open alerts, severe and unacknowledged first."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from fleet_tui.console.actions.selection import Scope, Selection
from fleet_tui.console.text.cells import Align, Cell, Tone, line_text
from fleet_tui.console.views.alerts import rows
from fleet_tui.console.views.table import TablePane
from fleet_tui.console.widgets.fleet_table import Column, Row
from fleet_tui.core.alerting.model import Alert, Severity
from fleet_tui.core.alerting.rules import agent_of
from fleet_tui.core.logs import Level
from fleet_tui.core.text import words
from fleet_tui.core.text.filters.nodes import Value
from fleet_tui.feed.feed import View


class AlertsPane(TablePane[Alert]):
    """A line per open alert."""

    scopes: ClassVar[frozenset[Scope]] = TablePane.scopes | {Scope.ALERTS, Scope.AGENTS}
    columns: ClassVar[tuple[Column, ...]] = (
        Column("severity", "ALERT", 6, priority=200),
        Column("for", "FOR", 3, Align.RIGHT, priority=170),
        Column("what", "WHAT", 8, flex=1, priority=180),
    )
    follow_top = True
    above_word = "worse"
    has_header = False
    filter_keys = frozenset({"level", "agent", "age", "ack"})
    noun = ("alert", "alerts")
    empty_text = "No open alerts."
    help_text = (
        "Open alerts, worst first. {ack} acknowledges, {open} opens.\nAn alert closes when its "
        "condition clears; acknowledging does not close it."
    )

    def records(self, view: View) -> Sequence[Alert]:
        """The open alerts."""
        return rows.open_alerts(view.state)

    def row_id(self, record: Alert) -> str:
        """The alert's id."""
        return record.id

    def cells(self, record: Alert) -> Mapping[str, Cell]:
        """See :func:`fleet_tui.console.views.alerts.rows.alert_cells`."""
        now_ms = self.view.now_ms if self.view is not None else record.raised_at_ms
        return rows.alert_cells(record, self.console.glyphs, now_ms)

    def make_rows(self, records: Sequence[Alert]) -> list[Row]:
        """Alerts age without changing, so rows are not cached."""
        self.forget_rows()
        return super().make_rows(records)

    def value(self, record: Alert, key: str) -> Value:
        """``level agent age ack``."""
        match key:
            case "level" | "severity":
                return record.severity.value
            case "agent" | "subject":
                return record.subject
            case "age" | "for":
                now_ms = self.view.now_ms if self.view is not None else 0
                return float(words.elapsed_ms(record.raised_at_ms, now_ms))
            case "ack":
                return record.acked_by
            case "text" | "what":
                return record.text
            case _:  # a key of other lists only
                return None

    def sort_value(self, record: Alert, key: str) -> Value:
        """The most severe first, and other columns as in filters."""
        return float(record.severity.order) if key == "severity" else self.value(record, key)

    def is_problem(self, record: Alert) -> bool:
        """Severe and not acknowledged."""
        return record.severity.level >= Level.WARN and record.acked_by is None

    def titles(self) -> Sequence[Cell]:
        """``Alerts - 3 open``."""
        count = len(self.all_records)
        crit = any(a.severity is Severity.CRIT for a in self.all_records)
        return (
            Cell("Alerts", Tone.TITLE),
            Cell(f" - {count} open", Tone.ERROR if crit else Tone.PLAIN),
        )

    def selection(self) -> Selection:
        """The marked alerts and their agents."""
        chosen = self.selected_records()
        known = self.view.state.agents if self.view is not None else {}
        return Selection(
            alerts=tuple(alert.id for alert in chosen),
            agents=tuple(name for a in chosen if (name := agent_of(a)) in known),
            text="\n".join(line_text(self.cells(alert).values()) for alert in chosen),
        )


class AllAlertsPane(AlertsPane):
    """The same on a screen of its own, with the details of each."""

    columns: ClassVar[tuple[Column, ...]] = (
        Column("severity", "ALERT", 6, priority=200),
        Column("subject", "ABOUT", 12, priority=190),
        Column("text", "WHAT", 20, flex=2, priority=180),
        Column("for", "FOR", 4, Align.RIGHT, priority=170),
        Column("ack", "ACK", 8, priority=100),
        Column("detail", "DETAIL", 20, flex=3, priority=50),
    )
    has_header = True
