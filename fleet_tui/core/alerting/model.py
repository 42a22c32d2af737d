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
"""Alerts that are over and that a state remembers; older ones are in the journal alone."""


class Severity(StrEnum):
    """How loud an alert is, the loudest first."""

    CRIT = "crit"
    WARN = "warn"
    INFO = "info"

    @property
    def order(self) -> int:
        """Where it stands in a list."""
        return list(Severity).index(self)

    @property
    def level(self) -> Level:
        """As the level of a line, for filters that compare and for the ledger's story."""
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
    """A condition that wants an operator's eyes."""

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
