"""What no ledger may say: every committed event held against the fleet file and what stood before.

Waits, limits, deadlines, classes, modes and verdicts are worked out here once more and differently,
from the events alone: neither :mod:`fleet_tui.core.ledger.fold` nor any decision of core is asked.
What really happened on the hosts is the business of :mod:`fleet_tui.sim.virtual.final_checks`.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import assert_never

from fleet_tui.core.agents.events import (
    AboutAgent,
    AgentCordoned,
    AgentEvent,
    AgentIdentified,
    AgentTripped,
    AgentTrusted,
    AgentUncordoned,
    CanaryEnded,
    CanaryStarted,
    FailoverBraked,
    FailoverResumed,
    HealthChanged,
)
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.alerting.events import AboutAlert
from fleet_tui.core.engine.events import AboutEngine
from fleet_tui.core.fleet import FleetSpec, OpenClawAgent, TaskClass
from fleet_tui.core.ids import AgentName, RunId
from fleet_tui.core.ledger import events as e
from fleet_tui.core.modes import EngineMode
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.core.tasks.commands import Verdict
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
from fleet_tui.core.tasks.evidence import LateWord, Usage
from fleet_tui.core.tasks.model import CancelCause, TaskPhase
from fleet_tui.sim.virtual.books import LOST, MINUTE_S, TAKES_WORK, Book, Try, Work
from fleet_tui.sim.virtual.overdue import LISTENS_MS, Overdue
from fleet_tui.sim.virtual.turns import boundary, wrong_turn

MOST_UNSTARTED = 20
"""After so many tries in a row that did not start, a person is asked."""
BRAKE_LOST = 3
"""Fewer agents that vanish are no mass loss."""

Broken = Callable[[str, str], None]


class Rules:
    """Hears every commit and says what must not stand in it."""

    def __init__(self, broken: Broken, calm_ms: Callable[[], float]) -> None:
        """``broken`` is told the name of the promise, and what was said; ``calm_ms`` tells for how
        long the engine has been at work without a disturbance."""
        self.book = Book()
        self._broken = broken
        self._overdue = Overdue(self.book, broken, calm_ms)
        self._judged: list[Work] = []
        """From a verdict on these, something has to follow in the same commit."""
        self._clock_stands = False
        """The batch has the time of the one before: the ledger's clock waits for the engine's."""

    def hear(self, rows: Sequence[e.Recorded]) -> None:
        """These were committed together."""
        book = self.book
        self._clock_stands = bool(rows) and rows[0].at_ms <= book.at_ms
        for row in rows:
            self._look(row.event, row.at_ms)
            book.enter(row)
        if not self._clock_stands:
            self._overdue.look()
        for work in self._judged:
            if work.verdict:
                text = f"nothing follows from {work.verdict} on {work.id}"
                self._broken("verdicts-are-obeyed", text)
                work.verdict = ""
        self._judged.clear()

    def _look(self, event: e.Event, at_ms: int) -> None:
        match event:
            case AboutTask():
                self._look_at_task(event, at_ms)
            case AboutAttempt():
                self._look_at_run(event, at_ms)
            case AboutAgent():
                self._look_at_agent(event, at_ms)
            case FailoverBraked():
                self._braked(event, at_ms)
            case FailoverResumed() | AboutEngine() | AboutAlert() | NoteAdded():
                pass  # the promises are about work, and about who gets it
            case e.SegmentOpened() | e.UnknownEvent():
                pass
            case _:
                assert_never(event)

    def _look_at_agent(self, event: AgentEvent, at_ms: int) -> None:
        match event:
            case CanaryStarted():
                self._tried(event, at_ms)
            case AgentTripped(relapsed=relapsed):
                if relapsed:
                    self._relapsed(event)
            case HealthChanged() | AgentIdentified() | AgentTrusted() | CanaryEnded():
                pass
            case AgentCordoned() | AgentUncordoned():
                pass  # an operator is free to
            case _:
                assert_never(event)

    def _look_at_task(self, event: TaskEvent, at_ms: int) -> None:
        match event:
            case TaskSubmitted():
                self._submitted(event)
            case TaskPlaced():
                self._placed(event, at_ms)
            case TaskRetrying():
                self._retrying(event, at_ms)
            case TaskEnded():
                self._ended(event, at_ms)
            case TaskNeedsOperator():
                self._asks(event)
            case TaskResolved():
                self._resolved(event)
            case TaskPending() | TaskBlamed():
                pass
            case TaskHeld() | TaskReleased() | TaskExpedited() | TaskReprioritized():
                pass  # an operator is free to
            case TaskCancelRequested() | TaskEdited() | TaskDropped():
                pass
            case _:
                assert_never(event)

    def _look_at_run(self, event: AttemptEvent, at_ms: int) -> None:
        match event:
            case AttemptCancelling():
                self._cancelling(event, at_ms)
            case AttemptGivenUp():
                self._given_up(event, at_ms)
            case AttemptLate() | AttemptTold():
                self._late(event)
            case (
                AttemptStarted()
                | AttemptSeen()
                | AttemptUnknown()
                | AttemptNotStarted()
                | AttemptFinished()
                | AttemptDied()
                | AttemptStopped()
            ):
                self._fact(event)
            case AttemptCheckpointed() | AttemptCancelRefused():
                pass
            case AttemptTroubled() | AttemptSuspended():
                pass
            case _:
                assert_never(event)

    # Taking work in, and giving it out

    def _submitted(self, event: TaskSubmitted) -> None:
        limits, spec = self.book.fleet.limits, event.spec
        others = [work.spec for work in self.book.works.values() if work.is_open]
        lane = sum(other.priority is spec.priority for other in others)
        share = sum(other.client == spec.client for other in others)
        client = None if spec.client is None else limits.of_client(spec.client)
        if len(others) >= limits.open:
            self._broken("limits", f"{event.task} is one more than {limits.open} open tasks")
        if lane >= limits.lanes.get(spec.priority, lane + 1):
            self._broken("limits", f"{event.task} is one too many in {spec.priority.name}")
        if client is not None and share >= client:
            self._broken("limits", f"{event.task} is one too many of {spec.client}")

    def _placed(self, event: TaskPlaced, at_ms: int) -> None:
        book, run = self.book, event.run
        work, fleet = book.works[event.task], book.fleet
        if book.mode is not EngineMode.NORMAL:
            self._broken("modes-hold", f"{run} was placed while the engine is on {book.mode}")
        if work.held:
            self._broken("modes-hold", f"{run} was placed, and its task is held")
        if work.cancelled:
            self._broken("cancel-is-kept", f"{run} was placed after its task was cancelled")
        if not work.waits or (work.tries and work.tries[-1].is_open):
            self._broken("one-attempt-at-a-time", f"{run} was placed, and its task does not wait")
        spec = fleet.agents.get(event.agent)
        if spec is None:
            self._broken("boundaries", f"{run} was placed on {event.agent}, which is no agent")
            return
        why = self._out_of_service(event.agent, at_ms)
        if why:
            self._broken("out-of-service", f"{run} was placed on {event.agent}, which is {why}")
        self._check_trial(run, work, event.agent)
        if book.busy(event.agent) >= spec.slots:
            self._broken("slots", f"{run} is one more than the {spec.slots} slots of {spec.name}")
        turn = wrong_turn(book, event)
        if turn:
            self._broken("round-robin", f"{run} was placed on {event.agent}, but {turn}")
        problem = boundary(fleet, spec, work.spec)
        if not problem and work.may_go_on and isinstance(spec.kind, OpenClawAgent):
            problem = "a gateway cannot resume from a checkpoint"
        if problem:
            self._broken("boundaries", f"{run} was placed on {spec.name}: {problem}")
        if not self._may_try(work):
            self._broken("classes", f"{run} is one more try than a {work.spec.task_class} may have")
        self._check_budget(work, at_ms)

    def _out_of_service(self, name: AgentName, at_ms: int) -> str:
        """Why an agent gets no work; empty when it does, if only one task on trial."""
        agent = self.book.agents[name]
        if agent.cordoned:
            return "cordoned"
        if agent.trial_ms is None or agent.health is not Health.SUSPECT:
            return "" if agent.health in TAKES_WORK else agent.health.value
        if agent.failure is not None or at_ms < agent.trial_ms:
            return "suspect"
        on_trial = agent.trial and self.book.work_of(RunId(agent.trial))[1].is_open
        return "on trial already" if on_trial else ""

    def _check_trial(self, run: RunId, work: Work, name: AgentName) -> None:
        agent = self.book.agents[name]
        is_trial = agent.trial_ms is not None and agent.is_harmful
        if is_trial and work.spec.task_class is not TaskClass.IDEMPOTENT:
            text = f"{run} must not run twice, and tries {name}, which fails what it runs"
            self._broken("trials-risk-nothing", text)

        spec = self.book.fleet.agents.get(name)
        if agent.trial_ms is not None and spec is not None and spec.canary and not agent.relapsed:
            text = f"{run} tries {name}, which a canary run is to try"
            self._broken("canaries-try", text)

    def _tried(self, event: CanaryStarted, at_ms: int) -> None:
        """A canary run is for an agent that only fails its work, where the fleet file lets it."""
        agent, spec = self.book.agents[event.agent], self.book.fleet.agents.get(event.agent)
        why = self._out_of_service(event.agent, at_ms)
        if spec is None or not spec.canary:
            why = "not to be tried so"
        elif self.book.mode is not EngineMode.NORMAL:
            why = f"idle while the engine is on {self.book.mode}"
        elif agent.trial_ms is None:
            why = "trusted"
        elif agent.canary or agent.relapsed:
            why = "tried already"
        if why:
            self._broken("canaries-try", f"{event.run} began, and {event.agent} is {why}")

    def _relapsed(self, event: AgentTripped) -> None:
        """What says that canary runs tell nothing is a failure of what began after one."""
        agent = self.book.agents[event.agent]
        if agent.trial_ms is not None:
            return  # it had relapsed before
        if agent.is_harmful and event.harmless:
            self._broken("trials-risk-nothing", f"{event.agent} fails its runs, and is forgiven")
        began_ms = max(
            (self.book.works[task].tries[-1].placed_ms for task in event.tasks), default=0
        )
        if agent.trusted_ms is None or began_ms < agent.trusted_ms:
            text = f"{event.agent} relapsed by what began before a canary run went well"
            self._broken("canaries-try", text)

    def _may_try(self, work: Work) -> bool:
        """Whether what was tried since people last asked leaves room for one more try."""
        if work.unstarted >= MOST_UNSTARTED:
            return False
        ran = [one for one in work.started if one.says is not LateWord.NEVER_STARTED]
        most = self.book.fleet.retry_policy(work.spec.task_class).max_attempts
        return not ran or (work.may_run_again and len(ran) < most)

    def _check_budget(self, work: Work, at_ms: int) -> None:
        book = self.book
        if not work.is_retry or self._clock_stands:
            return
        if book.retries_left(at_ms) <= 0:
            text = f"a retry of {work.id} is one more than may begin within a minute"
            self._broken("retry-budget", text)

    # What becomes of tasks

    def _retrying(self, event: TaskRetrying, at_ms: int) -> None:
        work = self.book.works[event.task]
        verdict, work.verdict = work.verdict, ""
        wait_ms = event.not_before_ms - at_ms
        if verdict:
            if verdict == Verdict.RAN or event.duplicate_possible != (verdict == Verdict.RUN_AGAIN):
                self._broken("verdicts-are-obeyed", f"{work.id} is retried after {verdict}")
            if wait_ms > 0:
                self._broken("waits", f"{work.id} waits {wait_ms} ms after a verdict")
            return
        if not work.is_open:  # a requeue; its pace is looked at in final_checks.py
            self._requeued(work, event)
            return
        if work.cancelled:
            self._broken("cancel-is-kept", f"{work.id} is retried after it was cancelled")
        if not work.tries:
            self._broken("waits", f"{work.id} is retried and was never tried")
            return
        last, policy = work.tries[-1], self.book.fleet.retry_policy(work.spec.task_class)
        if last.given_up and last.says is None and self.book.may_start_late(last):
            self._broken("unfenced-waits", f"{work.id} is retried, and {last.id} may still start")
        if last.failure and last.failure in policy.non_retryable:
            self._broken("non-retryable", f"{work.id} is retried after {last.failure}")
        if not self._may_try(work):
            self._broken("classes", f"{work.id} ({work.spec.task_class}) is retried once too often")
        due_ms = back_off_ms(self.book.fleet, work)
        if wait_ms > due_ms or (wait_ms < due_ms and not self._clock_stands):
            self._broken("waits", f"{work.id} waits {wait_ms} ms instead of {due_ms} ms")

    def _requeued(self, work: Work, event: TaskRetrying) -> None:
        if work.is_in_doubt or work.phase is TaskPhase.SUCCEEDED:
            self._broken("operators-decide", f"{work.id} is requeued, and it may have been done")
        last = work.tries[-1] if work.tries else None
        goes_on = last is not None and last.given_up and not (last.is_over or last.judged)
        if goes_on != event.duplicate_possible:
            self._broken("duplicates-are-told", f"{work.id} is requeued, and its last run goes on")

    def _ended(self, event: TaskEnded, at_ms: int) -> None:
        work = self.book.works[event.task]
        verdict, work.verdict = work.verdict, ""
        if (verdict == Verdict.RAN) != (event.phase is TaskPhase.SUCCEEDED) and verdict:
            self._broken("verdicts-are-obeyed", f"{work.id} is {event.phase} after {verdict}")
        last = work.tries[-1] if work.tries else None
        match event.phase:
            case TaskPhase.SUCCEEDED if not verdict and (last is None or last.ok is not True):
                self._broken("success-is-true", f"{work.id} succeeded, and no run of it did")
            case TaskPhase.CANCELLED if not work.cancelled:
                self._broken("cancel-is-kept", f"{work.id} is cancelled, and nobody asked for it")
            case TaskPhase.EXPIRED:
                self._expired(work, at_ms)
            case TaskPhase.FAILED:
                self._failed(work)
            case TaskPhase.SUCCEEDED | TaskPhase.CANCELLED:
                pass
            case TaskPhase.WAITING | TaskPhase.ACTIVE | TaskPhase.NEEDS_OPERATOR:
                self._broken("evidence-agrees", f"{work.id} ended as {event.phase}")
            case _:
                assert_never(event.phase)

    def _expired(self, work: Work, at_ms: int) -> None:
        limits = work.spec.deadlines or self.book.fleet.deadlines
        waited_ms = at_ms - work.asked_ms
        total = limits.total_ms is not None and waited_ms >= limits.total_ms
        late = limits.schedule_to_start_ms is not None and waited_ms >= limits.schedule_to_start_ms
        if not total and (not late or work.began):
            how = "after a start" if work.began else f"after {waited_ms} ms"
            self._broken("deadlines", f"{work.id} expired {how}")

    def _failed(self, work: Work) -> None:
        """What may be tried again is not given up."""
        last = work.tries[-1] if work.tries else None
        policy = self.book.fleet.retry_policy(work.spec.task_class)
        if work.cancelled:
            self._broken("cancel-is-kept", f"{work.id} failed after it was cancelled")
        if work.blamed:
            return
        if last is None or last.never_started or last.failure in policy.non_retryable:
            return
        spec = self.book.fleet.agents.get(last.agent)
        # Gateways may say that a second try would not help, and the ledger does not keep it.
        if spec is None or isinstance(spec.kind, OpenClawAgent):
            return
        if self._may_try(work) and len(work.started) < policy.max_attempts:
            self._broken("classes", f"{work.id} failed and has tries left")

    def _asks(self, event: TaskNeedsOperator) -> None:
        work = self.book.works[event.task]
        last = work.tries[-1]
        if work.cancelled:
            self._broken("cancel-is-kept", f"{work.id} asks a person after it was cancelled")
        if last.never_started:
            needless = work.unstarted < MOST_UNSTARTED
        else:
            may_run_twice = work.spec.task_class is TaskClass.IDEMPOTENT
            given_up = last.given_up and not (may_run_twice and not self.book.may_start_late(last))
            needless = not given_up and self._may_try(work)
        if last.is_open or last.ok is not None or needless:
            self._broken("no-needless-questions", f"{work.id} asks a person needlessly")

    def _resolved(self, event: TaskResolved) -> None:
        work = self.book.works[event.task]
        self._judged.append(work)
        last = work.tries[-1] if work.tries else None
        unknown = last is not None and last.is_open and last.is_lost
        if not (work.asks or unknown or work.is_in_doubt):
            self._broken("verdicts-are-obeyed", f"{work.id} was judged and nobody was in doubt")

    def _braked(self, event: FailoverBraked, at_ms: int) -> None:
        """Only agents that worked once can be lost, and only many at once are a reason."""
        names = [a.name for a in self.book.fleet.agents.values() if a.pool == event.pool]
        known = [m for n in names if (m := self.book.agents.get(n)) is not None and m.was_up]
        lost = [m for m in known if m.health in LOST and at_ms - m.since_ms <= MINUTE_S * 1_000]
        if len(lost) < BRAKE_LOST or len(lost) * 2 <= len(known):
            text = f"{event.pool} is frozen, and {len(lost)} of {len(known)} agents were lost"
            self._broken("brake-has-a-reason", text)

    # What becomes of runs

    def _cancelling(self, event: AttemptCancelling, at_ms: int) -> None:
        work, one = self.book.work_of(event.run)
        limits = work.spec.deadlines or self.book.fleet.deadlines
        since_ms = one.started_ms if one.started_ms is not None else one.placed_ms
        if not one.is_open:
            self._broken("evidence-agrees", f"{event.run} is stopped after it was over")
        match event.cause:
            case CancelCause.OPERATOR:
                if not work.cancelled:
                    self._broken("cancel-is-kept", f"{event.run} is stopped, and nobody wanted it")
            case CancelCause.DEADLINE:
                lasted_ms, waited_ms = at_ms - since_ms, at_ms - work.asked_ms
                close, total = limits.start_to_close_ms, limits.total_ms
                start = limits.schedule_to_start_ms
                long = one.started_ms is not None and close is not None and lasted_ms >= close
                late = not work.began and start is not None and waited_ms >= start
                over = one.started_ms is not None and total is not None and waited_ms >= total
                if not (long or late or over):
                    text = f"{event.run} is stopped {lasted_ms} ms after its start"
                    self._broken("deadlines", text)
            case CancelCause.HEARTBEAT:
                heard_ms = max(since_ms, self.book.engine_ms)
                limit = limits.heartbeat_ms
                if one.started_ms is None or limit is None or at_ms - heard_ms < limit:
                    text = f"{event.run} is called silent after {at_ms - heard_ms} ms"
                    self._broken("deadlines", text)
            case CancelCause.PREEMPTION:
                self._broken("cancel-is-kept", f"{event.run} is stopped for {event.cause}")
            case _:
                assert_never(event.cause)

    def _given_up(self, event: AttemptGivenUp, at_ms: int) -> None:
        book, (work, one) = self.book, self.book.work_of(event.run)
        if not one.is_open or not one.is_lost:
            self._broken("evidence-agrees", f"{event.run} is given up and was not lost")
            return
        if work.verdict:
            return
        spec, agent = book.fleet.agents.get(one.agent), book.agents.get(one.agent)
        braked = bool(book.braked) if spec is None else spec.pool in book.braked
        if braked:
            self._broken("modes-hold", f"{event.run} is given up while its pool is frozen")
        is_down = agent is not None and agent.health is Health.DOWN
        gone = is_down and agent is not None and agent.failure is FailureKind.GATEWAY_DOWN
        may_move = work.spec.task_class is TaskClass.IDEMPOTENT and not book.may_start_late(one)
        if gone and may_move:
            return
        patience = book.fleet.lost_after_ms
        assert one.lost_ms is not None
        silent_ms = at_ms - one.lost_ms
        listened_ms = at_ms - book.engine_ms
        if patience is None or silent_ms < patience or listened_ms < min(patience, LISTENS_MS):
            self._broken("deadlines", f"{event.run} is given up {silent_ms} ms after it was lost")

    def _late(self, event: AttemptLate | AttemptTold) -> None:
        _, one = self.book.work_of(event.run)
        result = isinstance(event, AttemptLate)
        may = one.given_up or (one.died and result)
        if not may or one.late:
            self._broken("evidence-agrees", f"{event.run} is told about after it was over")
        self._check_price(one, event.usage, event.cost_microusd)

    def _fact(
        self,
        event: AttemptStarted
        | AttemptSeen
        | AttemptUnknown
        | AttemptNotStarted
        | AttemptFinished
        | AttemptDied
        | AttemptStopped,
    ) -> None:
        _, one = self.book.work_of(event.run)
        if not one.is_open:
            self._broken("evidence-agrees", f"{event.run} has news after it was over")
        match event:
            case AttemptNotStarted() if one.started_ms is not None:
                self._broken("evidence-agrees", f"{event.run} never started, after its start")
            case AttemptUnknown() if one.is_lost:
                self._broken("evidence-agrees", f"{event.run} is lost twice")
            case AttemptStopped():
                if one.cause is None:
                    self._broken("evidence-agrees", f"{event.run} was stopped, and nobody asked")
                self._check_price(one, event.usage, event.cost_microusd)
            case AttemptFinished():
                self._check_price(one, event.usage, event.cost_microusd)
            case (
                AttemptStarted()
                | AttemptSeen()
                | AttemptUnknown()
                | AttemptNotStarted()
                | AttemptDied()
            ):
                pass
            case _:
                assert_never(event)

    def _check_price(self, one: Try, usage: Usage, cost: int) -> None:
        agent = self.book.agents.get(one.agent)
        due = usage.cost_microusd
        if due is None and agent is None:
            due = 0  # nobody knows any more what it asks for
        elif due is None and agent is not None:
            due = usage.input_tokens * agent.prices.input_microusd_per_mtok
            due += usage.output_tokens * agent.prices.output_microusd_per_mtok
            due //= 1_000_000
        if cost != due:
            self._broken("answers-are-kept", f"{one.id} cost {due}, and {cost} is written down")


def back_off_ms(fleet: FleetSpec, work: Work) -> int:
    """How long the next try of a task has to wait after its last one, by the fleet's policy."""
    last = work.tries[-1]
    if last.never_started:
        tries = work.unstarted
    elif last.says is not None:
        tries = 1
    else:
        tries = len(work.started)
    policy = fleet.retry_policy(work.spec.task_class)
    ceiling = float(policy.backoff_base_ms)
    for _ in range(1, tries):
        ceiling = min(ceiling * policy.factor, policy.backoff_cap_ms)
    share = int(hashlib.sha256(last.id.encode()).hexdigest()[:14], 16) / 16**14
    return int(int(min(ceiling, policy.backoff_cap_ms)) * share)
