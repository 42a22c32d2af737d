"""Bugs planted on purpose, to prove that the simulator would find them.

Each is a change of the real code (or of the model of what runs on the host or the disk, where that
is what keeps the promise) that somebody could make in good faith. A simulator that lets one of them
live has a hole.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from msgspec.structs import replace

from fleet_tui.core import step as steps
from fleet_tui.core.agents import canary, outcomes
from fleet_tui.core.agents.model import AgentState
from fleet_tui.core.ids import split_run_id
from fleet_tui.core.ledger import fold
from fleet_tui.core.ledger.events import Event, Recorded
from fleet_tui.core.ledger.replies import Accepted, Refused
from fleet_tui.core.routing import candidates, requirement, schedule, waiting
from fleet_tui.core.tasks import attempts, dead_letters, queueing, submission, tries
from fleet_tui.core.tasks import decide as task_commands
from fleet_tui.core.tasks import fold_attempt as fold_attempts
from fleet_tui.core.tasks.codes import NotStartedCode
from fleet_tui.core.tasks.commands import Submit
from fleet_tui.core.tasks.events import (
    AttemptFinished,
    AttemptLate,
    AttemptNotStarted,
    TaskCancelRequested,
    TaskEdited,
    TaskEnded,
    TaskRetrying,
)
from fleet_tui.core.tasks.evidence import Definite, Died, Finished, LostReason, NotStarted, Unknown
from fleet_tui.core.tasks.fold import fold_task
from fleet_tui.core.tasks.model import AttemptPhase, TaskPhase
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.engine import dispatch, effects, engine
from fleet_tui.engine.inbox import CommandAsked
from fleet_tui.sim.virtual.due_mutants import DUE_MUTANTS
from fleet_tui.sim.virtual.host import SimHost
from fleet_tui.sim.virtual.more_mutants import MORE_MUTANTS
from fleet_tui.sim.virtual.planting import Mutant, all_of, change, rewrite
from fleet_tui.sim.virtual.store import SimLedger, Store
from fleet_tui.wire.openclaw import attempt, sessions
from fleet_tui.wire.openclaw.connection import GatewayResult
from fleet_tui.wire.openclaw.run_evidence import unanswered
from fleet_tui.wire.openclaw.transcript import SessionState
from fleet_tui.wire.port import Inspection

# What a lost connection means


_learn = attempts.learn


def _lost_is_ok(state: Any, run: Any, word: Any, now_ms: int) -> list[Event]:
    if isinstance(word, Unknown) and word.reason is LostReason.CONNECTION_LOST:
        word = Definite(Finished(ok=True))
    return _learn(state, run, word, now_ms)


def _blind_retry(state: Any, run: Any, word: Any, now_ms: int) -> list[Event]:
    found = attempts.find_attempt(state, run)
    if isinstance(word, Unknown) and found is not None and found[1].phase.is_open:
        gone = AttemptNotStarted(run=run, reason="lost")
        again = TaskRetrying(task=found[0].id, not_before_ms=now_ms, reason="lost")
        return [gone, again]
    return _learn(state, run, word, now_ms)


def _died_is_not_started(state: Any, task: Any, attempt: Any, reason: str, now_ms: int) -> Any:
    return [TaskRetrying(task=task.id, not_before_ms=now_ms, reason=reason)]


def _late_decides(state: Any, task: Any, attempt: Any, word: Any, now_ms: int) -> list[Event]:
    found = _late(state, task, attempt, word, now_ms)
    if not any(isinstance(event, AttemptLate) for event in found):
        return found
    return [
        event
        for late in found
        for event in (
            late,
            TaskEnded(
                task=split_run_id(attempt.run_id)[0],
                phase=TaskPhase.SUCCEEDED if _is_ok(late) else TaskPhase.FAILED,
            ),
        )
    ]


_late = attempts._late


def _is_ok(event: Event) -> bool:
    return isinstance(event, AttemptLate | AttemptFinished) and event.ok


# Order of the commit and what follows from it

_commit = engine.Engine._commit
_decide = engine.Engine._decide


async def _effect_first(self: Any, taken: Any) -> Any:
    if taken.events:
        state = taken.state
        epoch = self._ledger.epoch
        rows = [Recorded(state.seq, state.at_ms, epoch, event) for event in taken.events]
        self._effects.follow(state, rows)
        # Those it starts run in the order of their making: before the commit returns.
        await asyncio.sleep(0)
    return await _commit(self, taken)


def _ack_first(self: Any, items: Any) -> Any:
    for item in items:
        asked = isinstance(item, CommandAsked) and isinstance(item.command, Submit)
        if asked and not item.reply.done():
            item.reply.set_result(Accepted(seq=self.state.seq, task=item.command.task))
    return _decide(self, items)


# Engines after a restart

_drive = dispatch._Worker.drive


async def _always_fresh(self: Any, *, fresh: bool) -> None:
    await _drive(self, fresh=True)


_follow = effects.FleetEffects.follow


def _forgets_open_runs(self: Any, state: Any, recorded: Any) -> None:
    """Follows only what it placed itself."""
    if not recorded:
        those = self._dispatcher
        for agent in state.agents.values():
            for run in agent.runs:
                order = _order_of(state, run)
                assert order is not None
                worker = dispatch._Worker(
                    run, agent.name, those._port_of, order, those._on_run_report, those._rng
                )
                worker.task = asyncio.create_task(asyncio.sleep(0))
                those._workers[run] = worker
    _follow(self, state, recorded)


# Payload, cancel, slots, boundaries

_order_of = dispatch.order_of


def _cut_payload(state: Any, run: Any) -> Any:
    order = _order_of(state, run)
    if order is None or len(order.payload.raw) < 1_024:
        return order
    return replace(order, payload=Untrusted(order.payload.raw[:1_024]))


def _payload_as_submitted(state: Any, run: Any) -> Any:
    found = attempts.find_attempt(state, run)
    order = _order_of(state, run)
    if order is None or found is None:
        return order
    return replace(order, payload=found[0].submitted_spec.payload)


def _at_once(state: Any, by: str, command: Any, now_ms: int) -> Any:
    return _requeue(state, by, replace(command, per_minute=None), now_ms)


_requeue = dead_letters.requeue


def _everything_failed(task: Any) -> None:
    """What runs or waits again already is requeued once more when the operator asks again."""


def _forgets_the_order(draft: Any, event: Any) -> None:
    """After an edit the key stands for what the task asks for now."""
    fold_task(draft, event)
    if isinstance(event, TaskEdited):
        task = draft.tasks.find(event.task)
        draft.tasks.put(replace(task, asked=None))


def _no_checkpoint(state: Any, run: Any) -> Any:
    order = _order_of(state, run)
    return order if order is None else replace(order, checkpoint=None)


def _no_silence(*_: object) -> int:
    return 0


def _cancel_lost(state: Any, by: str, command: Any) -> Any:
    decision = _cancel(state, by, command)
    if isinstance(decision, Refused):
        return decision
    kept = tuple(e for e in decision.events if isinstance(e, TaskCancelRequested | TaskEnded))
    return replace(decision, events=kept)


_cancel = queueing.cancel


def _unknown_frees_slot(draft: Any, event: Any) -> None:
    """An unknown run gives its slot back; it is thought to be gone."""
    fold_attempts.fold_attempt(draft, event)
    task_id, number = split_run_id(event.run)
    task = draft.tasks.find(task_id)
    if task is not None and task.attempts[number - 1].phase is AttemptPhase.UNKNOWN:
        fold_attempts._free_slot(draft, task.attempts[number - 1])


def _ignores_runs(
    self: Any, eligible: Any, rankings: Any, agents: Any, probes: Any, given: Any, *rest: Any
) -> None:
    without = {n: replace(a, runs=frozenset()) for n, a in agents.items()}
    _candidate_set(self, eligible, rankings, without, probes, given, *rest)


_candidate_set = candidates.CandidateSet.__init__


def _boundary_ignored(fleet: Any, spec: Any, *, goes_on: bool = False) -> Any:
    return replace(_requirement(fleet, spec, goes_on=goes_on), regions=None, client=None)


def _begins_anew(fleet: Any, spec: Any, *, goes_on: bool = False) -> Any:
    return _requirement(fleet, spec)


_requirement = requirement.requirement_of


_run_params = attempt.Attempts._run_params


def _any_session(self: Any, order: Any, key: str, session_id: str) -> Any:
    params = dict(_run_params(self, order, key, session_id))
    del params["expectedExistingSessionId"]
    return params


async def _abort_only(
    self: Any, connection: Any, order: Any, *, even_running: bool = False
) -> Inspection:
    """Ends what runs, and leaves the session for its gateway to go on with."""
    key = sessions.session_key("main", order)
    aborted = await connection.call("sessions.abort", {"key": key}, timeout_ms=attempt.CALL_MS)
    if not isinstance(aborted, GatewayResult):
        return unanswered(aborted)
    seen = await self._session(connection, order)
    if isinstance(seen, Unknown):
        return seen
    return Definite(
        NotStarted(reason=NotStartedCode.FENCED) if isinstance(seen, SessionState) else seen
    )


async def _cut_off_is_dead(self: Any, connection: Any, order: Any) -> Inspection:
    return Definite(Died(reason="the gateway restarted"))


def _key_ignored(state: Any, by: str, command: Any) -> Any:
    return _submit(state, by, replace(command, key=command.task))


_submit = submission.submit


def _lazy_first(task: Any) -> Any:
    return (-task.spec.priority, task.submitted_at_ms, 0, task.number)


def _no_brake(state: Any, now_ms: int) -> Sequence[Event]:
    return ()


def _always(*_: object) -> bool:
    return True


def _while_it_is_tried(agent: AgentState, now_ms: int) -> bool:
    """As it is, but for a canary run that is under way."""
    breaker = agent.breaker
    return agent.only_fails and breaker is not None and now_ms >= breaker.until_ms


MUTANTS: tuple[Mutant, ...] = (
    Mutant("lost-is-ok", "a lost connection is success", change(steps, "learn", _lost_is_ok)),
    Mutant("blind-retry", "what is unknown is tried again", change(steps, "learn", _blind_retry)),
    Mutant(
        "late-journal",
        "effects begin before the commit",
        change(engine.Engine, "_commit", _effect_first),
    ),
    Mutant(
        "ack-first",
        "a submit is answered before the commit",
        change(engine.Engine, "_decide", _ack_first),
    ),
    Mutant(
        "redispatch",
        "after a restart open runs are sent again",
        change(dispatch._Worker, "drive", _always_fresh),
    ),
    Mutant(
        "forgets-open-runs",
        "after a restart nobody follows the open runs",
        change(effects.FleetEffects, "follow", _forgets_open_runs),
    ),
    Mutant(
        "no-tombstone",
        "a probe that finds nothing leaves no tombstone",
        change(SimHost, "tombstones", False),
    ),
    Mutant(
        "no-epoch-fence",
        "a stale engine may commit and start",
        all_of(change(SimHost, "fences_epochs", False), change(Store, "fences_epochs", False)),
    ),
    Mutant(
        "starts-replaced",
        "an engine that was replaced asks a gateway for its runs all the same",
        change(SimLedger, "is_owner", _always),
    ),
    Mutant(
        "give-up",
        "after lost_after everything is tried again",
        all_of(change(tries, "may_run_twice", _always), change(attempts, "may_run_again", _always)),
    ),
    Mutant(
        "death-is-harmless",
        "what died after its start is tried again, whatever its class",
        change(attempts, "_after_death", _died_is_not_started),
    ),
    Mutant("cut-payload", "long payloads are cut", change(dispatch, "order_of", _cut_payload)),
    Mutant(
        "cancel-lost",
        "a running task's cancel goes nowhere",
        change(queueing, "cancel", _cancel_lost),
    ),
    Mutant(
        "trusts-wiped",
        "a tombstone is believed in a run directory that lost its runs",
        change(SimHost, "sees_wipes", False),
    ),
    Mutant(
        "resume-lost",
        "work begins anew after a checkpoint",
        change(dispatch, "order_of", _no_checkpoint),
    ),
    Mutant(
        "heartbeat-ignored", "nobody minds silence", change(attempts, "silence_ms", _no_silence)
    ),
    Mutant(
        "late-decides",
        "a late answer changes the outcome",
        change(attempts, "_late", _late_decides),
    ),
    Mutant(
        "unknown-frees-slot",
        "an unknown run gives back its slot",
        change(fold, "fold_attempt", _unknown_frees_slot),
    ),
    Mutant(
        "slots-ignored",
        "routing forgets what already runs",
        change(candidates.CandidateSet, "__init__", _ignores_runs),
    ),
    Mutant(
        "boundary-ignored",
        "routing forgets client and region",
        change(schedule, "requirement_of", _boundary_ignored),
    ),
    Mutant(
        "key-ignored",
        "a client key is not looked up",
        change(task_commands, "submit", _key_ignored),
    ),
    Mutant("lazy-first", "the least urgent goes first", change(waiting, "urgency", _lazy_first)),
    Mutant(
        "begins-anew",
        "work with a checkpoint is placed where it cannot go on from it",
        change(schedule, "requirement_of", _begins_anew),
    ),
    Mutant(
        "unbound-start",
        "a gateway may make a new session for a start",
        change(attempt.Attempts, "_run_params", _any_session),
    ),
    Mutant(
        "abort-is-a-fence",
        "a session is aborted instead of deleted",
        change(attempt.Attempts, "_delete_session", _abort_only),
    ),
    Mutant(
        "cut-off-is-dead",
        "a turn that died with its gateway is never gone on with",
        change(attempt.Attempts, "_interrupted", _cut_off_is_dead),
    ),
    Mutant(
        "edit-ignored",
        "an edited dead letter runs as it was submitted",
        change(dispatch, "order_of", _payload_as_submitted),
    ),
    Mutant(
        "all-at-once",
        "a paced requeue lets everything go at once",
        change(dead_letters, "requeue", _at_once),
    ),
    Mutant(
        "edit-takes-key",
        "the key of an edited task stands for what it asks for now",
        change(fold, "fold_task", _forgets_the_order),
    ),
    Mutant(
        "requeue-repeats",
        "a requeue that is asked for again lets run again what waits already",
        change(dead_letters, "_not_requeued", _everything_failed),
    ),
    Mutant(
        "no-breaker",
        "an agent that fails all it gets goes on getting it",
        change(outcomes, "BREAK_AFTER", 1_000_000),
    ),
    Mutant(
        "endless-trials",
        "an open breaker lets everything through, on trial",
        change(AgentState, "may_be_tried", lambda self, _now_ms: self.breaker is not None),
    ),
    Mutant(
        "reckless-trials",
        "an agent that fails its runs is tried with tasks that must not run twice",
        change(AgentState, "suits_trials", lambda *_, **__: True),
    ),
    Mutant(
        "tasks-for-canaries",
        "an agent that a canary run is to try is tried with tasks",
        change(AgentState, "is_tried_by_canary", lambda *_: False),
    ),
    Mutant(
        "canaries-in-vain",
        "a canary run that went well brings no agent back",
        change(canary, "trust", lambda *_, **__: []),
    ),
    Mutant(
        "canaries-on-and-on",
        "another canary run begins while one is under way",
        all_of(
            change(AgentState, "may_be_tried", _while_it_is_tried),
            rewrite(canary, "reconcile_canaries", "if canary is None:", "if True:"),
        ),
    ),
    Mutant(
        "never-trusted",
        "a trial that went well closes no breaker",
        change(outcomes, "trust", lambda *_: []),
    ),
    Mutant(
        "no-brake",
        "mass failure does not stop failover",
        change(steps, "reconcile_brake", _no_brake),
    ),
    Mutant(
        "no-fence",
        "a run that was given up is not fenced",
        change(dispatch.Dispatcher, "stop_unwanted", lambda *_: None),
    ),
)
"""The best known ones first."""


MUTANTS += (*MORE_MUTANTS, *DUE_MUTANTS)


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """Have one bug while the block lasts; None plants nothing. Raises KeyError for others."""
    with ExitStack() as stack:
        if name is not None:
            BY_NAME[name].plant(stack)
        yield


BY_NAME = {mutant.name: mutant for mutant in MUTANTS}
