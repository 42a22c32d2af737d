"""Which conditions need an operator's attention. Computed from the state each time: a condition
that ended resolves its alert, and a restart loses nothing."""

from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import assert_never

import msgspec

from fleet_tui.core.agents.breaker import Breaker
from fleet_tui.core.agents.model import AgentState, Health
from fleet_tui.core.agents.model_trouble import reason_of, trouble_of
from fleet_tui.core.alerting.events import AlertRaised, AlertResolved
from fleet_tui.core.alerting.model import Alert
from fleet_tui.core.alerting.rules import AlertRule, alert_id, rule_of_health, severity_of
from fleet_tui.core.engine.events import EngineTroubled
from fleet_tui.core.ids import AgentName, AlertId, PoolName
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.modes import TROUBLES, EngineMode, Trouble
from fleet_tui.core.routing.decision import PendingCode
from fleet_tui.core.tasks.model import AttemptPhase, TaskPhase
from fleet_tui.core.tasks.silence import silence_of
from fleet_tui.core.text import words
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted

DEAD_LETTER_WINDOW_MS = 600_000
DEAD_LETTER_GROWTH = 5
"""This many new dead letters within the window raise an alert."""

UNKNOWN_ALERT_AFTER_MS = 20_000
HELD_ALERT_AFTER_MS = 5_000
OLD_WAIT_ALERT_AFTER_MS = 120_000
"""A task that has waited this long for a free slot raises an alert."""


OUTAGE_FROM_TRY = 3
"""A model that fails once is retried in seconds; at the third try it counts as out of order."""

OUTAGE_AGENTS = 2
"""On this many agents at once it is the model's fault, not an agent's."""

OUTAGE_NAMED = 3

STARTING_ALERT_AFTER_MS = 120_000
"""An agent that has been starting for this long may never be ready."""


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that should be open now."""

    subject: str
    text: str
    detail: Untrusted = NOTHING_SAID
    is_corrected: bool = False
    """Whether the text of the open alert is updated. Only where it changes as rarely as the
    condition itself."""


def reconcile_alerts(state: FleetState, now_ms: int) -> list[Event]:
    """Raise alerts for conditions that began, correct those whose text changed, resolve those that
    ended."""
    wanted = conditions(state, now_ms)
    events: list[Event] = [
        AlertRaised(
            alert=alert_id,
            severity=severity_of(alert_id),
            subject=condition.subject,
            text=condition.text,
            detail=condition.detail,
        )
        for alert_id, condition in wanted.items()
        if _is_news(state.alerts.get(alert_id), condition)
    ]
    events.extend(AlertResolved(alert=a) for a in state.alerts if a not in wanted)
    return events


def _is_news(alert: Alert | None, condition: Condition) -> bool:
    if alert is None:
        return True
    said = (alert.severity, alert.text, alert.detail)
    return condition.is_corrected and said != (
        severity_of(alert.id),
        condition.text,
        condition.detail,
    )


def conditions(state: FleetState, now_ms: int) -> dict[AlertId, Condition]:
    """Everything that deserves an alert at this instant."""
    found: dict[AlertId, Condition] = {}
    for agent in state.agents.values():
        rule, condition = rule_of_health(agent.health), _of_agent(agent, now_ms)
        if rule and condition and not _is_told_by_its_pool(state, agent):
            found[alert_id(rule, agent.name)] = condition
        if agent.breaker is not None:
            failing = _of_breaker(agent.name, agent.breaker)
            found[alert_id(AlertRule.AGENT_FAILING, agent.name)] = failing
    for pool, reason in state.braked_pools.items():
        found[alert_id(AlertRule.FAILOVER_BRAKED, pool)] = _of_braked(state, pool, reason)
    found.update(_of_engine(state))
    found.update(_of_pools(state, now_ms))
    found.update(_of_tasks(state, now_ms))
    found.update(_of_dead_letters(state, now_ms))
    found.update(_of_models(state))
    return found


def _of_braked(state: FleetState, pool: PoolName, reason: str) -> Condition:
    """Why failover is stopped, and the failure that most of the lost agents share: if a token is
    missing everywhere, the token is the cause, not failover."""
    lost = [
        agent
        for spec in state.fleet.agents.values()
        if spec.pool == pool
        and (agent := state.agents.get(spec.name)) is not None
        and agent.failure is not None
        and agent.health.is_lost
    ]
    text, detail = f"failover stopped: {reason}", NOTHING_SAID
    if lost:
        kinds = Counter(a.failure for a in lost if a.failure is not None)
        kind = max(kinds, key=kinds.__getitem__)
        cure = ", needs an operator" if kind.is_permanent else ""
        text += f"; {kinds[kind]} of them: {kind.text}{cure}"
        detail = next(a.detail for a in lost if a.failure is kind)
    return Condition(subject=pool, text=text, detail=detail, is_corrected=True)


def _is_told_by_its_pool(state: FleetState, agent: AgentState) -> bool:
    """Whether the agent is one of those whose loss stopped their pool's failover: one alert for all
    of them."""
    spec = state.fleet.agents.get(agent.name)
    is_braked = spec is not None and spec.pool in state.braked_pools
    return is_braked and agent.health.has_vanished


def reconcile_troubles(state: FleetState, now: Mapping[Trouble, str]) -> list[Event]:
    """Events for the resources that the engine now lacks or has again."""
    known = state.engine.troubles
    events: list[Event] = [
        EngineTroubled(trouble=trouble, text=text)
        for trouble, text in now.items()
        if known.get(trouble) != text
    ]
    events.extend(EngineTroubled(trouble=trouble) for trouble in known if trouble not in now)
    return events


def _of_engine(state: FleetState) -> dict[AlertId, Condition]:
    found: dict[AlertId, Condition] = {}
    if state.engine.mode.mode is EngineMode.FROZEN:
        found[alert_id(AlertRule.ENGINE_HOLD, "engine")] = Condition(
            subject="engine",
            text="starts no new work until thawed",
            detail=Untrusted(state.engine.mode.reason),
        )
    for trouble, text in state.engine.troubles.items():
        found[alert_id(AlertRule.ENGINE_TROUBLE, trouble)] = Condition(
            subject="engine",
            text=f"{text}; {TROUBLES[trouble].way_out}",
            is_corrected=True,
        )
    if state.engine.file_problem:
        found[alert_id(AlertRule.FLEET_FILE, "fleet file")] = Condition(
            subject="fleet file",
            text="has errors; the last valid version stays in force",
            detail=Untrusted(state.engine.file_problem),
            is_corrected=True,
        )
    return found


def _of_dead_letters(state: FleetState, now_ms: int) -> dict[AlertId, Condition]:
    newest = list(islice(reversed(state.dead_letters.values()), DEAD_LETTER_GROWTH))
    if len(newest) < DEAD_LETTER_GROWTH:
        return {}
    if now_ms - (newest[-1].ended_at_ms or 0) > DEAD_LETTER_WINDOW_MS:
        return {}
    minutes = DEAD_LETTER_WINDOW_MS // 60_000
    text = f"{DEAD_LETTER_GROWTH} or more new dead letters within {minutes} min"
    condition = Condition(subject="dead letters", text=text)
    return {alert_id(AlertRule.DEAD_LETTERS, "tasks"): condition}


def _of_models(state: FleetState) -> dict[AlertId, Condition]:
    """A model that fails on several agents at once: their runs count as running but make no
    progress."""
    reasons: Counter[str] = Counter()
    agents: set[AgentName] = set()
    for task in state.open_tasks.values():
        attempt = task.open_attempt
        trouble = trouble_of(attempt)
        if attempt is None or trouble is None or silence_of(state, task) is not None:
            continue
        if trouble.attempt >= OUTAGE_FROM_TRY:
            agents.add(attempt.agent)
            reasons[reason_of(trouble)] += 1
    if len(agents) < OUTAGE_AGENTS:
        return {}
    named = ", ".join(sorted(agents)[:OUTAGE_NAMED])
    more = " and more" if len(agents) > OUTAGE_NAMED else ""
    reason = min(reasons, key=lambda r: (-reasons[r], r))
    return {
        alert_id(AlertRule.MODEL_OUTAGE, "models"): Condition(
            subject="models",
            text=f"the model keeps failing on {named}{more}: {reason}",
            is_corrected=True,
        )
    }


def is_out_of_service(agent: AgentState, now_ms: int) -> bool:
    """Whether an agent that takes no work deserves an alert. One that is just starting, one that
    failed a single probe and one that was not probed yet will be back by themselves; one kept out
    by an operator is not expected back."""
    if agent.cordon is not None or agent.breaker is not None:
        return True
    match agent.health:
        case Health.UP | Health.DEGRADED | Health.SUSPECT | Health.JOINING:
            return False
        case Health.STARTING:
            return now_ms - agent.since_ms >= STARTING_ALERT_AFTER_MS
        case (
            Health.DRAINING | Health.UNREACHABLE | Health.DOWN | Health.QUARANTINED | Health.RETIRED
        ):
            return True
        case _:
            assert_never(agent.health)


def _of_breaker(name: AgentName, breaker: Breaker) -> Condition:
    """The alert for an agent whose work fails, with the agent's own reason."""
    hit = words.plural(len(breaker.hit), "task")
    text = f"gets no tasks for now, {hit} hit: {breaker.reason}; uncordon it once fixed"
    return Condition(subject=name, text=text, detail=breaker.detail, is_corrected=True)


def _of_agent(agent: AgentState, now_ms: int) -> Condition | None:
    match agent.health:
        case Health.UNREACHABLE | Health.DOWN | Health.QUARANTINED:
            return Condition(
                subject=agent.name,
                text=f"{agent.health}: {agent.reason}",
                detail=agent.detail,
                is_corrected=True,
            )
        case Health.DEGRADED:
            return Condition(subject=agent.name, text=f"degraded: {agent.reason}")
        case Health.STARTING if is_out_of_service(agent, now_ms) and agent.cordon is None:
            minutes = STARTING_ALERT_AFTER_MS // 60_000
            return Condition(
                subject=agent.name,
                text=f"starting for more than {minutes} min: {agent.reason}",
                detail=agent.detail,
                is_corrected=True,
            )
        case (
            Health.JOINING
            | Health.UP
            | Health.SUSPECT
            | Health.STARTING
            | Health.DRAINING
            | Health.RETIRED
        ):
            return None
        case _:
            assert_never(agent.health)


def _of_pools(state: FleetState, now_ms: int) -> dict[AlertId, Condition]:
    total: Counter[PoolName] = Counter()
    serving: set[PoolName] = set()
    for spec in state.fleet.agents.values():
        agent = state.agents.get(spec.name)
        if agent is None or agent.health is Health.JOINING:
            continue
        total[spec.pool] += 1
        if not is_out_of_service(agent, now_ms):
            serving.add(spec.pool)
    return {
        alert_id(AlertRule.POOL_EMPTY, pool): Condition(
            subject=pool,
            text=f"no agent in service ({count} out of service)",
            is_corrected=True,
        )
        for pool, count in total.items()
        if pool not in serving and pool not in state.braked_pools
    }


def _of_tasks(state: FleetState, now_ms: int) -> dict[AlertId, Condition]:
    verdicts = unknown = 0
    held = late = away = over_budget = False
    for task in state.open_tasks.values():
        attempt = task.open_attempt
        if task.phase is TaskPhase.NEEDS_OPERATOR:
            verdicts += 1
        elif attempt is not None and attempt.phase is AttemptPhase.UNKNOWN:
            since_ms = attempt.unknown_since_ms or now_ms
            unknown += now_ms - since_ms >= UNKNOWN_ALERT_AFTER_MS
        elif task.phase is TaskPhase.WAITING and task.pending is not None:
            if task.pending.code is PendingCode.HOLD:
                continue  # somebody wants it so
            over_budget = over_budget or task.pending.code is PendingCode.RETRY_BUDGET
            if task.pending.code.is_held:
                held = held or now_ms - task.pending.since_ms >= HELD_ALERT_AFTER_MS
            elif now_ms - task.submitted_at_ms >= OLD_WAIT_ALERT_AFTER_MS:
                is_away = task.pending.code.is_for_agents
                away, late = away or is_away, late or not is_away
    found: dict[AlertId, Condition] = {}
    if verdicts:
        found[alert_id(AlertRule.NEEDS_OPERATOR, "tasks")] = Condition(
            subject="tasks",
            text="1 needs your verdict" if verdicts == 1 else f"{verdicts} need your verdict",
            is_corrected=True,
        )
    if unknown:
        found[alert_id(AlertRule.UNKNOWN_RUNS, "tasks")] = Condition(
            subject="runs",
            text=f"{unknown} in unknown state",
            is_corrected=True,
        )
    if held:
        found[alert_id(AlertRule.HELD, "tasks")] = Condition(
            subject="queue", text="no agent can take some tasks"
        )
    if over_budget:
        found[alert_id(AlertRule.RETRY_BUDGET, "queue")] = Condition(
            subject="queue", text="the retry budget is spent; retries wait"
        )
    if away:
        found[alert_id(AlertRule.LONG_WAIT, "agents")] = Condition(
            subject="queue",
            text="tasks wait more than 2 min for agents that are out of service",
        )
    if late:
        found[alert_id(AlertRule.LONG_WAIT, "tasks")] = Condition(
            subject="queue", text="tasks wait more than 2 min for a slot"
        )
    return found
