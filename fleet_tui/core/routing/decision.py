"""Why a task was placed where it was, as data.

A decision is recorded with everything it was based on, so that it can always be explained and
recomputed: the filters with what they removed, the scores term by term, the runner-up.
"""

from enum import StrEnum
from typing import Final, NamedTuple, assert_never

import msgspec

from fleet_tui.core.fleet import Strategy
from fleet_tui.core.ids import AgentName, PoolName

MAX_NAMED_PER_RULE = 16
"""A rule names at most this many agents it removed; its count is always complete."""

MAX_SCORED = 8
"""The best-scored candidates kept with a decision."""


class Rule(StrEnum):
    """The filters, in the order in which they apply. The first that removes an agent is
    recorded."""

    PIN = "pin"
    POOL = "pool"
    CAPABILITY = "capability"
    RESIDENCY = "residency"
    ISOLATION = "isolation"
    HOME = "home"
    """Another pool is the task's home, and this one takes no overflow."""
    STATE = "state"
    TRIAL = "trial"
    """Its runs failed, and this task, which must not run twice, cannot serve as a trial."""
    CORDON = "cordon"
    SLOTS = "slots"

    @property
    def is_of_file(self) -> bool:
        """Whether it depends on the fleet file alone, for one agent at a time."""
        match self:
            case Rule.PIN | Rule.POOL | Rule.CAPABILITY | Rule.RESIDENCY | Rule.ISOLATION:
                return True
            case Rule.HOME | Rule.STATE | Rule.TRIAL | Rule.CORDON | Rule.SLOTS:
                return False
            case _:
                assert_never(self)

    @property
    def pending(self) -> "PendingCode":
        """Why a task waits when this rule removed its last candidate."""
        match self:
            case Rule.PIN:
                return PendingCode.PIN
            case Rule.POOL | Rule.HOME:
                return PendingCode.POOL
            case Rule.CAPABILITY:
                return PendingCode.CAPABILITY
            case Rule.RESIDENCY:
                return PendingCode.RESIDENCY
            case Rule.ISOLATION:
                return PendingCode.ISOLATION
            case Rule.STATE:
                return PendingCode.STATE
            case Rule.TRIAL:
                return PendingCode.TRIAL
            case Rule.CORDON:
                return PendingCode.CORDON
            case Rule.SLOTS:
                return PendingCode.CAPACITY
            case _:
                assert_never(self)


_RULES: Final = {  # what stands before what it asked for; empty where that says it all
    Rule.PIN: "pinned to",
    Rule.POOL: "pool",
    Rule.CAPABILITY: "capability",
    Rule.RESIDENCY: "residency",
    Rule.ISOLATION: "isolation",
    Rule.HOME: "home pool",
    Rule.STATE: "state",
    Rule.TRIAL: "",
    Rule.CORDON: "",
    Rule.SLOTS: "",
}


class Rejection(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The agents that one rule removed."""

    rule: Rule
    wanted: str
    """What the rule asked for, such as ``gpu`` or ``eu-w1``."""
    count: int
    left: int
    """Candidates that remained after this rule."""
    agents: tuple[AgentName, ...] = ()
    example: str = ""
    """One removed agent, as a phrase: ``agent-01 has no gpu``."""

    @property
    def text(self) -> str:
        """What was asked for, in words: ``capability gpu``."""
        return f"{_RULES[self.rule]} {self.wanted}".strip() or self.rule.value


class ScoreTerm(msgspec.Struct, frozen=True, gc=False):
    """One summand of a score."""

    name: str
    value: float


class Candidate(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An agent that could take the task."""

    agent: AgentName
    score: float
    terms: tuple[ScoreTerm, ...] = ()


class RoutingDecision(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One routing decision, placed or not."""

    strategy: Strategy
    policy: str
    """Digest of the fleet file in force."""
    considered: int
    rejections: tuple[Rejection, ...] = ()
    fitting: int = 0
    candidates: tuple[Candidate, ...] = ()
    """The best MAX_SCORED of the eligible ones, best first; the first is the chosen one."""
    pool: PoolName | None = None
    """Where it was placed, or waits to be."""
    note: str = ""
    """Further reasons in words: ``turn 3 of 10``, ``retry 2/3 after agent-14 died``."""

    @property
    def chosen(self) -> AgentName | None:
        """The agent that got the task, or None if it waits."""
        return self.candidates[0].agent if self.candidates else None

    @property
    def margin(self) -> float | None:
        """Score of the chosen over the runner-up; None without a runner-up."""
        if len(self.candidates) < 2:
            return None
        return self.candidates[0].score - self.candidates[1].score


class PendingCode(StrEnum):
    """Why a task waits."""

    NEW = "new"
    CAPACITY = "capacity"
    BACKOFF = "backoff"
    BRAKE = "brake"
    RETRY_BUDGET = "retry-budget"
    """The fleet has started as many retries as it may for now."""
    STATE = "state"
    """Eligible agents exist, but none of them is in service."""
    TRIAL = "trial"
    """Eligible agents fail their runs, and are tried with other work."""
    CORDON = "cordon"
    PIN = "pin"
    POOL = "pool"
    CAPABILITY = "capability"
    RESIDENCY = "residency"
    ISOLATION = "isolation"
    HOLD = "hold"
    NO_FLEET = "no-fleet"

    @property
    def text(self) -> str:
        """Why a task waits, as a sentence."""
        return _PENDING[self].text

    @property
    def is_held(self) -> bool:
        """True when waiting alone will not place the task."""
        return _PENDING[self].is_held

    @property
    def is_for_agents(self) -> bool:
        """True when there are eligible agents, and none of them is in service."""
        return _PENDING[self].is_for_agents


class _Pending(NamedTuple):
    text: str
    is_held: bool = False
    is_for_agents: bool = False


_PENDING: Final = {
    PendingCode.NEW: _Pending("just submitted"),
    PendingCode.CAPACITY: _Pending("all eligible agents are busy"),
    PendingCode.BACKOFF: _Pending("backing off before the next attempt"),
    PendingCode.BRAKE: _Pending("failover is stopped: too many agents were lost at once"),
    PendingCode.RETRY_BUDGET: _Pending("the retry budget is spent for now"),
    PendingCode.STATE: _Pending("no eligible agent is in service", is_for_agents=True),
    PendingCode.TRIAL: _Pending(
        "eligible agents are failing their runs, and this task must not run twice",
        is_for_agents=True,
    ),
    PendingCode.CORDON: _Pending("every eligible agent is cordoned", is_for_agents=True),
    PendingCode.PIN: _Pending("the agent it is pinned to cannot take it", is_held=True),
    PendingCode.POOL: _Pending("its pool cannot take it", is_held=True),
    PendingCode.CAPABILITY: _Pending("no agent has what it needs", is_held=True),
    PendingCode.RESIDENCY: _Pending("no eligible agent is where its data must stay", is_held=True),
    PendingCode.ISOLATION: _Pending("eligible agents are reserved for other clients", is_held=True),
    PendingCode.HOLD: _Pending("held by an operator", is_held=True),
    PendingCode.NO_FLEET: _Pending("no fleet is loaded", is_held=True),
}


class Pending(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Why a task waits now, and the smallest change that would place it."""

    code: PendingCode
    since_ms: int
    detail: str = ""
    remedy: str = ""
    decision: RoutingDecision | None = None
