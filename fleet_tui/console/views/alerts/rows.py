"""The rows of the alerts table, as safe text with tones."""

from fleet_tui.console.text.cells import MAX_NAME_CHARS, Cell, Tone
from fleet_tui.console.text.glyphs import Glyphs
from fleet_tui.console.text.looks import severity_look
from fleet_tui.core.alerting.model import Alert
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line


def open_alerts(state: FleetState) -> list[Alert]:
    """Open alerts: unacknowledged and severe first, then the newest."""
    return sorted(
        state.alerts.values(),
        key=lambda a: (a.acked_by is not None, a.severity.order, -a.raised_at_ms, a.id),
    )


def alert_cells(alert: Alert, glyphs: Glyphs, now_ms: int) -> dict[str, Cell]:
    """Every column of the alerts table by its key."""
    sign, tone = severity_look(alert.severity)
    if alert.acked_by is not None or alert.resolved_at_ms is not None:
        tone = Tone.DIM
    until_ms = now_ms if alert.resolved_at_ms is None else alert.resolved_at_ms
    acked = f"ack {safe_line(alert.acked_by, MAX_NAME_CHARS)}" if alert.acked_by else "-"
    return {
        "severity": Cell(f"{glyphs.sign(sign)} {alert.severity.value.upper()}", tone),
        "subject": Cell(safe_line(alert.subject, MAX_NAME_CHARS), Tone.TITLE),
        "text": Cell(safe_line(alert.text)),
        "what": Cell(
            f"{safe_line(alert.subject, MAX_NAME_CHARS)} {safe_line(alert.text)}"
            + (f" · ack {safe_line(alert.acked_by, MAX_NAME_CHARS)}" if alert.acked_by else "")
        ),
        "for": Cell(words.about(until_ms - alert.raised_at_ms), Tone.DIM),
        "ack": Cell(acked, Tone.DIM),
        "detail": Cell(safe_line(alert.detail), Tone.DIM),
    }
