"""What the commands of the shell are about, in the order of its help. It is needed before any verb
is, so that a command that is none starts without them."""

from enum import StrEnum


class Chapter(StrEnum):
    """A heading of the list of commands."""

    FLEET = "Fleet"
    TASKS = "Tasks"
    DEAD_LETTERS = "Dead letters"
    AGENTS_AND_ALERTS = "Agents and alerts"
    ROUTING_AND_LOGS = "Routing and logs"
    ENGINE = "Engine"
    LEDGER = "Ledger and recordings"
    FLEET_FILE = "Fleet file"
    CONSOLE = "Console"
