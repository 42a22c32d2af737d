"""The sentence for an event, as the narration of each aggregate returns it.

It contains only our own text and checked names; remote text is kept apart, as received.
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
