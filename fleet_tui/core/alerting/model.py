"""An alert in the ledger."""

from enum import StrEnum
from typing import assert_never

import msgspec

from fleet_tui.core.ids import (
    AlertId,
)
from fleet_tui.core.logs import Level
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted

MAX_CLOSED_ALERTS = 200
"""Closed alerts that a state remembers; older ones are only in the journal."""


class Severity(StrEnum):
    """The severity of an alert, the most severe first."""

    CRIT = "crit"
    WARN = "warn"
    INFO = "info"

    @property
    def order(self) -> int:
        """Its place in a list."""
        return list(Severity).index(self)

    @property
    def level(self) -> Level:
        """As the level of a log line, for filters that compare and for the ledger's own lines."""
        match self:
            case Severity.CRIT:
                return Level.ERROR
            case Severity.WARN:
                return Level.WARN
            case Severity.INFO:
                return Level.INFO
            case _:
                assert_never(self)


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that needs an operator's attention."""

    id: AlertId
    severity: Severity
    subject: str
    """The agent, pool or task it is about, as shown."""
    text: str
    """Our own words; never remote text."""
    detail: Untrusted = NOTHING_SAID
    raised_at_ms: int = 0
    resolved_at_ms: int | None = None
    acked_by: str | None = None
