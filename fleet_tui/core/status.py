"""The fleet in a handful of numbers. Console, CLI and exports all use them, so they agree."""

import math
from collections.abc import Sequence

import msgspec

from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import FleetSample
from fleet_tui.core.alerting.model import Severity
from fleet_tui.core.fleet import Priority
from fleet_tui.core.ids import PoolName
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.model import AttemptPhase, Task, TaskPhase
from fleet_tui.core.tasks.open_work import OpenWork
from fleet_tui.core.text.words import elapsed_ms

RATE_WINDOW_MS = 900_000
"""Rates, errors and percentiles look back this far."""


class FleetStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of the header. Rates look back RATE_WINDOW_MS, or the ledger's age if less."""

    agents: int
    by_health: dict[Health, int]
    cordoned: int
    in_service: int
    slots: int
    slots_used: int
    waiting: int
    waiting_by_priority: dict[Priority, int]
    waiting_by_pool: dict[PoolName, int]
    held: int
    """Waiting tasks that will not be placed by waiting."""
    running: int
    unknown: int
    needs_operator: int
    oldest_wait_ms: int | None
    wait_ms_p95_by_priority: dict[Priority, int]
    """Submission to first placement, of tasks placed in the window."""
    run_ms_p95: int | None
    """Duration of runs that succeeded in the window."""
    error_rate: float | None
    """Failed share of the tasks that ended in the window; None when none ended."""
    tasks_per_minute: float
    decisions_per_minute: float
    cost_microusd_per_hour: int
    """Agents' hourly prices plus the cost of runs in the window, per hour."""
    has_unknown_cost: bool
    """Whether a run that ended in the window reported an unusable cost."""
    alerts_open: int
    alerts_crit: int
    queue_trend_per_minute: float | None
    """How fast the queue grows; None without enough samples."""

    @property
    def is_healthy(self) -> bool:
        """Whether nothing needs an operator."""
        return self.alerts_crit == 0 and self.needs_operator == 0


def percentile(values: Sequence[int], share: float) -> int | None:
    """The nearest-rank percentile (share in 0..1); None for no values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def summarize(
    state: FleetState,
    now_ms: int,
    samples: Sequence[FleetSample] = (),
    work: OpenWork | None = None,
) -> FleetStatus:
    """The fleet's numbers at an instant. A caller that repeats this keeps its own ``work``."""
    by_health: dict[Health, int] = {}
    used = 0
    for agent in state.agents.values():
        by_health[agent.health] = by_health.get(agent.health, 0) + 1
        used += len(agent.runs)
    queue = (work or OpenWork()).follow(state.open_tasks)
    since = now_ms - RATE_WINDOW_MS
    ended = [t for t in state.ended_tasks() if t.ended_at_ms is not None and t.ended_at_ms >= since]
    failed = sum(t.phase.has_failed for t in ended)
    judged = failed + sum(t.phase is TaskPhase.SUCCEEDED for t in ended)
    canaries = [c for a in state.agents.values() for c in a.canaries_since(since)]
    starts = [t.submitted_at_ms for t in state.ended_tasks()] + [c.since_ms for c in canaries]
    began = min(starts, default=now_ms)
    window_ms = min(RATE_WINDOW_MS, max(now_ms - began, 60_000))
    cost = sum(t.cost_microusd for t in ended) + sum(c.cost_microusd for c in canaries)
    hourly = sum(a.prices.per_hour_microusd for a in state.fleet.agents.values())
    decided = sum(d.at_ms >= now_ms - 60_000 for d in state.decisions)
    return FleetStatus(
        agents=len(state.agents),
        by_health=by_health,
        cordoned=sum(a.cordon is not None for a in state.agents.values()),
        in_service=sum(a.in_service for a in state.agents.values()),
        slots=sum(a.slots for a in state.fleet.agents.values()),
        slots_used=used,
        waiting=queue.waiting,
        waiting_by_priority=queue.by_priority(),
        waiting_by_pool=queue.by_pool(),
        held=queue.held,
        running=queue.running,
        unknown=queue.unknown,
        needs_operator=queue.needs_operator,
        oldest_wait_ms=None if queue.oldest_ms is None else elapsed_ms(queue.oldest_ms, now_ms),
        wait_ms_p95_by_priority=_waits(ended, state, since),
        run_ms_p95=percentile([d for t in ended if (d := _run_ms(t)) is not None], 0.95),
        error_rate=failed / judged if judged else None,
        tasks_per_minute=len(ended) * 60_000 / window_ms,
        decisions_per_minute=float(decided),
        cost_microusd_per_hour=hourly + cost * 3_600_000 // window_ms,
        has_unknown_cost=any(t.has_unknown_cost for t in ended)
        or any(c.has_unknown_cost for c in canaries),
        alerts_open=len(state.alerts),
        alerts_crit=sum(a.severity is Severity.CRIT for a in state.alerts.values()),
        queue_trend_per_minute=trend_per_minute(samples, now_ms),
    )


def _waits(ended: Sequence[Task], state: FleetState, since_ms: int) -> dict[Priority, int]:
    waits: dict[Priority, list[int]] = {}
    tried = [task for task in state.open_tasks.values() if task.attempts]
    for task in (*ended, *tried):
        if task.attempts and task.attempts[0].planned_at_ms >= since_ms:
            waited = elapsed_ms(task.submitted_at_ms, task.attempts[0].planned_at_ms)
            waits.setdefault(task.spec.priority, []).append(waited)
    found = {p: percentile(w, 0.95) for p, w in waits.items()}
    return {p: w for p, w in found.items() if w is not None}


def _run_ms(task: Task) -> int | None:
    last = task.attempt
    if last is None or last.phase is not AttemptPhase.SUCCEEDED:
        return None
    if last.started_at_ms is None or last.ended_at_ms is None:
        return None
    return elapsed_ms(last.started_at_ms, last.ended_at_ms)


TREND_WINDOW_MS = 120_000


def trend_per_minute(samples: Sequence[FleetSample], now_ms: int) -> float | None:
    """Tasks per minute by which the queue grew over the last TREND_WINDOW_MS."""
    recent = [s for s in samples if now_ms - TREND_WINDOW_MS <= s.at_ms <= now_ms]
    span_ms = elapsed_ms(recent[0].at_ms, recent[-1].at_ms) if recent else 0
    if span_ms == 0:
        return None
    return (recent[-1].depth - recent[0].depth) * 60_000 / span_ms


def sample_of(state: FleetState, now_ms: int, work: OpenWork | None = None) -> FleetSample:
    """A sample of the fleet at an instant, for the charts; ``work`` as for :func:`summarize`."""
    queue = (work or OpenWork()).follow(state.open_tasks)
    first, second, third, fourth = queue.by_priority().values()
    return FleetSample(
        at_ms=now_ms,
        waiting=(first, second, third, fourth),
        running=queue.running + queue.unknown,
        up=sum(a.health.takes_work for a in state.agents.values()),
        agents=len(state.agents),
        waiting_by_pool=queue.by_pool(),
    )
