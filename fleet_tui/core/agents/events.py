"""The events of agents."""

from fleet_tui.core.agents.breaker import SETTLED_MS
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import FailureKind, Limit
from fleet_tui.core.ids import AgentName, PoolName, RunId, TaskId
from fleet_tui.core.ledger.base import EventBase
from fleet_tui.core.tasks.evidence import Usage
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted


class AboutAgent(EventBase, frozen=True, kw_only=True):
    """What becomes of an agent."""

    agent: AgentName


class AboutPool(EventBase, frozen=True, kw_only=True):
    """What becomes of a pool of agents."""

    pool: PoolName


class HealthChanged(AboutAgent, frozen=True, kw_only=True, tag="agent.health"):
    """An agent's health changed."""

    health: Health
    was: Health
    reason: str
    failure: FailureKind | None = None
    detail: Untrusted = NOTHING_SAID
    quarantine_until_ms: int | None = None


class AgentIdentified(AboutAgent, frozen=True, kw_only=True, tag="agent.identified"):
    """An agent reported a new version or process."""

    version: str | None
    boot_id: str | None
    limits: tuple[Limit, ...] = ()
    """What its release cannot do."""


class AgentCordoned(AboutAgent, frozen=True, kw_only=True, tag="agent.cordoned"):
    """Kept out of routing."""

    by: str
    reason: str = ""


class AgentUncordoned(AboutAgent, frozen=True, kw_only=True, tag="agent.uncordoned"):
    """Back in routing."""

    by: str


class AgentTripped(AboutAgent, frozen=True, kw_only=True, tag="agent.tripped"):
    """An agent gets no more work because its work failed, or because a trial of it ended without
    success."""

    reason: str
    detail: Untrusted = NOTHING_SAID
    until_ms: int
    """No trial before this instant."""
    opens: int = 1
    harmless: bool = False
    tasks: tuple[TaskId, ...] = ()
    """The tasks that failed now."""
    settled_ms: int = SETTLED_MS
    """How long a trial has to last to count as not failing."""
    relapsed: bool = False
    """Whether a canary run succeeded before, so that no other counts."""


class AgentTrusted(AboutAgent, frozen=True, kw_only=True, tag="agent.trusted"):
    """An agent gets work again: a trial succeeded, the tasks were to blame, or an operator decided
    it."""

    reason: str
    by: str = ""
    """The operator who decided it; empty where the engine did."""
    by_canary: bool = False
    """Whether only a canary run has succeeded on it so far."""


class CanaryStarted(AboutAgent, frozen=True, kw_only=True, tag="agent.canary-started"):
    """A canary run is to be started on an agent whose work failed."""

    run: RunId


class CanaryEnded(AboutAgent, frozen=True, kw_only=True, tag="agent.canary-ended"):
    """How a canary run ended. The consequence for its agent is an event of its own."""

    run: RunId
    ok: bool
    reason: str = ""
    """Why it did not succeed, in our own words."""
    detail: Untrusted = NOTHING_SAID
    usage: Usage = Usage()
    cost_microusd: int = 0


class FailoverBraked(AboutPool, frozen=True, kw_only=True, tag="failover.frozen"):
    """Too many agents of a pool were lost at once: its failover is stopped."""

    reason: str


class FailoverResumed(AboutPool, frozen=True, kw_only=True, tag="failover.thawed"):
    """Failover of the pool resumed."""


AgentEvent = (
    HealthChanged
    | AgentIdentified
    | AgentCordoned
    | AgentUncordoned
    | AgentTripped
    | AgentTrusted
    | CanaryStarted
    | CanaryEnded
)
"""What becomes of an agent."""

PoolEvent = FailoverBraked | FailoverResumed
"""What becomes of a pool."""
