"""A routing decision with its position in the ledger."""

import msgspec

from fleet_tui.core.fleet import (
    Priority,
)
from fleet_tui.core.ids import (
    Seq,
    TaskId,
)
from fleet_tui.core.routing.decision import Pending, RoutingDecision

MAX_DECISIONS = 500
"""Decisions that a state remembers; older ones are only in the journal."""


class DecisionRecord(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A line of the routing pane."""

    seq: Seq
    at_ms: int
    task: TaskId
    task_number: int
    priority: Priority
    decision: RoutingDecision
    attempt: int
    """0 when the task was not placed."""
    pending: Pending | None = None
