"""What a command means in a state: the events it becomes, or why it is refused.

Every refusal has a stable code, a sentence and, where there is one, the way out.
"""

import difflib
import hashlib
from collections.abc import Iterable
from typing import assert_never

import msgspec

from fleet_tui.core import commands as c
from fleet_tui.core.events import (
    AgentCordoned,
    AgentUncordoned,
    AlertAcked,
    AttemptCancelling,
    AttemptGivenUp,
    EngineModeChanged,
    Event,
    NoteAdded,
    TaskCancelRequested,
    TaskEnded,
    TaskResolved,
    TaskRetrying,
    TaskSubmitted,
)
from fleet_tui.core.ids import AgentName, TaskId
from fleet_tui.core.modes import EngineMode
from fleet_tui.core.state import (
    AttemptPhase,
    CancelCause,
    FleetState,
    Task,
    TaskPhase,
    TaskSpec,
)

MAX_OPEN_TASKS = 100_000
"""Submits beyond this are refused until the queue is shorter."""

MAX_PAYLOAD_BYTES = 4 * 1024 * 1024
"""The largest message an OpenClaw gateway takes."""

MAX_NOTE_CHARS = 2_000


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A command that was understood: what to commit and what to tell the operator."""

    events: tuple[Event, ...] = ()
    task: TaskId | None = None
    number: int | None = None
    duplicate: bool = False


Verdict = Decided | c.Refused


def decide(state: FleetState, by: str, command: c.Command, now_ms: int) -> Verdict:
    """The meaning of a command. ProbeNow and StopEngine change no state: they are the engine's."""
    match command:
        case c.Submit():
            return _submit(state, by, command)
        case c.Cancel():
            return _cancel(state, by, command)
        case c.Cordon(agents=agents, reason=reason):
            problem = _unknown_agents(state, agents)
            if problem is not None:
                return problem
            fresh = [n for n in agents if state.agents[n].cordon is None]
            return Decided(
                events=tuple(AgentCordoned(agent=n, by=by, reason=reason) for n in fresh)
            )
        case c.Uncordon(agents=agents):
            problem = _unknown_agents(state, agents)
            if problem is not None:
                return problem
            held = [n for n in agents if state.agents[n].cordon is not None]
            return Decided(events=tuple(AgentUncordoned(agent=n, by=by) for n in held))
        case c.Resolve():
            return _resolve(state, by, command, now_ms)
        case c.Requeue():
            return _requeue(state, by, command, now_ms)
        case c.Ack(alert=alert):
            if alert not in state.alerts:
                return c.Refused(code="unknown-alert", text=f"No open alert is called {alert}.")
            return Decided(events=(AlertAcked(alert=alert, by=by),))
        case c.AddNote(text=text):
            if not text.raw.strip():
                return c.Refused(code="empty", text="A note needs words.")
            if len(text.raw) > MAX_NOTE_CHARS:
                return c.Refused(
                    code="too-long", text=f"A note has at most {MAX_NOTE_CHARS} characters."
                )
            return Decided(events=(NoteAdded(by=by, text=text),))
        case c.ProbeNow(agents=agents):
            return _unknown_agents(state, agents) or Decided()
        case c.Freeze(reason=reason):
            return _freeze(state, by, reason)
        case c.Thaw():
            return _thaw(state, by)
        case c.StopEngine():
            return Decided()
        case _:
            assert_never(command)


def _freeze(state: FleetState, by: str, reason: str) -> Verdict:
    was = state.engine.mode.mode
    if was is EngineMode.HOLD:
        return Decided()
    why = reason or "nothing is to be started"
    change = EngineModeChanged(mode=EngineMode.HOLD, was=was, reason=why, by=by)
    return Decided(events=(change,))


def _thaw(state: FleetState, by: str) -> Verdict:
    was = state.engine.mode.mode
    if was is not EngineMode.HOLD:
        return c.Refused(code="not-frozen", text="The engine is not frozen.")
    change = EngineModeChanged(mode=EngineMode.NORMAL, was=was, reason="thawed", by=by)
    return Decided(events=(change,))


def payload_sha256(spec: TaskSpec) -> str:
    """SHA-256 of the payload's UTF-8 bytes, hex. Raises UnicodeEncodeError for lone surrogates."""
    return hashlib.sha256(spec.payload.raw.encode()).hexdigest()


def _submit(state: FleetState, by: str, command: c.Submit) -> Verdict:
    problem = _bad_payload(command.spec) or _bad_place(state, command.spec)
    if problem is not None:
        return problem
    digest = payload_sha256(command.spec)
    known_id = state.keys.get(command.key)
    if known_id is not None:
        return _same_key(state, known_id, command, digest)
    if command.task in state.open_tasks or command.task in state.closed_tasks:
        return c.Refused(code="id-taken", text=f"Task id {command.task} is in use already.")
    if len(state.open_tasks) >= MAX_OPEN_TASKS:
        return c.Refused(
            code="queue-full",
            text=f"The queue is full: {len(state.open_tasks)} tasks are open.",
            hint="Submit again when some have finished.",
        )
    number = state.totals.submitted + 1
    submitted = TaskSubmitted(
        task=command.task,
        number=number,
        key=command.key,
        spec=command.spec,
        by=by,
        payload_sha256=digest,
    )
    return Decided(events=(submitted,), task=command.task, number=number)


def _same_key(state: FleetState, known_id: TaskId, command: c.Submit, digest: str) -> Verdict:
    known = state.task(known_id)
    if known is not None and (known.payload_sha256 != digest or known.spec != command.spec):
        return c.Refused(
            code="key-conflict",
            text=f"Key {command.key} belongs to {known.label}, which asked for something else.",
            hint="Use another key for other work.",
        )
    number = known.number if known is not None else None
    return Decided(task=known_id, number=number, duplicate=True)


def _bad_payload(spec: TaskSpec) -> c.Refused | None:
    raw = spec.payload.raw
    if not raw.strip():
        return c.Refused(code="empty", text="The task has no text.")
    try:
        size = len(raw.encode())
    except UnicodeEncodeError as error:
        return c.Refused(
            code="not-utf8", text=f"The task is not valid text: character {error.start + 1}."
        )
    if size > MAX_PAYLOAD_BYTES:
        return c.Refused(
            code="too-large",
            text=f"The task has {size:,} bytes; at most {MAX_PAYLOAD_BYTES:,} are allowed.",
        )
    if "\x00" in raw:
        at = raw.index("\x00") + 1
        return c.Refused(code="nul", text=f"The task has a NUL character at position {at}.")
    return None


def _bad_place(state: FleetState, spec: TaskSpec) -> c.Refused | None:
    fleet = state.fleet
    if spec.pool is not None and spec.pool not in fleet.pools:
        return _unknown("pool", spec.pool, fleet.pools)
    if spec.agent is not None and spec.agent not in fleet.agents:
        return _unknown("agent", spec.agent, fleet.agents)
    return None


def _unknown(what: str, name: str, known: Iterable[str]) -> c.Refused:
    names = list(known)
    close = difflib.get_close_matches(name, names, n=3)
    if close:
        hint = "Did you mean " + " or ".join(close) + "?"
    else:
        hint = f"Known: {', '.join(names[:8])}." if names else f"The fleet has no {what}s."
    return c.Refused(code=f"unknown-{what}", text=f"No {what} is called {name!r}.", hint=hint)


def _unknown_agents(state: FleetState, agents: tuple[AgentName, ...]) -> c.Refused | None:
    if not agents:
        return c.Refused(code="nothing-named", text="No agent was named.")
    for name in agents:
        if name not in state.agents:
            return _unknown("agent", name, state.agents)
    return None


def _no_such_task(task: TaskId) -> c.Refused:
    return c.Refused(code="unknown-task", text=f"No task {task} is known.")


def _cancel(state: FleetState, by: str, command: c.Cancel) -> Verdict:
    task = state.task(command.task)
    if task is None:
        return _no_such_task(command.task)
    if task.phase.is_closed:
        return c.Refused(code="already-over", text=f"{task.label} is {task.phase} already.")
    requested = TaskCancelRequested(task=task.id, by=by, reason=command.reason)
    attempt = task.open_attempt
    if attempt is None:
        ended = TaskEnded(task=task.id, phase=TaskPhase.CANCELLED, reason=f"cancelled by {by}")
        return Decided(events=(requested, ended), task=task.id, number=task.number)
    if attempt.phase is AttemptPhase.CANCELLING:
        return Decided(events=(requested,), task=task.id, number=task.number)
    stopping = AttemptCancelling(run=attempt.run_id, cause=CancelCause.OPERATOR, by=by)
    return Decided(events=(requested, stopping), task=task.id, number=task.number)


def _resolve(state: FleetState, by: str, command: c.Resolve, now_ms: int) -> Verdict:
    task = state.task(command.task)
    if task is None:
        return _no_such_task(command.task)
    attempt = task.open_attempt
    unknown = attempt is not None and attempt.phase is AttemptPhase.UNKNOWN
    if task.phase is not TaskPhase.NEEDS_OPERATOR and not unknown:
        return c.Refused(
            code="no-verdict-needed", text=f"{task.label} is {task.phase}; no verdict is needed."
        )
    if not command.reason.strip():
        return c.Refused(code="no-reason", text="A verdict needs a reason; it is recorded.")
    events: list[Event] = [
        TaskResolved(task=task.id, verdict=command.verdict.value, by=by, reason=command.reason)
    ]
    if attempt is not None and unknown:
        events.append(AttemptGivenUp(run=attempt.run_id, reason=f"{by}: {command.reason}"))
    events.append(_after_verdict(task, by, command, now_ms))
    return Decided(events=tuple(events), task=task.id, number=task.number)


def _after_verdict(task: Task, by: str, command: c.Resolve, now_ms: int) -> Event:
    match command.verdict:
        case c.Verdict.RAN:
            return TaskEnded(task=task.id, phase=TaskPhase.SUCCEEDED, reason=f"{by} says it ran")
        case c.Verdict.DID_NOT_RUN:
            return TaskRetrying(
                task=task.id, not_before_ms=now_ms, reason=f"{by} says it did not run"
            )
        case c.Verdict.RUN_AGAIN:
            return TaskRetrying(
                task=task.id,
                not_before_ms=now_ms,
                reason=f"{by} says run it again",
                duplicate_possible=True,
            )
        case _:
            assert_never(command.verdict)


def _requeue(state: FleetState, by: str, command: c.Requeue, now_ms: int) -> Verdict:
    task = state.task(command.task)
    if task is None:
        return _no_such_task(command.task)
    if task.phase is TaskPhase.NEEDS_OPERATOR:
        return c.Refused(
            code="verdict-needed",
            text=f"Nobody knows whether {task.label} ran.",
            hint="Give a verdict: it ran, it did not, or run it again.",
        )
    if not task.phase.is_closed or task.phase is TaskPhase.SUCCEEDED:
        return c.Refused(
            code="not-failed", text=f"{task.label} is {task.phase}; only failed work is requeued."
        )
    again = TaskRetrying(task=task.id, not_before_ms=now_ms, reason=f"requeued by {by}")
    return Decided(events=(again,), task=task.id, number=task.number)
