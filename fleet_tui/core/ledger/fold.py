"""Applying facts: the next state from a state and what was recorded after it.

Folding never decides anything: it asks no policy, no clock and no randomness, so the live engine,
every console and an offline review of the same ledger cannot disagree. A batch copies each map it
touches once.
"""

from collections.abc import Iterable
from typing import assert_never

from msgspec.structs import replace

from fleet_tui.core.agents.events import (
    AgentCordoned,
    AgentIdentified,
    AgentTripped,
    AgentTrusted,
    AgentUncordoned,
    FailoverFrozen,
    FailoverThawed,
    HealthChanged,
)
from fleet_tui.core.agents.fold import AgentEvent, excused, next_agent, with_run, without_run
from fleet_tui.core.agents.model import AgentState, Health
from fleet_tui.core.alerting.events import AlertAcked, AlertRaised, AlertResolved
from fleet_tui.core.alerting.model import Alert
from fleet_tui.core.fleet import FleetSpec, Prices
from fleet_tui.core.ids import AgentName, split_run_id
from fleet_tui.core.ledger import events as e
from fleet_tui.core.ledger.commands import Verdict
from fleet_tui.core.ledger.state import (
    MAX_CLOSED_ALERTS,
    MAX_DECISIONS,
    MAX_NOTES,
    FleetState,
    Note,
)
from fleet_tui.core.modes import NORMAL, EngineMode, EngineState, ModeNow
from fleet_tui.core.routing.decision import Pending, PendingCode
from fleet_tui.core.routing.record import DecisionRecord
from fleet_tui.core.tasks.events import (
    AboutAttempt,
    AboutTask,
    AttemptCancelling,
    AttemptCancelRefused,
    AttemptCheckpointed,
    AttemptDied,
    AttemptEvent,
    AttemptFinished,
    AttemptGivenUp,
    AttemptLate,
    AttemptNotStarted,
    AttemptSeen,
    AttemptStarted,
    AttemptStopped,
    AttemptSuspended,
    AttemptTold,
    AttemptTroubled,
    AttemptUnknown,
    TaskBlamed,
    TaskCancelRequested,
    TaskDropped,
    TaskEdited,
    TaskEnded,
    TaskEvent,
    TaskExpedited,
    TaskHeld,
    TaskNeedsOperator,
    TaskPending,
    TaskPlaced,
    TaskReleased,
    TaskReprioritized,
    TaskResolved,
    TaskRetrying,
    TaskSubmitted,
)
from fleet_tui.core.tasks.evidence import Usage
from fleet_tui.core.tasks.fold import next_attempt
from fleet_tui.core.tasks.keys import key_mark
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, Hold, Task, TaskPhase
from fleet_tui.core.tasks.retry_budget import counted
from fleet_tui.core.tasks.shelves import Shelves


def fold(state: FleetState, batch: Iterable[e.Recorded]) -> FleetState:
    """The state after the batch. Events must follow the state's ``seq`` in order."""
    folding = Folding(state)
    for recorded in batch:
        folding.apply(recorded)
    return folding.state()


class Folding:
    """Events being applied one after the other: maps are copied when they are first written, the
    rest is replaced when the state is asked for.

    A state that it gave is good until the next event is applied; the last one is good for ever.
    """

    def __init__(self, base: FleetState) -> None:
        self._begin(base)

    def _begin(self, base: FleetState) -> None:
        self.base = base
        self.seq = base.seq
        self.at_ms = base.at_ms
        self.engine = base.engine
        self.fleet = base.fleet
        self.totals = base.totals
        self.unknown_events = base.unknown_events
        self.agents = base.agents
        self.tasks = Shelves(base)
        self.recent_starts = base.recent_starts
        self.turns = base.turns
        self.alerts = base.alerts
        self.frozen_pools = base.frozen_pools
        self.closed_alerts = base.closed_alerts
        self.notes = base.notes
        self.decisions = base.decisions
        self.new_decisions: list[DecisionRecord] = []

    def state(self) -> FleetState:
        """The state after the events so far."""
        if self.new_decisions:
            self.decisions = (*self.decisions, *self.new_decisions)[-MAX_DECISIONS:]
            self.new_decisions.clear()
        return FleetState(
            seq=self.seq,
            at_ms=self.at_ms,
            engine=self.engine,
            fleet=self.fleet,
            agents=self.agents,
            open_tasks=self.tasks.open,
            closed_tasks=self.tasks.closed,
            dead_letters=self.tasks.dead,
            unheard_tasks=self.tasks.unheard,
            keys=self.tasks.keys,
            open_by_priority=self.tasks.by_priority,
            open_by_client=self.tasks.by_client,
            recent_starts=self.recent_starts,
            turns=self.turns,
            decisions=self.decisions,
            alerts=self.alerts,
            closed_alerts=self.closed_alerts,
            frozen_pools=self.frozen_pools,
            notes=self.notes,
            totals=self.totals,
            unknown_events=self.unknown_events,
        )

    # One case per kind, grouped by what they change; the hot groups first.

    def apply(self, recorded: e.Recorded) -> None:
        """Take in the next event."""
        event = recorded.event
        self.seq = recorded.seq
        self.at_ms = recorded.at_ms
        match event:
            case AboutAttempt():
                self._attempt(event)
            case AboutTask():
                self._task(event)
            case HealthChanged() | AgentIdentified() | AgentCordoned() | AgentUncordoned():
                self._agent(event)
            case AgentTripped() | AgentTrusted():
                self._agent(event)
            case AlertRaised() | AlertResolved() | AlertAcked():
                self._alert(event)
            case FailoverFrozen(pool=pool, reason=reason):
                self.frozen_pools = {**self.frozen_pools, pool: reason}
            case FailoverThawed(pool=pool):
                self.frozen_pools = {p: r for p, r in self.frozen_pools.items() if p != pool}
            case e.NoteAdded(by=by, text=text):
                note = Note(at_ms=self.at_ms, by=by, text=text)
                self.notes = (*self.notes, note)[-MAX_NOTES:]
            case e.FleetLoaded(spec=spec):
                before, self.fleet = self.fleet, spec
                self.engine = replace(self.engine, file_problem="")
                self._follow_fleet(before)
            case e.EngineStarted(epoch=epoch, version=version, pid=pid):
                held = self.engine.mode if self.engine.mode.mode is EngineMode.HOLD else NORMAL
                self.engine = EngineState(
                    epoch=epoch, version=version, pid=pid, started_at_ms=self.at_ms, mode=held
                )
            case e.EngineModeChanged(mode=mode, reason=reason, by=by):
                now = ModeNow(mode=mode, reason=reason, since_ms=self.at_ms, by=by)
                self.engine = replace(self.engine, mode=now)
            case e.EngineUnitFailed():
                pass  # a line of the log; what follows from it is an event of its own
            case e.EngineTroubled(trouble=trouble, text=text):
                troubles = {t: said for t, said in self.engine.troubles.items() if t != trouble}
                if text:
                    troubles[trouble] = text
                self.engine = replace(self.engine, troubles=troubles)
            case e.FleetFileJudged(problem=problem):
                self.engine = replace(self.engine, file_problem=problem)
            case e.EngineStopped():
                self.engine = replace(self.engine, stopped_at_ms=self.at_ms)
            case e.SegmentOpened(state=opened):
                self._reopen(opened)
            case e.UnknownEvent():
                self.unknown_events += 1
            case _:
                assert_never(event)

    def _reopen(self, opened: FleetState) -> None:
        seq, at_ms = self.seq, self.at_ms
        self._begin(opened)
        self.seq, self.at_ms = seq, at_ms

    # Agents

    def _set_agent(self, agent: AgentState) -> None:
        if self.agents is self.base.agents:
            self.agents = dict(self.agents)
        self.agents[agent.name] = agent

    def _agent(self, event: AgentEvent) -> None:
        agent = self.agents.get(event.agent)
        if agent is not None:
            self._set_agent(next_agent(agent, event, self.at_ms))

    def _follow_fleet(self, before: FleetSpec) -> None:
        agents: dict[AgentName, AgentState] = {}
        for name, spec in self.fleet.agents.items():
            known = self.agents.get(name) or AgentState(name=name, since_ms=self.at_ms)
            was = before.agents.get(name)
            if was is None or (was.kind, was.host) != (spec.kind, spec.host):
                # What it failed under another description says nothing about this one.
                known = replace(known, strikes=(), breaker=None)
            if known.health is Health.RETIRED:  # it is back, with what it still runs
                known = replace(
                    known, health=Health.JOINING, since_ms=self.at_ms, reason="", failure=None
                )
            agents[name] = known
        for name, known in self.agents.items():
            if name not in agents and known.runs:
                agents[name] = (
                    known
                    if known.health is Health.RETIRED
                    else replace(
                        known,
                        health=Health.RETIRED,
                        since_ms=self.at_ms,
                        reason="",
                        prices=before.agents[name].prices if name in before.agents else Prices(),
                    )
                )
        self.agents = agents

    # Tasks

    def _task(self, event: TaskEvent) -> None:
        if isinstance(event, TaskSubmitted):
            self._submitted(event)
            return
        task = self.tasks.find(event.task)
        if task is None:
            return
        match event:
            case TaskPlaced():
                self._placed(task, event)
            case TaskEnded():
                self._ended(task, event)
            case TaskPending(pending=pending):
                self.tasks.put(replace(task, pending=pending))
                if pending.decision is not None:
                    self._record_decision(task, pending, attempt=0)
            case TaskRetrying(not_before_ms=not_before_ms, reason=reason):
                self.tasks.put(
                    replace(
                        task,
                        phase=TaskPhase.WAITING,
                        not_before_ms=not_before_ms,
                        requeued_at_ms=(
                            max(self.at_ms, not_before_ms)
                            if task.phase.is_closed
                            else task.requeued_at_ms
                        ),
                        duplicate_possible=task.duplicate_possible or event.duplicate_possible,
                        # Whoever wanted it gone was obeyed or overruled.
                        cancel_requested_by=None,
                        dropped_by=None,
                        reason=reason,
                        ended_at_ms=None,
                        pending=Pending(
                            code=PendingCode.BACKOFF, since_ms=self.at_ms, detail=reason
                        ),
                    )
                )
            case TaskBlamed(agents=names):
                for agent in (self.agents.get(name) for name in names):
                    if agent is not None:
                        self._set_agent(excused(agent, task))
            case TaskNeedsOperator(reason=reason):
                self.tasks.put(
                    replace(task, phase=TaskPhase.NEEDS_OPERATOR, reason=reason, pending=None)
                )
            case TaskResolved():
                self._resolved(task, event)
            case TaskCancelRequested(by=by):
                self.tasks.put(replace(task, cancel_requested_by=by))
            case TaskHeld() | TaskReleased() | TaskExpedited() | TaskReprioritized():
                self._queued(task, event)
            case TaskEdited(spec=spec, payload_sha256=digest):
                self.tasks.put(
                    replace(task, spec=spec, payload_sha256=digest, asked=task.submitted_spec)
                )
            case TaskDropped(by=by):
                self.tasks.put(replace(task, dropped_by=by))
                self.totals = replace(self.totals, dropped=self.totals.dropped + 1)
            case _:
                assert_never(event)

    def _resolved(self, task: Task, event: TaskResolved) -> None:
        again = event.verdict != Verdict.RAN.value
        self.tasks.put(
            replace(
                task,
                reason=f"{event.by}: {event.reason}",
                judged=task.attempt.run_id if task.attempt is not None else None,
                requeued_at_ms=self.at_ms if again else task.requeued_at_ms,
            )
        )

    def _queued(
        self,
        task: Task,
        event: TaskHeld | TaskReleased | TaskExpedited | TaskReprioritized,
    ) -> None:
        match event:
            case TaskHeld(by=by, reason=reason):
                why = f"held by {by}" + (f": {reason}" if reason else "")
                pending = Pending(code=PendingCode.HOLD, since_ms=self.at_ms, detail=why)
                hold = Hold(by=by, reason=reason, since_ms=self.at_ms)
                task = replace(task, hold=hold, pending=pending)
            case TaskReleased():
                waits = task.phase is TaskPhase.WAITING
                new = Pending(code=PendingCode.NEW, since_ms=self.at_ms) if waits else None
                task = replace(task, hold=None, pending=new)
            case TaskExpedited():
                task = replace(task, expedited_at_ms=self.at_ms)
            case TaskReprioritized(priority=priority):
                spec = replace(task.spec, priority=priority)
                task = replace(task, spec=spec, asked=task.submitted_spec)
            case _:
                assert_never(event)
        self.tasks.put(task)

    def _submitted(self, event: TaskSubmitted) -> None:
        self.tasks.put(
            Task(
                id=event.task,
                number=event.number,
                key=event.key,
                spec=event.spec,
                by=event.by,
                submitted_at_ms=self.at_ms,
                payload_sha256=event.payload_sha256,
                pending=Pending(code=PendingCode.NEW, since_ms=self.at_ms),
            )
        )
        mark = key_mark(event.task, event.spec, event.payload_sha256)
        self.tasks.remember_key(event.key, mark)
        self.totals = replace(self.totals, submitted=self.totals.submitted + 1)

    def _placed(self, task: Task, event: TaskPlaced) -> None:
        self.recent_starts = counted(self.recent_starts, self.at_ms, retry=task.is_retry)
        attempt = Attempt(
            run_id=event.run,
            number=event.number,
            agent=event.agent,
            phase=AttemptPhase.PLANNED,
            planned_at_ms=self.at_ms,
            decision=event.decision,
            epoch=self.engine.epoch,
        )
        task = replace(
            task, phase=TaskPhase.ACTIVE, pending=None, attempts=(*task.attempts, attempt)
        )
        self.tasks.put(task)
        agent = self.agents.get(event.agent)
        if agent is not None:
            self._set_agent(with_run(agent, attempt))
        if event.decision.pool is not None:
            self.turns = {**self.turns, event.decision.pool: event.agent}
        self.totals = replace(self.totals, attempts=self.totals.attempts + 1)
        self._record_decision(task, None, attempt=event.number)

    def _record_decision(self, task: Task, pending: Pending | None, attempt: int) -> None:
        decision = pending.decision if pending is not None else task.attempts[-1].decision
        assert decision is not None
        self.new_decisions.append(
            DecisionRecord(
                seq=self.seq,
                at_ms=self.at_ms,
                task=task.id,
                task_number=task.number,
                priority=task.spec.priority,
                decision=decision,
                attempt=attempt,
                pending=pending,
            )
        )
        self.totals = replace(self.totals, decisions=self.totals.decisions + 1)

    def _ended(self, task: Task, event: TaskEnded) -> None:
        self.tasks.put(
            replace(
                task, phase=event.phase, reason=event.reason, ended_at_ms=self.at_ms, pending=None
            )
        )
        t = self.totals
        match event.phase:
            case TaskPhase.SUCCEEDED:
                self.totals = replace(t, succeeded=t.succeeded + 1)
            case TaskPhase.FAILED:
                self.totals = replace(t, failed=t.failed + 1)
            case TaskPhase.CANCELLED:
                self.totals = replace(t, cancelled=t.cancelled + 1)
            case TaskPhase.EXPIRED:
                self.totals = replace(t, expired=t.expired + 1)
            case TaskPhase.WAITING | TaskPhase.ACTIVE | TaskPhase.NEEDS_OPERATOR:
                raise AssertionError(f"a task cannot end as {event.phase}")
            case _:
                assert_never(event.phase)

    # Attempts

    def _attempt(self, event: AttemptEvent) -> None:
        task_id, number = split_run_id(event.run)
        task = self.tasks.find(task_id)
        if task is None or not 1 <= number <= len(task.attempts):
            return
        before = task.attempts[number - 1]
        after = next_attempt(before, event, self.at_ms)
        attempts = (*task.attempts[: number - 1], after, *task.attempts[number:])
        self.tasks.put(replace(task, attempts=attempts))
        match event:
            case AttemptFinished() | AttemptStopped() | AttemptLate() | AttemptTold():
                self._pay(after.agent, event.usage, event.cost_microusd)
            case (
                AttemptStarted()
                | AttemptSeen()
                | AttemptNotStarted()
                | AttemptCheckpointed()
                | AttemptUnknown()
                | AttemptDied()
                | AttemptCancelling()
                | AttemptCancelRefused()
                | AttemptTroubled()
                | AttemptSuspended()
                | AttemptGivenUp()
            ):
                pass
            case _:
                assert_never(event)
        if before.phase.is_open and not after.phase.is_open:
            self._free_slot(after)

    def _free_slot(self, ended: Attempt) -> None:
        agent = self.agents.get(ended.agent)
        if agent is not None:
            self._set_agent(without_run(agent, ended, self.at_ms))

    def _pay(self, name: AgentName, usage: Usage, cost_microusd: int) -> None:
        tokens = usage.total_tokens
        if not tokens and not cost_microusd:
            return
        agent = self.agents.get(name)
        if agent is not None:
            self._set_agent(
                replace(
                    agent,
                    cost_microusd=agent.cost_microusd + cost_microusd,
                    tokens=agent.tokens + tokens,
                )
            )
        self.totals = replace(
            self.totals,
            cost_microusd=self.totals.cost_microusd + cost_microusd,
            tokens=self.totals.tokens + tokens,
        )

    # Alerts

    def _alert(self, event: AlertRaised | AlertResolved | AlertAcked) -> None:
        self.alerts = dict(self.alerts)
        match event:
            case AlertRaised():
                known = self.alerts.get(event.alert)
                self.alerts[event.alert] = Alert(
                    id=event.alert,
                    severity=event.severity,
                    subject=event.subject,
                    text=event.text,
                    detail=event.detail,
                    raised_at_ms=self.at_ms if known is None else known.raised_at_ms,
                    acked_by=None if known is None else known.acked_by,
                )
            case AlertResolved(alert=alert_id):
                alert = self.alerts.pop(alert_id, None)
                if alert is not None:
                    closed = replace(alert, resolved_at_ms=self.at_ms)
                    self.closed_alerts = (*self.closed_alerts, closed)[-MAX_CLOSED_ALERTS:]
            case AlertAcked(alert=alert_id, by=by):
                if alert_id in self.alerts:
                    self.alerts[alert_id] = replace(self.alerts[alert_id], acked_by=by)
            case _:
                assert_never(event)
