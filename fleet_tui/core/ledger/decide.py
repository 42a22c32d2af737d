"""What a command means in a state: the resulting events, or why it is refused.

Each command is decided in the module of its aggregate; this one dispatches.
"""

from typing import assert_never

from msgspec.structs import replace

from fleet_tui.core.agents.commands import AgentCommand
from fleet_tui.core.agents.decide import decide_agents
from fleet_tui.core.alerting.commands import Ack
from fleet_tui.core.alerting.decide import decide_alerts
from fleet_tui.core.engine.commands import EngineCommand
from fleet_tui.core.engine.decide import decide_engine
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.decided import Decision
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.notes.commands import AddNote
from fleet_tui.core.notes.decide import decide_note
from fleet_tui.core.tasks.commands import TaskCommand
from fleet_tui.core.tasks.decide import decide_task
from fleet_tui.core.text.redaction import without_patterns, without_secrets


def public(command: Command) -> Command:
    """The command with secrets removed from text for other people: a reason or a note. A payload is
    stored unchanged, because it is run, and redacted when shown."""
    if isinstance(command, AddNote):
        return replace(command, text=without_secrets(command.text))
    reason = getattr(command, "reason", "")
    clean, count = without_patterns(reason)
    return replace(command, reason=clean) if count else command


def decide(state: FleetState, by: str, command: Command, now_ms: int) -> Decision:
    """The meaning of a command."""
    if isinstance(command, TaskCommand):
        return decide_task(state, by, command, now_ms)
    if isinstance(command, AgentCommand):
        return decide_agents(state, by, command, now_ms)
    if isinstance(command, EngineCommand):
        return decide_engine(state, by, command)
    if isinstance(command, Ack):
        return decide_alerts(state, by, command)
    if isinstance(command, AddNote):
        return decide_note(by, command)
    assert_never(command)
