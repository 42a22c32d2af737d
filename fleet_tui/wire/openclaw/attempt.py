"""Attempts on a gateway: start, follow, inspect, cancel and fence.

How an attempt is prevented from running twice: its session is created first (``sessions.create``);
the run is then requested with the id of that very session (``expectedExistingSessionId``). Once the
session is deleted the gateway refuses that request whenever it arrives, and it does not continue a
turn of a deleted session after a crash either. So ``sessions.delete`` is a permanent fence, and a
start that fails before its session exists definitely did not happen. The idempotency key is the run
id and is never sent twice: the gateway remembers keys for minutes only.

Releases before 2026.8 cannot bind a run to a session (:mod:`fleet_tui.wire.openclaw.dialect`). A
start that they leave unanswered may arrive at any time and would recreate its session, so an empty
session is left alone there, and the run stays unknown until it arrives or gets a verdict.

A gateway knows no epochs, so an engine that was replaced while it was stopped has to notice that by
itself. It checks between creating the session and the start: an engine that takes over after that
check inspects later, finds the session and deletes it; one that took over earlier is noticed, and
nothing is sent.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from fleet_tui.core.ids import RunId, TaskId
from fleet_tui.core.tasks.codes import FailedCode, NotStartedCode
from fleet_tui.core.tasks.evidence import (
    Definite,
    Died,
    Finished,
    LostReason,
    NotStarted,
    Running,
    RunOrder,
    Stopped,
    Unknown,
)
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.wire.openclaw.connection import (
    Connection,
    GatewayRefused,
    GatewayReply,
    GatewayResult,
    Lost,
    Promised,
)
from fleet_tui.wire.openclaw.connector import Connector
from fleet_tui.wire.openclaw.dial import GatewayFailure
from fleet_tui.wire.openclaw.frames import Aborted, Malformed, decode
from fleet_tui.wire.openclaw.run_evidence import (
    about_another,
    final_outcome,
    no_cancel,
    start_answer,
    unanswered,
    unreachable,
    waited_outcome,
)
from fleet_tui.wire.openclaw.sessions import kept, key_of, session_key
from fleet_tui.wire.openclaw.starting import created, is_accepted, unfenceable, unfit
from fleet_tui.wire.openclaw.transcript import (
    HISTORY_LIMIT,
    NO_WORDS,
    NOT_CONTINUED,
    TASKS_LIMIT,
    ChatHistory,
    SessionState,
    TaskLedger,
    about_another_session,
    ended_without_words,
    session_state,
)
from fleet_tui.wire.port import (
    CANCELLED_FIRST,
    Inspection,
    KeptRuns,
    Outcome,
    StartAnswer,
    Wanted,
    always_wanted,
)
from fleet_tui.wire.words import words_of

CALL_MS = 10_000
"""Deadline of one request."""

CREATE_MS = 30_000
"""Deadline for creating the session of an attempt. No run is requested before it exists, so too
short a deadline costs a second attempt: the first turn of a process took up to 19 s on a busy
machine."""

START_MS = 20_000
"""Deadline of the first answer to ``agent``; a gateway under load took 9.5 s for 24 of them."""

WAIT_MS = 5_000
"""How long one ``agent.wait`` may last while a run is followed without its own answer. It also
bounds the delay in noticing the end of a turn that was continued after a crash and that the ledger
does not name yet: waiting for the first run is useless then."""

SETTLE_MS = 5_000
"""How long a cancelled run gets to end before its state is reported."""

RESUME_GRACE_S = 60.0
"""How long after (re)connecting an interrupted turn may still be continued by the gateway. It does
so three seconds after it became ready on an idle machine, and later on a busy one."""

ARRIVAL_GRACE_S = 60.0
"""How long an unanswered start may still arrive while its connection is up. It is fenced only after
that: a run that is admitted meanwhile would lose its output with its session."""

LOOK_AGAIN_S = 1.0
"""Pause between two inspections of a run that is followed by inspection."""

LOOK_MEANWHILE_S = 30.0
"""Pause between two inspections of a run whose final answer is pending. They are needed only where
that answer never comes: for a run that the gateway already knew, or does not answer for."""

LOOKS_FOR_WORDS = 10
"""Inspections of an ended turn that seems to have no text."""

LOOKS_FOR_END = 10
"""Inspections of a session that does not show yet that its run was aborted."""

MAX_TRACES = 1_024
"""Runs whose log lines can be attributed; the oldest are forgotten first."""

DELETE_TRIES, DELETE_AGAIN_S = 3, 0.3
"""A session cannot be deleted at the moment in which a run is admitted to it."""

FORGET_FOR_S = 60.0
"""Time limit for deleting sessions of ended runs in one call; those deleted by then are returned: a
loaded gateway takes seconds for each."""

DEFAULT_TIMEOUT_S = 86_400
"""Run limit sent to the gateway where the task has none. The engine's own deadline comes first."""


def traceparent(order: RunOrder) -> str:
    """W3C trace context that puts the order's trace id on the run's log lines."""
    return f"00-{order.trace_id}-{hashlib.sha256(order.run_id.encode()).hexdigest()[:16]}-01"


class _Asked(NamedTuple):
    """A run that was requested on one of our connections."""

    connection: Connection
    final: Promised
    at_s: float
    """When, on the loop's clock."""


class Attempts:
    """The runs of one gateway. Keeps the pending final answers of runs started here."""

    def __init__(self, line: Connector, *, agent_id: str, is_owner: Callable[[], bool]) -> None:
        """``is_owner`` returns whether the ledger still belongs to this engine."""
        self.tasks_by_trace: OrderedDict[str, TaskId] = OrderedDict()
        """The task of each trace id in log lines."""
        self._line = line
        self._agent_id = agent_id
        self._is_owner = is_owner
        self._asked: dict[str, _Asked] = {}

    async def start(self, order: RunOrder, wanted: Wanted = always_wanted) -> StartAnswer:
        """Create the attempt's session, then request the run with it. Sent at most once."""
        self._remember(order)
        connection = await self._line.connection()
        if isinstance(connection, GatewayFailure):
            return Definite(NotStarted(reason=connection.kind.value, detail=connection.detail))
        problem = unfit(order.payload, connection.hello.policy.max_payload)
        if problem is not None:
            return Definite(problem)
        key = session_key(self._agent_id, order)
        new: dict[str, object] = {"key": key, "agentId": self._agent_id}
        if connection.dialect.display_name:
            new["displayName"] = order.label[:200] or order.run_id
        made = await connection.call("sessions.create", new, timeout_ms=CREATE_MS)
        session = created(made)
        if isinstance(session, NotStarted):
            return Definite(session)
        if not self._is_owner():
            return Definite(NotStarted(reason=NotStartedCode.ENGINE_REPLACED))
        if not wanted():
            return Definite(CANCELLED_FIRST)
        bound_to = session.session_id if connection.dialect.expected_session else None
        asked_at_s = asyncio.get_running_loop().time()
        reply, final = await connection.call_for_result(
            "agent",
            self._run_params(order, key, bound_to),
            traceparent=traceparent(order) if connection.dialect.traced else None,
            timeout_ms=START_MS,
        )
        stray = about_another(reply, order.run_id)
        answer = stray or start_answer(reply, connection.hello.server.boot_id)
        if isinstance(reply, Lost) or is_accepted(answer):
            self._asked[order.run_id] = _Asked(connection, final, asked_at_s)
            while len(self._asked) > MAX_TRACES:
                self._let_go(next(iter(self._asked)))
            final.result.add_done_callback(lambda _: self._drop_lost(order.run_id))
        else:
            connection.forget(final)  # it is answered once; follow looks
        return answer

    async def follow(self, order: RunOrder) -> Outcome:
        """Wait for the final answer of the start, or else inspect until the run has ended."""
        self._remember(order)
        asked = self._asked.get(order.run_id)
        if asked is not None:
            reply = await self._final_answer(order, asked)
            self._let_go(order.run_id)
            if isinstance(reply, Lost):
                return unanswered(reply)
            if reply is not None:
                stray = about_another(reply, order.run_id)
                return stray or await self._completed(order, final_outcome(reply))
        while True:
            seen = await self._look(order)
            if isinstance(seen, Unknown):
                return seen
            if not isinstance(seen.value, Running):
                return Definite(seen.value)
            lost = await self._wait_for_end(order, seen.value)
            if lost is not None:
                return lost

    async def _final_answer(self, order: RunOrder, asked: _Asked) -> GatewayReply | None:
        """The final answer of the start. None where the session has shown twice that the run has
        ended, and no answer came in between: none will."""
        has_ended = False
        result = asked.final.result
        while not (await asyncio.wait({result}, timeout=LOOK_MEANWHILE_S))[0]:
            before, seen = has_ended, await self._session(asked.connection, order)
            has_ended = seen is SessionState.WORDLESS or isinstance(seen, Finished | Stopped | Died)
            if before and has_ended and not result.done():
                return None
        return result.result()

    async def _completed(self, order: RunOrder, outcome: Outcome) -> Outcome:
        """The outcome, completed from the transcript with data that the final answer lacks: the
        cost, up to 2026.7, and a text that cannot be read there."""
        if not isinstance(outcome, Definite) or not isinstance(outcome.value, Finished):
            return outcome
        usage, lacks_text = outcome.value.usage, outcome.value.answer.lost
        lacks_cost = usage.cost_microusd is None and (usage.total_tokens > 0 or usage.unusable)
        if not lacks_text and not lacks_cost:
            return outcome
        connection = await self._line.connection()
        if isinstance(connection, GatewayFailure):
            return outcome
        seen = await self._session(connection, order)
        if not isinstance(seen, Finished):
            return outcome
        if lacks_text and seen.ok:
            return Definite(replace(outcome.value, answer=seen.answer, usage=seen.usage))
        is_same = usage.unusable or seen.usage.total_tokens == usage.total_tokens
        if seen.usage.unusable or not is_same:
            return outcome
        return Definite(replace(outcome.value, usage=seen.usage))

    async def inspect(self, order: RunOrder) -> Inspection:
        """The state of the run; fences it when it never arrived or will not be continued."""
        self._remember(order)
        return self._heard(order, await self._look(order))

    async def cancel(self, order: RunOrder) -> Inspection:
        """Abort the run, or the turn that the gateway continued in its place; then inspect."""
        self._remember(order)
        return self._heard(order, await self._cancel(order))

    async def fence(self, order: RunOrder) -> Inspection:
        """Delete the session unless the run has already ended in it."""
        self._remember(order)
        return self._heard(order, await self._fence(order))

    async def _cancel(self, order: RunOrder) -> Inspection:
        connection = await self._line.connection()
        if isinstance(connection, GatewayFailure):
            return unreachable(connection)
        whole: dict[str, object] = {"key": session_key(self._agent_id, order)}
        if connection.dialect.clear_queued:
            whole["clearQueued"] = True
        run: dict[str, object] = {"runId": order.run_id}
        for target in (run, whole):
            reply = await connection.call("sessions.abort", target, timeout_ms=CALL_MS)
            if not isinstance(reply, GatewayResult):
                return self._ended_meanwhile(order) or no_cancel(reply)
            aborted = decode(reply.payload, Aborted)
            if isinstance(aborted, Aborted) and aborted.status == "aborted":
                return await self._end_of_aborted(connection, order)
        return await self._look(order)

    async def _end_of_aborted(self, connection: Connection, order: RunOrder) -> Inspection:
        """How a run ended that its gateway has just aborted. The session may show this later than
        the ledger; until then it looks as if a restart had interrupted the run. Up to 2026.5 both
        call it a timeout."""
        ended = await self._agent_wait(connection, order, SETTLE_MS)
        seen = await self._session(connection, order)
        looks = 1
        while seen is SessionState.INTERRUPTED and looks < LOOKS_FOR_END:
            await asyncio.sleep(LOOK_AGAIN_S)
            seen = await self._session(connection, order)
            looks += 1
        if seen is SessionState.INTERRUPTED and ended is not None:
            return Definite(ended)
        if (
            isinstance(ended, Stopped)
            and isinstance(seen, Finished)
            and seen.failure == FailedCode.TIMEOUT
        ):
            return Definite(replace(ended, usage=seen.usage))
        return await self._look(order)

    def _ended_meanwhile(self, order: RunOrder) -> Inspection | None:
        """The final answer of the run, where it came while no caller waited for it: a gateway that
        drains still sends it, and answers nothing else."""
        asked = self._asked.get(order.run_id)
        if asked is None or not asked.final.result.done():
            return None
        reply = asked.final.result.result()
        if isinstance(reply, Lost):
            return None
        return about_another(reply, order.run_id) or final_outcome(reply)

    async def _fence(self, order: RunOrder) -> Inspection:
        connection = await self._line.connection()
        if isinstance(connection, GatewayFailure):
            return unreachable(connection)
        seen = await self._session(connection, order)
        if isinstance(seen, Unknown):
            return seen
        if isinstance(seen, Finished | Stopped):
            return Definite(seen)
        if seen is SessionState.WORDLESS:
            return await self._look(order)
        if seen is SessionState.UNTOUCHED and not connection.dialect.expected_session:
            return unfenceable(connection.dialect)
        return await self._delete_session(connection, order, even_running=True)

    async def forget(self, runs: Sequence[RunId]) -> Sequence[str]:
        """Delete the sessions of runs that are over, as many as time permits; returns those now
        gone."""
        connection = await self._line.connection()
        gone: list[str] = []
        loop = asyncio.get_running_loop()
        until_s = loop.time() + FORGET_FOR_S
        for run in runs:
            if isinstance(connection, GatewayFailure) or (gone and loop.time() >= until_s):
                break
            key = key_of(self._agent_id, run)
            deleted = await connection.call("sessions.delete", {"key": key}, timeout_ms=CALL_MS)
            if isinstance(deleted, Lost):
                break
            if isinstance(deleted, GatewayResult):
                gone.append(run)
        return gone

    async def kept(self, skip: int) -> KeptRuns | None:
        """The sessions of attempts that the gateway keeps, from any ledger; see
        :class:`Cleanup`."""
        connection = await self._line.connection()
        if isinstance(connection, GatewayFailure):
            return None
        return await kept(connection, self._agent_id, skip)

    async def _look(self, order: RunOrder) -> Inspection:
        connection = await self._line.connection()
        if isinstance(connection, GatewayFailure):
            return unreachable(connection)
        seen = await self._session(connection, order)
        looks = 1
        while seen is SessionState.WORDLESS and looks < LOOKS_FOR_WORDS:
            await asyncio.sleep(LOOK_AGAIN_S)
            seen = await self._session(connection, order)
            looks += 1
        match seen:
            case Unknown():
                return seen
            case Running() | Finished() | Died() | Stopped():
                return Definite(seen)
            case SessionState.WORDLESS:
                return Definite(ended_without_words(NO_WORDS))
            case SessionState.UNTOUCHED if self._may_arrive(order):
                slow = Untrusted("it was asked for, and the gateway has not answered yet")
                return Unknown(LostReason.NO_TRACE, slow)
            case SessionState.UNTOUCHED if not connection.dialect.expected_session:
                return unfenceable(connection.dialect)
            case SessionState.ABSENT | SessionState.UNTOUCHED:
                return await self._delete_session(connection, order)
            case SessionState.INTERRUPTED:
                return await self._interrupted(connection, order)
            case SessionState.UNCLEAR:
                waited = await self._agent_wait(connection, order, 0)
                if waited is not None:
                    return Definite(waited)
                return Unknown(
                    LostReason.NO_TRACE, Untrusted("the session and the ledger disagree")
                )

    async def _session(
        self, connection: Connection, order: RunOrder
    ) -> Running | Finished | Died | Stopped | SessionState | Unknown:
        """Read ledger and transcript of the attempt's session, in that order."""
        key = session_key(self._agent_id, order)
        rows = await connection.call(
            "tasks.list", {"sessionKey": key, "limit": TASKS_LIMIT}, timeout_ms=CALL_MS
        )
        if not isinstance(rows, GatewayResult):
            return unanswered(rows)
        ledger = decode(rows.payload, TaskLedger)
        if isinstance(ledger, Malformed):
            return unanswered(ledger)
        told = await connection.call(
            "chat.history", {"sessionKey": key, "limit": HISTORY_LIMIT}, timeout_ms=CALL_MS
        )
        if not isinstance(told, GatewayResult):
            return unanswered(told)
        history = decode(told.payload, ChatHistory)
        if isinstance(history, Malformed):
            return unanswered(history)
        other = about_another_session(history, ledger, key)
        if other is not None:
            return Unknown(LostReason.BAD_ANSWER, words_of(f"the answer is about session {other}"))
        return session_state(history, ledger.as_of(connection.booted_at_ms), order.run_id)

    async def _interrupted(self, connection: Connection, order: RunOrder) -> Inspection:
        """A turn that died with its gateway: wait for it to be resumed, later rule that out."""
        age_s = asyncio.get_running_loop().time() - connection.opened_at_s
        if age_s < RESUME_GRACE_S:
            return Unknown(
                LostReason.NO_TRACE,
                Untrusted("interrupted by a restart; the gateway may still continue it"),
            )
        fenced = await self._delete_session(connection, order)
        if isinstance(fenced, Definite) and isinstance(fenced.value, Stopped | NotStarted):
            return Definite(Died(reason=NOT_CONTINUED))
        return fenced  # it was continued just then, or that is unknown

    async def _delete_session(
        self, connection: Connection, order: RunOrder, *, even_running: bool = False
    ) -> Inspection:
        """The fence. Stopped when the ledger shows that there was a run in the session after
        all."""
        key = session_key(self._agent_id, order)
        for _ in range(DELETE_TRIES):
            deleted = await connection.call("sessions.delete", {"key": key}, timeout_ms=CALL_MS)
            if not isinstance(deleted, GatewayRefused):
                break
            # Refused while a run is just being admitted; then it has arrived after all.
            seen = await self._session(connection, order)
            if isinstance(seen, Running) and not even_running:
                return Definite(seen)
            await asyncio.sleep(DELETE_AGAIN_S)
        if not isinstance(deleted, GatewayResult):
            return unanswered(deleted)
        seen = await self._session(connection, order)
        if isinstance(seen, Running):
            await self._agent_wait(connection, order, SETTLE_MS)
            seen = await self._session(connection, order)
        match seen:
            case SessionState.ABSENT:
                return Definite(NotStarted(reason=NotStartedCode.FENCED, fenced=True))
            case Stopped() | Finished() | Died():
                return Definite(seen)
            case Unknown():
                return seen
            case (
                Running()
                | SessionState.UNTOUCHED
                | SessionState.INTERRUPTED
                | SessionState.WORDLESS
                | SessionState.UNCLEAR
            ):
                still = Untrusted("the session is still at work after its deletion")
                return Unknown(LostReason.REFUSED, still)

    async def _wait_for_end(self, order: RunOrder, running: Running) -> Unknown | None:
        """Wait until another inspection may help. Unknown when the connection is lost meanwhile."""
        connection = await self._line.connection()
        if isinstance(connection, GatewayFailure):
            return unreachable(connection)
        # A turn that the gateway continued has a run id of its own, which agent.wait is not called
        # for.
        if not running.resumed_by_agent:
            await self._agent_wait(connection, order, WAIT_MS)
        await asyncio.sleep(LOOK_AGAIN_S)  # after an end too: the session may lag
        return unanswered(connection.lost) if connection.lost is not None else None

    async def _agent_wait(
        self, connection: Connection, order: RunOrder, wait_ms: int
    ) -> Finished | Stopped | None:
        """The end of the run according to ``agent.wait``, None where that proves nothing."""
        reply = await connection.call(
            "agent.wait",
            {"runId": order.run_id, "timeoutMs": wait_ms},
            timeout_ms=wait_ms + CALL_MS,
        )
        if not isinstance(reply, GatewayResult) or about_another(reply, order.run_id) is not None:
            return None
        return waited_outcome(reply.payload)

    def _run_params(self, order: RunOrder, key: str, bound_to: str | None) -> dict[str, object]:
        """``bound_to`` is the session's id where the gateway can be bound to it."""
        limit_ms = order.start_to_close_ms
        params: dict[str, object] = {
            "message": order.payload.raw,
            "agentId": self._agent_id,
            "sessionKey": key,
            "idempotencyKey": order.run_id,
            "timeout": DEFAULT_TIMEOUT_S if limit_ms is None else max(1, -(-limit_ms // 1000)),
        }
        if bound_to is not None:
            params["expectedExistingSessionId"] = bound_to
        return params

    def _remember(self, order: RunOrder) -> None:
        self.tasks_by_trace[order.trace_id] = TaskId(order.task_id)
        self.tasks_by_trace.move_to_end(order.trace_id)
        while len(self.tasks_by_trace) > MAX_TRACES:
            self.tasks_by_trace.popitem(last=False)

    def _drop_lost(self, run_id: str) -> None:
        """Forget a pending answer that was lost, so that a later follow inspects instead."""
        asked = self._asked.get(run_id)
        result = asked.final.result if asked is not None else None
        if result is not None and result.done() and isinstance(result.result(), Lost):
            self._asked.pop(run_id, None)

    def _heard(self, order: RunOrder, found: Inspection) -> Inspection:
        """The findings; the final answer of a run whose end is known is no longer awaited."""
        if isinstance(found, Definite) and not isinstance(found.value, Running):
            self._let_go(order.run_id)
        return found

    def _let_go(self, run_id: str) -> None:
        asked = self._asked.pop(run_id, None)
        if asked is not None:
            asked.connection.forget(asked.final)

    def _may_arrive(self, order: RunOrder) -> bool:
        """Whether an unanswered start may merely be slow."""
        asked = self._asked.get(order.run_id)
        if asked is None or asked.final.result.done():
            return False
        return asyncio.get_running_loop().time() - asked.at_s < ARRIVAL_GRACE_S


class RunsByAttempts:
    """The :class:`~fleet_tui.wire.port.Runs` of a gateway."""

    _attempts: Attempts

    async def start(self, order: RunOrder, wanted: Wanted = always_wanted) -> StartAnswer:
        """See :class:`Runs`. Refusals before the run is requested are definite."""
        return await self._attempts.start(order, wanted)

    async def follow(self, order: RunOrder) -> Outcome:
        """See :class:`Runs`."""
        return await self._attempts.follow(order)

    async def inspect(self, order: RunOrder) -> Inspection:
        """See :class:`Runs`."""
        return await self._attempts.inspect(order)

    async def cancel(self, order: RunOrder) -> Inspection:
        """See :class:`Runs`."""
        return await self._attempts.cancel(order)

    async def fence(self, order: RunOrder) -> Inspection:
        """See :class:`Runs`."""
        return await self._attempts.fence(order)
