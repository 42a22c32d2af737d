"""Calls the operator's attention: the terminal's bell, a desktop notification, and the count of
critical alerts in the window's title.

At most one call per CALL_EVERY_S. Alerts raised in between are called together at the end of that
time, if they are still open.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from fleet_tui.console.shell.toasts import summary
from fleet_tui.console.terminal.seatbelt import BELL, notification_sequence, title_sequence
from fleet_tui.console.text.glyphs import Glyphs, Sign
from fleet_tui.core.alerting.model import Alert, Severity
from fleet_tui.core.ids import AlertId
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.status import FleetStatus
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.feed.feed import Mode, View

CALL_EVERY_S = 30.0
MAX_NAME_CHARS = 32


class Calls(StrEnum):
    """The new alerts that trigger a call."""

    CRIT = "crit"
    ALL = "all"
    OFF = "off"
    """None, and the window's title is unchanged."""

    @property
    def text(self) -> str:
        """Which, as a sentence."""
        return _CALLS[self]


_CALLS: Final = {
    Calls.CRIT: "new critical alerts ring the bell",
    Calls.ALL: "every new alert rings the bell",
    Calls.OFF: "no alert rings the bell",
}


class Caller:
    """Decides when to call and for what."""

    def __init__(self) -> None:
        self._waiting: dict[AlertId, Alert] = {}
        self._last_s: float | None = None

    def add(self, fresh: Sequence[Alert], calls: Calls) -> None:
        """Alerts that were just raised."""
        for alert in fresh:
            if calls is Calls.ALL or (calls is Calls.CRIT and alert.severity is Severity.CRIT):
                self._waiting[alert.id] = alert

    def take(self, still_open: Mapping[AlertId, Alert], now_s: float) -> Sequence[Alert]:
        """The alerts to call for now; empty while there are none or the last call was recent."""
        self._waiting = {
            name: alert
            for name, alert in self._waiting.items()
            if name in still_open and still_open[name].acked_by is None
        }
        too_soon = self._last_s is not None and now_s - self._last_s < CALL_EVERY_S
        if not self._waiting or too_soon:
            return ()
        self._last_s = now_s
        taken, self._waiting = tuple(self._waiting.values()), {}
        return taken


def notification(alerts: Sequence[Alert], state: FleetState) -> str:
    """``prod: agent-14 down, 3 tasks moved``. It begins with a name, because terminals take a digit
    and a semicolon there for a command (OSC 9;4 is a progress bar)."""
    return f"{safe_line(state.fleet.name or 'fleet', MAX_NAME_CHARS)}: {summary(alerts, state)}"


def title(view: View, status: FleetStatus, glyphs: Glyphs) -> str:
    """``✗1 prod`` while something is critical, else ``prod - fleet-tui``."""
    name = safe_line(view.state.fleet.name or "fleet", MAX_NAME_CHARS)
    if view.mode is Mode.REVIEW:
        return f"{name} - review"
    if status.alerts_crit:
        return f"{glyphs.sign(Sign.BAD)}{status.alerts_crit} {name}"
    return f"{name} - fleet-tui"


class Attention:
    """Calls through a terminal: ``ring`` writes one of our own sequences, ``name`` the title."""

    def __init__(
        self, calls: Calls, ring: Callable[[str], None], name: Callable[[str], None]
    ) -> None:
        self.calls = calls
        self._ring, self._name = ring, name
        self._caller = Caller()
        self._title = ""

    def show(self, fresh: Sequence[Alert], view: View, status: FleetStatus, glyphs: Glyphs) -> None:
        """A view came, with these alerts raised since the one before."""
        if self.calls is Calls.OFF:
            return
        self._caller.add(fresh, self.calls)
        called = self._caller.take(view.state.alerts, time.monotonic())
        if called:
            self._ring(BELL)
            self._ring(notification_sequence(notification(called, view.state)))
        wanted = title(view, status, glyphs)
        if wanted != self._title:
            self._title = wanted
            self._name(title_sequence(wanted))
