"""An event in words: what the narration of each aggregate gives.

Only our own words and checked names are built in; what a remote side said stands apart, as it came.
"""

import msgspec

from fleet_tui.core.ids import AgentName, TaskId
from fleet_tui.core.logs import Level
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted


class Sentence(msgspec.Struct, frozen=True, kw_only=True):
    """An event in one line."""

    level: Level
    text: str
    detail: Untrusted = NOTHING_SAID
    task: TaskId | None = None
    agent: AgentName | None = None
