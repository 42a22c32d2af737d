"""What an operator can ask the engine to do. Every command becomes events or a refusal."""

from fleet_tui.core.agents.commands import AgentCommand
from fleet_tui.core.alerting.commands import Ack
from fleet_tui.core.engine.commands import EngineCommand
from fleet_tui.core.ledger.base import CommandBase
from fleet_tui.core.tasks.commands import TaskCommand
from fleet_tui.core.text.untrusted import Untrusted


class AddNote(CommandBase, frozen=True, kw_only=True, tag="note"):
    """Mark this moment."""

    text: Untrusted


Command = TaskCommand | AgentCommand | Ack | AddNote | EngineCommand
