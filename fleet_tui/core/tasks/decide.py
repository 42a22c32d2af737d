"""What a command for tasks means: the events it becomes, or why it is refused."""

from typing import assert_never

from fleet_tui.core.ledger.decided import Decision
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks import dead_letters, queueing
from fleet_tui.core.tasks.commands import (
    Cancel,
    Drop,
    Edit,
    Expedite,
    Hold,
    Release,
    Requeue,
    Resolve,
    SetPriority,
    Submit,
    TaskCommand,
)
from fleet_tui.core.tasks.submission import submit
from fleet_tui.core.tasks.verdicts import resolve


def decide_task(state: FleetState, by: str, command: TaskCommand, now_ms: int) -> Decision:
    """The meaning of a command for one task or many."""
    match command:
        case Submit():
            return submit(state, by, command)
        case Cancel():
            return queueing.cancel(state, by, command)
        case Hold():
            return queueing.hold(state, by, command)
        case Release():
            return queueing.release(state, by, command)
        case Expedite():
            return queueing.expedite(state, by, command)
        case SetPriority():
            return queueing.set_priority(state, by, command)
        case Resolve():
            return resolve(state, by, command, now_ms)
        case Requeue():
            return dead_letters.requeue(state, by, command, now_ms)
        case Edit():
            return dead_letters.edit(state, by, command)
        case Drop():
            return dead_letters.drop(state, by, command)
        case _:
            assert_never(command)
