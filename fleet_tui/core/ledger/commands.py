"""What an operator can ask the engine to do. Every command becomes events or a refusal."""

from fleet_tui.core.agents.commands import AgentCommand
from fleet_tui.core.alerting.commands import Ack
from fleet_tui.core.engine.commands import EngineCommand
from fleet_tui.core.notes.commands import AddNote
from fleet_tui.core.tasks.commands import TaskCommand

Command = TaskCommand | AgentCommand | Ack | AddNote | EngineCommand
