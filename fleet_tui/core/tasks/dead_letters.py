"""Failed work that needs attention: grouped by the kind of failure, edited, requeued, dropped.

A dead letter is a task that failed or expired. It stays one until an operator requeues or drops it.
"""

import hashlib
import re
from collections.abc import Iterable

import msgspec

from fleet_tui.core.fleet import FleetSpec
from fleet_tui.core.ids import ClientName, TaskId
from fleet_tui.core.ledger.decided import Decided, Decision
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.commands import Drop, Edit, Requeue
from fleet_tui.core.tasks.defined import undefined
from fleet_tui.core.tasks.events import TaskDropped, TaskEdited, TaskRetrying
from fleet_tui.core.tasks.model import Task, TaskPhase, TaskSpec
from fleet_tui.core.tasks.named import for_each, unknown_task
from fleet_tui.core.tasks.submission import bad_spec, payload_sha256
from fleet_tui.core.tasks.verdicts import in_doubt, may_still_run
from fleet_tui.core.text.untrusted import NOTHING_SAID

MAX_CLIENTS_NAMED = 8
"""A group names at most this many of its clients; its count is always complete."""

MAX_PER_MINUTE = 60_000

FINGERPRINT_CHARS = 8


class DeadLetters(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters that failed in the same way."""

    fingerprint: str
    """FINGERPRINT_CHARS hex digits; the same for the same kind of failure in every session."""
    kind: str
    """The failure in our own words, without the parts that differ between tasks."""
    tasks: tuple[TaskId, ...]
    """Oldest first."""
    first_ms: int
    last_ms: int
    clients: tuple[ClientName, ...]
    sample: Task
    """The newest of them."""

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.tasks)


_VARYING = re.compile(r"\b(?=\w*\d)\w{8,}\b|(?<![\w.-])\d[\d.,:]*")
"""Ids and numbers. A digit that belongs to a word stays: ``exit-3`` is not ``exit-4``."""


def failure_kind(task: Task, fleet: FleetSpec) -> str:
    """Why the task is dead, with agents' names and numbers taken out."""
    reason = task.reason or task.phase.value
    for name in {a.agent for a in task.attempts} & fleet.agents.keys():
        reason = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", "<agent>", reason)
    reason = _VARYING.sub("#", reason)
    return f"{task.phase.value}: {reason}" if task.reason else reason


def fingerprint(kind: str) -> str:
    """The short name of a kind of failure."""
    return hashlib.sha256(kind.encode(errors="replace")).hexdigest()[:FINGERPRINT_CHARS]


def group(tasks: Iterable[Task], fleet: FleetSpec) -> list[DeadLetters]:
    """Dead letters by what went wrong, the most recent kind first."""
    by_kind: dict[str, list[Task]] = {}
    for task in tasks:
        by_kind.setdefault(failure_kind(task, fleet), []).append(task)
    groups = [_group(kind, members) for kind, members in by_kind.items()]
    return sorted(groups, key=lambda g: (-g.last_ms, g.fingerprint))


def letters_called(state: FleetState, text: str) -> DeadLetters | None:
    """The dead letters that a fingerprint names, in capitals or not; None where none are called
    so."""
    groups = group(state.dead_letters.values(), state.fleet)
    return next((each for each in groups if each.fingerprint == text.lower()), None)


def _group(kind: str, members: list[Task]) -> DeadLetters:
    members = sorted(members, key=lambda t: (t.ended_at_ms or 0, t.number))
    clients = dict.fromkeys(t.spec.client for t in members if t.spec.client is not None)
    return DeadLetters(
        fingerprint=fingerprint(kind),
        kind=kind,
        tasks=tuple(t.id for t in members),
        first_ms=members[0].ended_at_ms or 0,
        last_ms=members[-1].ended_at_ms or 0,
        clients=tuple(clients)[:MAX_CLIENTS_NAMED],
        sample=members[-1],
    )


def requeue(state: FleetState, by: str, command: Requeue, now_ms: int) -> Decision:
    """Run ended work again, all at once or at a rate per minute."""
    rate = command.per_minute
    if rate is not None and not 1 <= rate <= MAX_PER_MINUTE:
        return Refused(
            code=RefusalCode.BAD_RATE,
            text=f"A rate is from 1 to {MAX_PER_MINUTE:,} a minute, not {rate:,}.",
        )
    queued = 0

    def change(task: Task) -> list[Event] | Refused:
        nonlocal queued
        problem = _not_requeued(task) or undefined(state.fleet, task.spec)
        if problem is not None:
            return problem
        wait_ms = 0 if rate is None else queued * 60_000 // rate
        queued += 1
        why = f": {command.reason}" if command.reason else ""
        return [
            TaskRetrying(
                task=task.id,
                not_before_ms=now_ms + wait_ms,
                reason=f"requeued by {by}{why}",
                by=by,
                why=command.reason,
                duplicate_possible=may_have_unseen_run(task),
            )
        ]

    return for_each(state, command.tasks, change)


def may_have_unseen_run(task: Task) -> bool:
    """Whether an earlier run may still be running while the next one runs, or may have done all the
    work."""
    last = task.attempt
    return last is not None and last.run_id != task.judged and may_still_run(last)


def _not_requeued(task: Task) -> Refused | None:
    if task.phase is TaskPhase.NEEDS_OPERATOR or in_doubt(task):
        return Refused(
            code=RefusalCode.VERDICT_NEEDED,
            text=f"Whether {task.label} ran is unknown.",
            hint="Give a verdict: it ran, it did not, or run it again.",
        )
    if not task.phase.is_closed or task.phase is TaskPhase.SUCCEEDED:
        return Refused(
            code=RefusalCode.NOT_FAILED,
            text=f"{task.label} is {task.phase}; only failed work is requeued.",
        )
    return None


def edit_of(task: Task, spec: TaskSpec) -> Edit:
    """The edit of a dead letter, based on what its author saw."""
    seen = msgspec.structs.replace(task.spec, payload=NOTHING_SAID)
    return Edit(task=task.id, spec=spec, seen=seen, seen_sha256=task.payload_sha256)


def not_edited(state: FleetState, task: Task) -> Refused | None:
    """Why what it asks for cannot be changed, whatever the change; None where it can."""
    return None if task.id in state.dead_letters else _no_dead_letter(task, "edited")


def edit(state: FleetState, by: str, command: Edit) -> Decision:
    """Change what a dead letter asks for."""
    task = state.task(command.task)
    if task is None:
        return unknown_task(command.task)
    problem = not_edited(state, task) or bad_spec(state, command.spec)
    if problem is not None:
        return problem
    if command.spec == task.spec:
        return Refused(
            code=RefusalCode.UNCHANGED, text=f"{task.label} already has exactly these settings."
        )
    if command.seen is not None and (changed := _changed(task, command.seen, command.seen_sha256)):
        return Refused(
            code=RefusalCode.PLAN_CHANGED,
            text=f"{task.label} was edited since it was shown: {', '.join(changed)}.",
            hint="Nothing was done. Look at what it asks for now.",
        )
    edited = TaskEdited(
        task=task.id, spec=command.spec, payload_sha256=payload_sha256(command.spec), by=by
    )
    return Decided(events=(edited,), task=task.id, number=task.number)


def _changed(task: Task, seen: TaskSpec, seen_sha256: str) -> list[str]:
    """The names of fields that have changed since the author saw the task."""
    fields = TaskSpec.__struct_fields__
    changed = ["text"] if task.payload_sha256 != seen_sha256 else []
    return changed + [
        each.replace("_", " ")
        for each in fields
        if each != "payload" and getattr(task.spec, each) != getattr(seen, each)
    ]


def drop(state: FleetState, by: str, command: Drop) -> Decision:
    """Dismiss failed tasks."""
    if not command.reason.strip():
        return Refused(code=RefusalCode.NO_REASON, text="Dropping needs a reason; it is recorded.")

    def change(task: Task) -> list[Event] | Refused:
        if task.id not in state.dead_letters:
            return _no_dead_letter(task, "dropped")
        return [TaskDropped(task=task.id, by=by, reason=command.reason)]

    return for_each(state, command.tasks, change)


def _no_dead_letter(task: Task, done: str) -> Refused:
    return Refused(
        code=RefusalCode.NO_DEAD_LETTER,
        text=f"{task.label} is {task.phase}; only dead letters can be {done}.",
    )
