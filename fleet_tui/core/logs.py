"""Log lines of agents and of the fleet."""

from enum import IntEnum

import msgspec

from fleet_tui.core.ids import AgentName, TaskId
from fleet_tui.core.text.untrusted import Untrusted

MAX_LINE_CHARS = 4_096
"""Longer lines are cut when they are framed; the cut states how many characters are missing."""


class Level(IntEnum):
    """Severity; bigger is worse. UNKNOWN is for lines without a level."""

    UNKNOWN = 0
    TRACE = 1
    DEBUG = 2
    INFO = 3
    WARN = 4
    ERROR = 5


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line as stored and shown. Lines are ordered by when *we* received them."""

    received_at_ms: int
    source: AgentName | None
    """None for the fleet's own lines (shown as ``fleet``)."""
    level: Level
    text: Untrusted
    task: TaskId | None = None
    written_at_ms: int | None = None
    """The writer's own timestamp, if it gave a plausible one."""
    line_id: int = 0
    """Row in the log store; 0 before it is stored."""


class LogGap(msgspec.Struct, frozen=True, kw_only=True):
    """Lines that were lost on the way, counted or not."""

    received_at_ms: int
    source: AgentName | None
    reason: str
    lines: int | None = None
    bytes: int | None = None
    line_id: int = 0
    """Row in the log store; 0 before it is stored."""


class LogQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines; None means any. The newest win when there are more than ``limit``."""

    source: AgentName | None = None
    task: TaskId | None = None
    level: Level = Level.UNKNOWN
    """This level or worse."""
    words: str = ""
    """All of these words, in any order; ``disk*`` is any word that begins so."""
    contains: str = ""
    """This text, case-insensitively. Only a pre-filter: every line that is not all ASCII passes
    it."""
    since_ms: int | None = None
    until_ms: int | None = None
    after_line: int | None = None
    """Only lines stored after this one: for following."""
    before_line: int | None = None
    """Only lines stored before this one: for paging back."""
    limit: int = 500
