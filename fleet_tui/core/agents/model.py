"""An agent in the ledger: its health, and its runs."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from fleet_tui.core.agents.breaker import PROBATION_MS, Breaker, CanaryRun, Probation, Strike
from fleet_tui.core.agents.vitals import FailureKind, Limit
from fleet_tui.core.fleet import (
    AgentSpec,
    Prices,
)
from fleet_tui.core.ids import (
    AgentName,
    RunId,
)
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted


class Health(StrEnum):
    """The health of an agent, derived from its probes. Freshness is kept separate."""

    JOINING = "joining"
    UP = "up"
    DEGRADED = "degraded"
    SUSPECT = "suspect"
    """A failed probe, or an open breaker: no new work until it answers again, or a trial
    succeeds."""
    STARTING = "starting"
    DRAINING = "draining"
    """The agent itself reports that it takes no new work."""
    UNREACHABLE = "unreachable"
    """Its host cannot be reached from here. That is not proof that it is down."""
    DOWN = "down"
    """Its host answers and reports that the agent does not."""
    QUARANTINED = "quarantined"
    """Flapping: kept out of routing for a while."""
    RETIRED = "retired"
    """No longer in the fleet file."""

    @property
    def is_lost(self) -> bool:
        """Whether the agent counts as failed."""
        return self.has_vanished or self is Health.QUARANTINED

    @property
    def takes_work(self) -> bool:
        """Whether routing may choose an agent in this state."""
        return _STATES[self].takes_work

    @property
    def has_vanished(self) -> bool:
        """Whether enough probes in a row had no answer."""
        return _STATES[self].has_vanished

    @property
    def rests(self) -> bool:
        """Whether probes do not change it: the agent is kept out for a while, or for good."""
        return _STATES[self].rests


class _State(NamedTuple):
    takes_work: bool = False
    has_vanished: bool = False
    rests: bool = False


_STATES: Final = {
    Health.JOINING: _State(),
    Health.UP: _State(takes_work=True),
    Health.DEGRADED: _State(takes_work=True),
    Health.SUSPECT: _State(),
    Health.STARTING: _State(),
    Health.DRAINING: _State(),
    Health.UNREACHABLE: _State(has_vanished=True),
    Health.DOWN: _State(has_vanished=True),
    Health.QUARANTINED: _State(rests=True),
    Health.RETIRED: _State(rests=True),
}


class CordonRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Kept out of routing by an operator."""

    by: str
    reason: str
    since_ms: int


class AgentState(msgspec.Struct, frozen=True, kw_only=True):
    """One agent in the ledger."""

    name: AgentName
    health: Health = Health.JOINING
    since_ms: int = 0
    reason: str = ""
    failure: FailureKind | None = None
    detail: Untrusted = NOTHING_SAID
    failing_since_ms: int | None = None
    """Since when its probes fail, whatever its health became meanwhile; None with ``failure``. One
    that is lost or flaps counts as failing until it is believed again: until it has answered often
    enough, and its quarantine is over."""
    version: str | None = None
    boot_id: str | None = None
    limits: tuple[Limit, ...] = ()
    """What its release cannot do."""
    cordon: CordonRecord | None = None
    quarantine_until_ms: int | None = None
    prices: Prices = Prices()
    """Of a retired agent: its prices when the fleet file last named it, for runs that end later."""
    runs: frozenset[RunId] = frozenset()
    """Open attempts, which occupy its slots."""
    succeeded: int = 0
    failed: int = 0
    """Runs that ended badly or that it refused."""
    cost_microusd: int = 0
    has_unknown_cost: bool = False
    """Whether one of its runs reported an unusable cost: the true cost is higher than recorded."""
    tokens: int = 0
    strikes: tuple[Strike, ...] = ()
    """Since its last successful task, the newest MAX_STRIKES."""
    was_up: bool = False
    """Whether it was ever up. One that never was cannot be lost."""
    did_well_at_ms: int | None = None
    """When a task last succeeded on it; None for never, or where that was not recorded."""
    breaker: Breaker | None = None
    """Open while its work fails."""
    canaries: tuple[CanaryRun, ...] = ()
    """The newest MAX_CANARIES canary runs, oldest first."""
    probation: Probation | None = None
    """After a canary run succeeded, until a task does; see :meth:`on_probation`."""

    @property
    def was_ever_up(self) -> bool:
        """Whether it is known to have worked. Its own report is no proof of that: an agent lost
        from the start reports it with its first answer, and is up some probes later."""
        return self.was_up or self.succeeded > 0

    @property
    def fails_since_ms(self) -> int | None:
        """``failing_since_ms``, or a lower bound where an earlier version, which did not record it,
        wrote the state."""
        if self.failure is None:
            return None
        return self.since_ms if self.failing_since_ms is None else self.failing_since_ms

    @property
    def silent_since_ms(self) -> int | None:
        """Since when its runs are silent: it fails its probes and is out of service. None
        otherwise."""
        return None if self.in_service else self.fails_since_ms

    @property
    def canary(self) -> CanaryRun | None:
        """The canary run in progress."""
        newest = self.canaries[-1] if self.canaries else None
        return newest if newest is not None and newest.ended_at_ms is None else None

    def canaries_since(self, since_ms: int) -> Iterator[CanaryRun]:
        """Those that ended since that instant."""
        return (c for c in self.canaries if c.ended_at_ms is not None and c.ended_at_ms >= since_ms)

    def on_probation(self, now_ms: int) -> Probation | None:
        """Its probation, while it lasts."""
        lasts = self.probation is not None and now_ms - self.probation.since_ms < PROBATION_MS
        return self.probation if lasts else None

    @property
    def only_fails(self) -> bool:
        """Whether it answers, and only its open breaker keeps work from it."""
        is_asked = self.failure is None and self.cordon is None
        return self.breaker is not None and self.health is Health.SUSPECT and is_asked

    def may_be_tried(self, now_ms: int) -> bool:
        """Whether it may be tried now, slots aside."""
        breaker = self.breaker
        if breaker is None or not self.only_fails:
            return False
        is_tried = breaker.trial is not None or self.canary is not None
        return not is_tried and now_ms >= breaker.until_ms

    def is_tried_by_canary(self, spec: AgentSpec) -> bool:
        """Whether canary runs try it, and no task does."""
        return self.breaker is not None and spec.canary and not self.breaker.relapsed

    def suits_trials(self, *, may_run_again: bool) -> bool:
        """Whether the task may serve as a trial: where runs of the agent failed, only one that may
        run again. Any other would fail for good."""
        breaker = self.breaker
        return breaker is None or breaker.harmless or may_run_again

    @property
    def in_service(self) -> bool:
        """Whether routing may choose it now, slots aside."""
        return self.health.takes_work and self.cordon is None
