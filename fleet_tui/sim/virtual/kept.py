"""What was acknowledged and what was told, kept to the end: nothing lost, nothing counted twice.

Answers and costs against what programs and gateways said themselves, commands against the events
they were acknowledged with, and the folded state against the clerk's book.
"""

from fleet_tui.core.ids import RunId
from fleet_tui.core.tasks.events import (
    AboutTask,
    TaskCancelRequested,
    TaskExpedited,
    TaskHeld,
    TaskPlaced,
    TaskReleased,
    TaskReprioritized,
    TaskResolved,
)
from fleet_tui.core.tasks.evidence import Answer
from fleet_tui.core.tasks.model import Attempt, Task, TaskPhase
from fleet_tui.sim.virtual.books import Book, Try, Work
from fleet_tui.sim.virtual.checks import Checks
from fleet_tui.sim.virtual.scenario import INPUT_MICROUSD, OUTPUT_MICROUSD
from fleet_tui.sim.virtual.truth import Call, Execution
from fleet_tui.sim.virtual.world import World

HEARD_S = 150.0
"""In a world at peace the end of a run is in the ledger within this time, whoever gave it up."""

_DONE_BY: dict[str, type[AboutTask]] = {
    "cancel": TaskCancelRequested,
    "hold": TaskHeld,
    "release": TaskReleased,
    "expedite": TaskExpedited,
    "priority": TaskReprioritized,
    "verdict-ran": TaskResolved,
    "verdict-did-not-run": TaskResolved,
    "verdict-run-again": TaskResolved,
}
"""What stands in the ledger once such a command was acknowledged."""


def kept(world: World, checks: Checks) -> None:
    """Check all of it, at the end of a world."""
    for call in world.truth.calls:
        if call.acked_seq is not None and call.verb in _DONE_BY:
            _done(world, checks, call)
    for execution in world.truth.executions:
        _answer(world, checks, execution)
    _folded(world, checks, checks.rules.book)


def _done(world: World, checks: Checks, call: Call) -> None:
    """A command that was acknowledged is in the ledger, since it was sent and by then."""
    wanted = _DONE_BY[call.verb]
    rows = world.store.rows[call.sent_seq : call.acked_seq]
    found = [r for r in rows if isinstance(r.event, wanted) and r.event.task == call.task]
    if not found:
        text = f"{call.verb} of {call.task} is acknowledged and not in the ledger"
        checks.broken("acknowledged-is-kept", text, call.acked_s)
        return
    event = found[-1].event
    if not isinstance(event, TaskResolved) or event.reason != call.reason:
        return
    if f"verdict-{event.verdict}" != call.verb:
        text = f"{call.verb} of {call.task} became {event.verdict}"
        checks.broken("verdicts-are-obeyed", text, call.acked_s)
    newest = [
        r.event.run
        for r in world.store.rows[: found[-1].seq]
        if isinstance(r.event, TaskPlaced) and r.event.task == call.task
    ]
    if (newest[-1] if newest else None) != call.run:
        text = f"a verdict about {call.run} was taken when the newest was {newest[-1:]}"
        checks.broken("verdicts-are-obeyed", text, call.acked_s)


def _answer(world: World, checks: Checks, execution: Execution) -> None:
    """What a run gave back is in the ledger, whole."""
    try:
        _, one = checks.rules.book.work_of(RunId(execution.run))
    except (KeyError, IndexError):
        return  # told elsewhere: it is in no ledger
    lost = execution.wiped_s is not None or not execution.recorded
    if one.ok is None and not one.late and not lost and execution.status == 0:
        run = checks.view.runs[execution.run]
        assert execution.ended_s is not None
        since_s = max(execution.ended_s, world.healed_s, run.given_up_s or 0.0)
        if not one.died and world.loop.time() - since_s > HEARD_S:
            text = f"{execution.run} ended and said so, and the ledger does not know it"
            checks.broken("answers-are-kept", text, execution.ended_s)
    if lost:
        return
    if one.ok or (one.late and one.answer.size_bytes):
        _words(checks, execution, one)
    ended = one.ok is not None or one.stopped
    if ended and not execution.in_gateway and _used(one) != execution.used:
        text = f"{one.id} used {execution.used}, and {_used(one)} is kept"
        checks.broken("answers-are-kept", text)


def _words(checks: Checks, execution: Execution, one: Try) -> None:
    said = execution.output
    given = Answer(text=one.answer.text, size_bytes=len(said.encode()))
    nothing = execution.in_gateway and not one.answer.size_bytes
    same = one.answer.text.raw == said and one.answer.size_bytes == given.size_bytes
    if not same and not nothing:
        checks.broken("answers-are-kept", f"{one.id} said {said!r} and not what is kept")
    told = _used(one)
    cost = execution.used[0] * INPUT_MICROUSD + execution.used[1] * OUTPUT_MICROUSD
    is_free = one.late and not one.cost_microusd  # its agent may be gone from the fleet file
    if (told != execution.used or (one.cost_microusd != cost and not is_free)) and not nothing:
        text = f"{one.id} used {execution.used}, and {told} for {one.cost_microusd} is kept"
        checks.broken("answers-are-kept", text)


def _used(one: Try) -> tuple[int, int]:
    return (one.usage.input_tokens, one.usage.output_tokens)


def _folded(world: World, checks: Checks, book: Book) -> None:
    """The state is what the events say."""
    state = world.final
    for work in book.works.values():
        task = state.task(work.id)
        problem = "it is forgotten" if task is None else _differs(work, task)
        if problem:
            checks.broken("state-is-ledger", f"{work.id}: {problem}")
    for name, member in book.agents.items():
        agent = state.agents.get(name)
        if agent is None:
            checks.broken("state-is-ledger", f"{name} is forgotten")
            continue
        runs = {
            w.tries[-1].id
            for w in book.works.values()
            if w.tries and w.tries[-1].is_open and w.tries[-1].agent == name
        }
        seen = (agent.health, agent.cordon is not None, agent.tokens, agent.cost_microusd)
        due = (member.health, member.cordoned, member.tokens, member.cost_microusd)
        if seen != due or agent.runs != runs:
            checks.broken("state-is-ledger", f"{name} is {seen}, and the ledger says {due}")
    totals = state.totals
    ends = (totals.succeeded, totals.failed, totals.cancelled, totals.expired)
    phases = (TaskPhase.SUCCEEDED, TaskPhase.FAILED, TaskPhase.CANCELLED, TaskPhase.EXPIRED)
    seen_totals = (totals.submitted, *ends, totals.tokens, totals.cost_microusd)
    due_totals = (
        len(book.works),
        *(book.ends.get(phase, 0) for phase in phases),
        book.tokens,
        book.cost_microusd,
    )
    if seen_totals != due_totals:
        text = f"the totals are {seen_totals}, and the ledger says {due_totals}"
        checks.broken("state-is-ledger", text)
    if state.engine.mode.mode is not book.mode or set(state.braked_pools) != book.braked:
        text = f"the engine is {state.engine.mode.mode}, and the ledger says {book.mode}"
        checks.broken("state-is-ledger", text)


def _differs(work: Work, task: Task) -> str:
    """In what a folded task is not what its events say; empty when it is."""
    pairs = {
        "phase": (task.phase, work.phase),
        "hold": (task.hold is not None, work.held),
        "place": (task.expedited_at_ms is not None, work.expedited),
        "priority": (task.spec.priority, work.spec.priority),
        "deadlines' beginning": (task.asked_at_ms, work.asked_ms),
        "attempts": (len(task.attempts), len(work.tries)),
        "cost": (task.cost_microusd, sum(one.cost_microusd for one in work.tries)),
    }
    for what, (seen, due) in pairs.items():
        if seen != due:
            return f"its {what} is {seen}, and the ledger says {due}"
    for attempt, one in zip(task.attempts, work.tries, strict=True):
        if _of(attempt) != _told(one):
            return f"{one.id} is {_of(attempt)}, and the ledger says {_told(one)}"
    return ""


def _of(attempt: Attempt) -> tuple[object, ...]:
    return (
        attempt.agent,
        attempt.phase.is_open,
        attempt.started_at_ms,
        attempt.late,
        attempt.late_word,
        attempt.answer,
        attempt.usage,
        attempt.checkpoint is not None,
    )


def _told(one: Try) -> tuple[object, ...]:
    return (
        one.agent,
        one.is_open,
        one.started_ms,
        one.late,
        one.says,
        one.answer,
        one.usage,
        one.marked,
    )
