"""What an operator can ask for agents."""

from typing import ClassVar

from fleet_tui.core.ids import AgentName
from fleet_tui.core.ledger.base import CommandBase, Made, Tier


class Cordon(CommandBase, frozen=True, kw_only=True, tag="cordon"):
    """Keep agents out of routing; their runs continue."""

    tier: ClassVar[Tier] = Tier.LINE
    agents: tuple[AgentName, ...]
    reason: str = ""


class Uncordon(CommandBase, frozen=True, kw_only=True, tag="uncordon"):
    """Let agents take work again: ends a cordon; an agent without one whose work failed is trusted
    again."""

    tier: ClassVar[Tier] = Tier.LINE
    agents: tuple[AgentName, ...]
    cordoned: Made | None = None
    """Only the cordons made then by that operator."""


class ProbeNow(CommandBase, frozen=True, kw_only=True, tag="probe"):
    """Probe agents now instead of at their next interval."""

    tier: ClassVar[Tier] = Tier.NOTHING
    agents: tuple[AgentName, ...]


AgentCommand = Cordon | Uncordon | ProbeNow
