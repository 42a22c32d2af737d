"""The end of a world: everything that really happened against everything that was promised."""

from itertools import pairwise
from typing import assert_never

from msgspec.structs import replace

from fleet_tui.core.fleet import TaskClass
from fleet_tui.core.ids import AgentName, RunId, TaskId
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.state import EMPTY_STATE
from fleet_tui.core.tasks.events import (
    AttemptCancelling,
    AttemptDied,
    AttemptFinished,
    AttemptNotStarted,
    AttemptStopped,
    AttemptTold,
)
from fleet_tui.core.tasks.evidence import LateWord
from fleet_tui.core.tasks.model import CancelCause, Task, TaskPhase
from fleet_tui.journal.ledger.codec import decode, encode
from fleet_tui.sim.virtual.breakers import breakers
from fleet_tui.sim.virtual.checks import Checks
from fleet_tui.sim.virtual.fit import fitness
from fleet_tui.sim.virtual.kept import kept
from fleet_tui.sim.virtual.ledger_view import Requeued, Run, TaskView
from fleet_tui.sim.virtual.truth import Execution
from fleet_tui.sim.virtual.turns import boundary
from fleet_tui.sim.virtual.world import World
from fleet_tui.wire.openclaw.transcript import WORDS_LOST

NOTICE_S = 100.0
"""In a world at peace an engine has found out about every run within this time: the longest wait
between two questions, the longest question, and a connection that has to be made anew."""

PACE_SLACK_MS = 5_000
"""Between the decision about a requeue and its commit; a clock that was set back is held."""

QUESTION_S = 16.0
"""A question that was lost before all was well again is given up by then."""

SLOW_S = 4.0
"""A slow disk and a slow way together."""

BRAKE_S = 60.0
"""By then the loss of a whole pool has been noticed."""

_AGAIN = ("verdict-run-again", "verdict-did-not-run")
"""What people say who want a task to run once more."""

WithoutResult = AttemptNotStarted | AttemptDied | AttemptStopped | AttemptTold
"""What tells the fate of a run that has no result."""


def check_at_the_end(world: World, checks: Checks) -> None:
    """Check everything that can only be checked when it is over."""
    _acknowledged(world, checks)
    by_task: dict[str, list[Execution]] = {}
    for execution in world.truth.executions:
        by_task.setdefault(execution.run.rpartition(".")[0], []).append(execution)
        _one_execution(world, checks, execution)
    for task in checks.view.tasks.values():
        found = by_task.pop(task.id, [])
        _executions(world, checks, task, found)
        _end(world, checks, task, found)
    for strangers in by_task.values():
        checks.broken("journal-before-effect", f"{strangers[0].run} is in no ledger")
    _letters(world, checks)
    _told(world, checks)
    _given_up(world, checks)
    _slots(world, checks)
    _memory(world, checks)
    kept(world, checks)
    breakers(world, checks)
    fitness(world, checks)
    for problem in world.problems:
        checks.broken("no-bugs", problem)


def _acknowledged(world: World, checks: Checks) -> None:
    """P1, P2: what was acknowledged is there, as it was asked for, once."""
    for job in world.scenario.jobs:
        ids = world.truth.tasks.get(job.key, set())
        refused = {call.refused for call in world.truth.calls if call.key == job.key}
        if RefusalCode.KEY_CONFLICT in refused:
            checks.broken("same-key-same-task", f"{job.key} is refused to the client it belongs to")
        if len(ids) > 1:
            checks.broken("same-key-same-task", f"{job.key} became {len(ids)} tasks")
        for task_id in sorted(ids):
            task = checks.view.tasks.get(task_id)
            if task is None:
                checks.broken("acknowledged-is-kept", f"{job.key} ({task_id}) is in no ledger")
            elif task.spec != job.spec:
                checks.broken("acknowledged-is-kept", f"{job.key} is not what was asked for")


def _one_execution(world: World, checks: Checks, execution: Execution) -> None:
    run = checks.view.runs.get(execution.run)
    if run is None:
        return
    task = checks.view.tasks[run.task]
    allowed = world.truth.may_be_given(task.key, task.id, run.placed_s)
    if execution.payload_sha256 not in allowed:
        checks.broken("payload-whole", f"{execution.run} got another payload", execution.started_s)
    if execution.epoch < execution.host_epoch:
        text = f"{execution.run} was started by engine {execution.epoch}"
        checks.broken("stale-engine", f"{text} after {execution.host_epoch}", execution.started_s)
    problem = boundary(run.fleet, run.fleet.agents[run.agent], run.spec)
    if problem or execution.agent != run.agent:
        text = f"{execution.run} ran on {execution.agent}: {problem or 'placed elsewhere'}"
        checks.broken("boundaries", text, execution.started_s)


def _wanted_again(world: World, checks: Checks, task: str) -> list[float]:
    """When people asked for another run of a task: verdicts, and requeues that were done."""
    verdicts = [call.sent_s for verb in _AGAIN for call in world.truth.asked(verb, task)]
    done = {r.why for r in checks.view.requeued if r.task == task}
    return verdicts + [
        ask.sent_s for ask in world.truth.requeues if task in ask.tasks and ask.reason in done
    ]


def _letters(world: World, checks: Checks) -> None:
    """Operators' commands for dead letters were carried out as acknowledged, once, at their
    rate."""
    done: dict[str, list[Requeued]] = {}
    for one in checks.view.requeued:
        done.setdefault(one.why, []).append(one)
    for ask in world.truth.requeues:
        found = done.pop(ask.reason, [])
        tasks = [one.task for one in found]
        if len(set(tasks)) < len(tasks) or not set(tasks) <= set(ask.tasks):
            checks.broken("requeued-once", f"{ask.reason} let {tasks} run again")
        if ask.refused and tasks:
            checks.broken("requeued-once", f"{ask.reason} was refused: {ask.refused}, and done")
        if ask.acked_seq is not None and (
            len(tasks) != ask.changed or any(one.seq > ask.acked_seq for one in found)
        ):
            text = f"{ask.reason} was done for {ask.changed}, but {len(tasks)} are in the ledger"
            checks.broken("acknowledged-is-kept", text)
        for place, one in enumerate(sorted(found, key=lambda one: one.not_before_ms)):
            due_ms = 0 if ask.per_minute is None else place * 60_000 // ask.per_minute
            if one.not_before_ms < one.at_ms + due_ms - PACE_SLACK_MS:
                checks.broken("paced", f"{one.task} may run before its turn in {ask.reason}")
    for reason in done:
        checks.broken("journal-before-effect", f"nobody asked for {reason}")
    for task in checks.view.tasks.values():
        state = world.final.task(TaskId(task.id))
        if state is not None and (state.dropped_by is not None) != task.dropped:
            checks.broken("acknowledged-is-kept", f"{task.key} was dropped, or is not any more")
        if state is not None and state.spec != task.wanted:
            checks.broken("acknowledged-is-kept", f"{task.key} does not ask for what it should")


def _executions(world: World, checks: Checks, task: TaskView, found: list[Execution]) -> None:
    """P4, P5, P7: how often a task may run, by its class."""
    asked = _wanted_again(world, checks, task.id)
    # A turn that a gateway goes on with by itself is the same try. Whether it may is checked where
    # the ledger says that it is over.
    found = [execution for execution in found if not execution.continued]
    runs = [execution.run for execution in found]
    if len(set(runs)) < len(runs):
        checks.broken("one-start-per-attempt", f"{task.key}: {runs}")
    excused = 0
    for count, (before, this) in enumerate(pairwise(found), start=1):
        at_s = this.started_s
        lived = before.ended_s is None or before.ended_s > at_s
        # What was deleted before anybody read it, nobody can know.
        is_kept = before.wiped_s is None or before.wiped_s > at_s
        done = before.status == 0 and before.recorded and is_kept
        match task.spec.task_class:
            case TaskClass.ONCE:
                wrong = True
            case TaskClass.RESUMABLE:
                marks = {mark for e in found[:count] for mark in e.checkpoints}
                wrong = lived or done or this.resumed_from not in marks
            case TaskClass.IDEMPOTENT:
                run = checks.view.runs.get(this.run)
                flagged = run is not None and run.may_duplicate
                unfenced = _may_start_late(world, checks, before.run)
                wrong = (lived or done) and (not flagged or unfenced)
        if wrong and excused < sum(sent_s <= at_s for sent_s in asked):
            excused += 1  # somebody wanted it, once
        elif wrong:
            how = "while it ran" if lived else f"after it ended with {before.status}"
            text = f"{task.key} ({task.spec.task_class}) ran again as {this.run}, {how}"
            checks.broken("runs-once", text, at_s)


def _may_start_late(world: World, checks: Checks, run: str) -> bool:
    """Whether the ledger heard of a run's start no word, and its gateway could not be kept from
    starting it: then nobody but a person may have had it done elsewhere."""
    _, one = checks.rules.book.work_of(RunId(run))
    gateway = world.gateways.get(one.agent)
    return one.started_ms is None and gateway is not None and not gateway.can_be_fenced


def _end(world: World, checks: Checks, task: TaskView, found: list[Execution]) -> None:
    state = world.final.task(TaskId(task.id))
    if state is None:
        checks.broken("acknowledged-is-kept", f"{task.key} is not in the state")
        return
    match state.phase:
        case TaskPhase.SUCCEEDED:
            _succeeded(world, checks, state, found)
        case TaskPhase.WAITING | TaskPhase.ACTIVE:
            pending = state.pending.code if state.pending is not None else state.phase
            attempt = state.attempt
            phase = f", {attempt.run_id} is {attempt.phase}" if attempt is not None else ""
            checks.broken("liveness", f"{task.key} never ended: {pending}{phase}")
        case TaskPhase.NEEDS_OPERATOR | TaskPhase.FAILED | TaskPhase.CANCELLED | TaskPhase.EXPIRED:
            pass
        case _:
            assert_never(state.phase)
    _cancelled(world, checks, task, found)
    _heartbeat(world, checks, found)
    _close(world, checks, task, found)


def _succeeded(world: World, checks: Checks, task: Task, found: list[Execution]) -> None:
    if world.truth.asked("verdict-ran", task.id):
        return
    last = task.attempts[-1].run_id if task.attempts else ""
    if not any(e.run == last and e.status == 0 and e.recorded for e in found):
        checks.broken("success-is-true", f"{task.key} succeeded, but {last or 'nothing'} did not")


def _cancelled(world: World, checks: Checks, task: TaskView, found: list[Execution]) -> None:
    """A cancel stops what runs. That one which was acknowledged is in the ledger, see kept.py."""
    if task.cancelled_s is None:
        return
    due_s = max(task.cancelled_s, world.healed_s) + NOTICE_S
    for execution in found:
        if execution.wiped_s is not None:
            continue
        ended_s = execution.ended_s if execution.ended_s is not None else world.loop.time()
        if ended_s > due_s:
            text = f"{execution.run} ran on until {ended_s:.0f} s, cancelled at"
            checks.broken("cancel-stops", f"{text} {task.cancelled_s:.0f} s", due_s)


def _heartbeat(world: World, checks: Checks, found: list[Execution]) -> None:
    """What gives no sign of life is stopped, unless an operator is being asked about it."""
    limit_ms = world.scenario.fleet.deadlines.heartbeat_ms
    for execution in found:
        if limit_ms is None or not execution.silent or execution.wiped_s is not None:
            continue
        run = checks.view.runs.get(execution.run)
        if run is not None and run.given_up_s is not None:
            continue
        due_s = max(execution.started_s, world.healed_s) + limit_ms / 1_000 + NOTICE_S
        ended_s = execution.ended_s if execution.ended_s is not None else world.loop.time()
        if ended_s > due_s:
            checks.broken("silence-is-noticed", f"{execution.run} was silent for long", due_s)


def _close(world: World, checks: Checks, task: TaskView, found: list[Execution]) -> None:
    """What runs for longer than it may is stopped, unless an operator is being asked about it."""
    deadlines = task.wanted.deadlines or world.scenario.fleet.deadlines
    if deadlines.start_to_close_ms is None:
        return
    for execution in found:
        run = checks.view.runs.get(execution.run)
        given_up = run is not None and run.given_up_s is not None
        if execution.wiped_s is not None or given_up or execution.continued:
            continue
        from_s = max(execution.started_s, world.healed_s)
        due_s = from_s + deadlines.start_to_close_ms / 1_000 + NOTICE_S
        ended_s = execution.ended_s if execution.ended_s is not None else world.loop.time()
        if ended_s > due_s:
            checks.broken("runs-have-an-end", f"{execution.run} ran on after its deadline", due_s)


def _needless_stop(world: World, checks: Checks, run: str, at_s: float) -> None:
    """What gave signs of life that the engine could hear is not called silent."""
    limit_ms = world.scenario.fleet.deadlines.heartbeat_ms
    e = _at(world, run, at_s)
    if limit_ms is None or e is None or e.silent or e.in_gateway or not e.lives_at(at_s):
        return
    if e.wiped_s is not None and e.wiped_s < at_s:
        return  # what it printed went to a file that is gone
    if limit_ms / 1_000 * 2 / 3 < e.pulse_s + SLOW_S:
        return  # it is asked every third of the limit: two beats may be too far apart
    if at_s - world.heard_since(e.host, at_s) > limit_ms / 1_000 + QUESTION_S:
        checks.broken("silence-is-silence", f"{run} works, and is stopped as silent", at_s)


def _told(world: World, checks: Checks) -> None:
    """P6: every fact in the ledger is one."""
    for at_s, row in checks.view.told:
        event = row.event
        if isinstance(event, AttemptCancelling) and event.cause is CancelCause.HEARTBEAT:
            _needless_stop(world, checks, event.run, at_s)
        elif isinstance(event, AttemptFinished):
            _finished(world, checks, event, at_s)
        elif isinstance(event, WithoutResult):
            _without_result(world, checks, event, at_s)


def _finished(world: World, checks: Checks, event: AttemptFinished, at_s: float) -> None:
    run, answer = event.run, event.answer
    e = _at(world, run, at_s)
    _stays_over(world, checks, run, at_s)
    true = e is not None and e.ended_s is not None and e.ended_s <= at_s
    if e is None or not true or not e.recorded or event.ok != (e.status == 0):
        checks.broken("facts-are-true", f"{run} finished, says the ledger", at_s)
    elif answer.text.raw != e.output and not (
        # Gateways keep no words of a failed turn, nor of one whose session is gone. That an answer
        # is lost is not enough: it may have been looked for in the wrong place.
        e.in_gateway and not answer.size_bytes and (not event.ok or event.detail == WORDS_LOST)
    ):
        checks.broken("facts-are-true", f"{run} gave another answer", at_s)


def _without_result(world: World, checks: Checks, event: WithoutResult, at_s: float) -> None:
    run, says = event.run, _word(event)
    e = _at(world, run, at_s)
    if says.is_final:
        _stays_over(world, checks, run, at_s)
    match says:
        case LateWord.RUNS:
            pass
        case LateWord.NEVER_STARTED:
            if e is not None:
                checks.broken("facts-are-true", f"{run} never starts, says the ledger", at_s)
        case LateWord.DIED:
            if e is not None and e.wiped_s is not None and e.wiped_s < at_s:
                return  # nobody can know more
            if e is None or e.lives or e.recorded or (e.ended_s or 0.0) > at_s:
                checks.broken("facts-are-true", f"{run} died, says the ledger", at_s)
        case LateWord.STOPPED:
            done = e is not None and e.status == 0 and e.recorded
            if e is None or e.lives or done or (e.ended_s or 0.0) > at_s:
                checks.broken("facts-are-true", f"{run} was stopped, says the ledger", at_s)
        case _:
            assert_never(says)


def _word(event: WithoutResult) -> LateWord:
    match event:
        case AttemptNotStarted():
            return LateWord.NEVER_STARTED
        case AttemptDied():
            return LateWord.DIED
        case AttemptStopped():
            return LateWord.STOPPED
        case AttemptTold(says=says):
            return says
        case _:
            assert_never(event)


def _at(world: World, run: str, at_s: float) -> Execution | None:
    """The newest execution of a run at an instant; without one the first that came later."""
    found = [e for e in world.truth.executions if e.run == run]
    before = [e for e in found if e.started_s <= at_s]
    return before[-1] if before else found[0] if found else None


def _stays_over(world: World, checks: Checks, run: str, at_s: float) -> None:
    """What the ledger calls over does not begin again, and its gateway does not go on with it."""
    for execution in world.truth.executions:
        if execution.run == run and execution.wiped_s is None and execution.started_s > at_s:
            text = f"{run} runs at {execution.started_s:.1f} s, after it was over"
            checks.broken("over-is-over", text, at_s)


def _fenced(world: World, checks: Checks, run: Run, execution: Execution) -> None:
    """A run without which its task goes on is stopped as soon as its host can be reached."""
    if run.unwanted_s is None or execution.wiped_s is not None:
        return
    due_s = max(run.unwanted_s, world.healed_s) + NOTICE_S
    ended_s = execution.ended_s if execution.ended_s is not None else world.loop.time()
    if ended_s > due_s:
        text = f"{run.id} ran on until {ended_s:.0f} s, unwanted since {run.unwanted_s:.0f} s"
        checks.broken("given-up-is-fenced", text, due_s)


def _given_up(world: World, checks: Checks) -> None:
    """Nobody is asked about what the host could tell, and the brake holds."""
    executions = {e.run: e for e in world.truth.executions}
    for run in checks.view.runs.values():
        e = executions.get(run.id)
        if run.given_up_s is not None and e is not None:
            _fenced(world, checks, run, e)
        if run.given_up_s is None or run.given_up_by_verdict:
            continue
        at_s = run.given_up_s
        if (
            e is not None
            and e.recorded
            and (e.wiped_s is None or e.wiped_s > at_s)
            and e.ended_s is not None
            and world.quiet_since(e.host, at_s) + NOTICE_S < at_s
            and e.ended_s + NOTICE_S < at_s
        ):
            checks.broken("no-needless-questions", f"{run.id} ended and could be asked", at_s)
        pool = world.scenario.fleet.agents[run.agent].pool
        _brake(world, checks, run, pool, at_s)


def _brake(world: World, checks: Checks, run: Run, pool: str, at_s: float) -> None:
    for lost, from_s, to_s in checks.losses:
        disturbed = any(from_s - 5.0 <= t <= at_s for t in world.disturbed_s)
        if lost == pool and from_s + BRAKE_S <= at_s < to_s and not disturbed:
            checks.broken("brake", f"{run.id} was given up while all of {pool} was lost", at_s)


def _slots(world: World, checks: Checks) -> None:
    """No agent ever runs more than its slots, given-up runs aside."""
    moves: dict[AgentName, list[tuple[float, int]]] = {}
    for execution in world.truth.executions:
        run = checks.view.runs.get(execution.run)
        end_s = min(
            execution.wiped_s if execution.wiped_s is not None else float("inf"),
            execution.ended_s if execution.ended_s is not None else float("inf"),
            run.given_up_s if run is not None and run.given_up_s is not None else float("inf"),
        )
        if end_s > execution.started_s:
            moves.setdefault(execution.agent, []).extend(((execution.started_s, 1), (end_s, -1)))
    for name, changes in moves.items():
        slots = max(
            fleet.agents[name].slots
            for fleet in (*checks.view.fleets, world.scenario.fleet)
            if name in fleet.agents
        )
        busy = 0
        for at_s, change in sorted(changes):
            busy += change
            if busy > slots:
                checks.broken("slots", f"{name} ran {busy} at once, has {slots} slots", at_s)
                break


def _memory(world: World, checks: Checks) -> None:
    """What the last engine believes is what the ledger says, read back from its bytes."""
    state = world.newest.state if world.newest is not None else None
    if state is None:
        return
    rows = [_read_back(row) for row in world.store.rows if row.seq <= state.seq]
    if state != fold(EMPTY_STATE, rows):
        checks.broken("memory-is-ledger", "the engine's state is not what its ledger adds up to")


def _read_back(row: Recorded) -> Recorded:
    encoded = encode(row.event)
    return replace(row, event=decode(encoded.kind, encoded.v, encoded.body))
