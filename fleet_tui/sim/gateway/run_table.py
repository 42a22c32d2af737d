"""The work inside one gateway process: lanes, runs, idempotency, and reports about them.

All of this is memory and dies with the process; only :class:`Disk` stays. That is what makes the
real one ambiguous after a crash, and this one too.
"""

import asyncio
import random
import uuid
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import assert_never

import msgspec

from fleet_tui.sim.demo.behaviour import Model, Planner, RunPlan, Tokens
from fleet_tui.sim.demo.loglines import Trace, log_line
from fleet_tui.sim.demo.world import Host, Pace
from fleet_tui.sim.gateway.disk import (
    MAX_ACTIVITY_CHARS,
    MAX_TITLE_CHARS,
    Disk,
    Json,
    Message,
    Session,
    TaskRow,
)
from fleet_tui.sim.gateway.releases import Release

REMEMBERED_FOR_S = 300
"""How long a finished run answers to its idempotency key; after that the key runs again."""

MAX_REMEMBERED = 2_000

RESUME_MESSAGE = (
    "[System] Your previous turn was interrupted by a gateway restart while OpenClaw was waiting "
    "on tool/model work. Continue from the existing transcript."
)
TIMED_OUT_TEXT = (
    "Request timed out before a response was generated. Please try again, or increase "
    "`agents.defaults.timeoutSeconds` in your config."
)
EXITED_TEXT = "Task execution process exited before restart."


class End(StrEnum):
    """How a run ended."""

    DONE = "done"
    FAILED = "failed"
    ABORTED = "aborted"
    TIMED_OUT = "timed-out"


class RunRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What an accepted ``agent`` call asks for."""

    run_id: str
    session_key: str
    message: str
    title: str
    trace: Trace | None = None
    timeout_s: float | None = None
    system: bool = False
    """A turn the gateway gave itself: it leaves no user entry in the transcript."""


class Run:
    """One run from acceptance to its end."""

    def __init__(
        self,
        request: RunRequest,
        plan: RunPlan,
        session: Session,
        row: TaskRow,
        release: Release,
    ) -> None:
        self.request = request
        self.release = release
        self.plan = plan
        self.session = session
        self.row = row
        self.end: End | None = None
        self.ended_at_ms = 0
        self.spoken = ""
        self.has_turn = False
        self.stopped = False
        self.wake = asyncio.Event()
        self.over = asyncio.Event()
        self.on_end: list[Callable[[], None]] = []
        self.rides_on: Run | None = None
        """The run whose turn its message was steered into."""

    @property
    def id(self) -> str:
        """Its run id."""
        return self.request.run_id

    def then(self, tell: Callable[[], None]) -> None:
        """Call ``tell`` when the run is over, at once if it is."""
        if self.end is None:
            self.on_end.append(tell)
        else:
            tell()

    def stop(self) -> None:
        """Ask it to end at its next breath; a steered one ends with the turn it is part of."""
        if self.rides_on is not None:
            return self.rides_on.stop()
        self.stopped = True
        self.wake.set()


class RunTable:
    """The runs of one process and the lane they share."""

    def __init__(
        self,
        *,
        disk: Disk,
        host: Host,
        pace: Pace,
        rng: random.Random,
        plan: Planner,
        model: Model,
        agent_id: str,
        max_concurrent: int,
        release: Release,
        slowness: Callable[[], float],
        thawed: asyncio.Event,
        emit: Callable[[str, Json], None],
        spawn: Callable[..., object],
    ) -> None:
        self.max_concurrent = max_concurrent
        self.disk = disk
        self._release = release
        self._host = host
        self._pace = pace
        self._rng = rng
        self._plan = plan
        self._model = model
        self._agent_id = agent_id
        self._slowness = slowness
        self._thawed = thawed
        self._emit = emit
        self._spawn = spawn
        self._known: dict[str, Run] = {}
        """Running runs and remembered finished ones, oldest first."""
        self._forget_at_s: dict[str, float] = {}
        self._lane: deque[Run] = deque()
        self._at_work: list[Run] = []
        self._event_seq: dict[str, int] = {}

    @property
    def active_count(self) -> int:
        """Runs that hold a place in the lane."""
        return len(self._at_work)

    @property
    def queued_count(self) -> int:
        """Runs that wait for one."""
        return len(self._lane)

    @property
    def unfinished(self) -> list[Run]:
        """Runs that are not over, oldest first."""
        return [run for run in self._known.values() if run.end is None]

    def find(self, run_id: str) -> Run | None:
        """A run that this process knows about: unfinished, or finished not long ago."""
        now_s = self._pace.elapsed_s()
        for old, at_s in list(self._forget_at_s.items()):
            if at_s > now_s and len(self._forget_at_s) <= MAX_REMEMBERED:
                break
            del self._forget_at_s[old], self._known[old]
        return self._known.get(run_id)

    def active_in(self, session_key: str) -> list[Run]:
        """Unfinished runs of a session."""
        return [run for run in self.unfinished if run.request.session_key == session_key]

    def accept(self, request: RunRequest) -> Run:
        """Take on a run; it works as soon as the lane has a place."""
        session, row = self.open_session(request.session_key), self._row_for(request)
        plan = self._plan(request.run_id, _subject(request, session))
        run = Run(request, plan, session, row, self._release)
        self._known[run.id] = run
        if not request.system:
            session.messages.append(self._entry(run, "user", request.message))
        self._tell_task(run)
        busy = next((one for one in self.active_in(request.session_key) if one is not run), None)
        if busy is not None:
            # A message to a busy session is steered into its running turn: both end together.
            run.rides_on = busy
            busy.then(lambda: self._finish(run, busy.end or End.DONE))
            return run
        self._lane.append(run)
        self._spawn(self._work(run))
        self._give_turns()
        return run

    def log(self, level: str, subsystem: str, message: str, trace: Trace | None = None) -> None:
        """Write a line into the gateway's log."""
        now_ms = self._pace.now_ms()
        line = log_line(now_ms, self._host.name, level, subsystem, message, trace)
        self.disk.log.append(line)

    def settle_interrupted(self) -> list[str]:
        """Close the ledger rows of the process before; keys of sessions with a broken turn."""
        now_ms = self._pace.now_ms()
        broken = []
        for row in self.disk.tasks.values():
            if not row.is_settled and self._release.goes_on:
                row.settle("cancelled", now_ms, summary=EXITED_TEXT, error=EXITED_TEXT)
        for session in self.disk.sessions.values():
            if session.status == "running" and not self._has_ended(session):
                broken.append(session.key)
        return broken

    def resume(self, session_key: str) -> Run | None:
        """Continue a session's interrupted turn under a new run id, if it is still there."""
        session = self.disk.sessions.get(session_key)
        if session is None or session.status != "running" or self.active_in(session_key):
            return None
        run_id = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
        if not self._release.goes_on:
            session.status, session.given_up = "failed", True
            return None
        self.log("INFO", "main-session-recovery", f"resuming interrupted session {session_key}")
        return self.accept(
            RunRequest(
                run_id=run_id,
                session_key=session_key,
                message=RESUME_MESSAGE,
                title=RESUME_MESSAGE,
                system=True,
            )
        )

    def _has_ended(self, session: Session) -> bool:
        """Whether only the session's word about the end of its run got lost with its process."""
        rows = [r for r in self.disk.tasks.values() if r.session_key == session.key]
        return self._release.session_lags_s > 0 and bool(rows) and rows[-1].is_settled

    def forget_all(self) -> None:
        """The process dies: nothing more is written, the machine is free again."""
        self._host.busy -= len(self._at_work)
        self._at_work.clear()
        self._lane.clear()
        self._known.clear()
        self._forget_at_s.clear()

    def open_session(self, key: str) -> Session:
        """The session of that key, made if there is none."""
        now_ms = self._pace.now_ms()
        session = self.disk.sessions.get(key)
        if session is None:
            session = Session(
                key=key,
                session_id=self._uuid(),
                agent_id=self._agent_id,
                model=self._model,
                created_at_ms=now_ms,
                updated_at_ms=now_ms,
            )
            self.disk.add_session(session)
        return session

    def _row_for(self, request: RunRequest) -> TaskRow:
        now_ms = self._pace.now_ms()
        title = request.title
        cut = title if len(title) <= MAX_TITLE_CHARS else title[: MAX_TITLE_CHARS - 1] + "…"
        row = TaskRow(
            task_id=self._uuid(),
            run_id=request.run_id,
            session_key=request.session_key,
            agent_id=self._agent_id,
            title=cut,
            created_at_ms=now_ms,
            updated_at_ms=now_ms,
        )
        self.disk.add_task(row)
        return row

    def _give_turns(self) -> None:
        while self._lane and len(self._at_work) < self.max_concurrent:
            run = self._lane.popleft()
            run.has_turn = True
            self._at_work.append(run)
            self._host.busy += 1
            run.wake.set()

    async def _work(self, run: Run) -> None:
        while not run.has_turn and not run.stopped:
            await run.wake.wait()
            run.wake.clear()
        if not run.has_turn:
            self._lane.remove(run)
            return self._finish(run, End.ABORTED)
        self._begin(run)
        limit_s = self._pace.real_s(run.request.timeout_s or run.plan.duration_s * 1_000 + 3_600)
        try:
            async with asyncio.timeout(limit_s):
                end = await self._walk(run)
        except TimeoutError:
            await self._thawed.wait()
            end = End.TIMED_OUT
        self._at_work.remove(run)
        self._host.busy -= 1
        self._finish(run, end)
        self._give_turns()

    async def _walk(self, run: Run) -> End:
        for step in run.plan.steps:
            if await self._breathe(run, step.after_s):
                return End.ABORTED
            self.log(step.level, step.subsystem, step.message, run.request.trace)
            run.spoken = step.message[:MAX_ACTIVITY_CHARS]
            run.row.last_activity = run.spoken
            run.row.last_activity_at_ms = self._pace.now_ms()
            self._tell_task(run)
        if await self._breathe(run, run.plan.tail_s):
            return End.ABORTED
        return End.DONE if run.plan.error is None else End.FAILED

    async def _breathe(self, run: Run, seconds: float) -> bool:
        """Wait; True when the run was told to stop meanwhile."""
        if not run.stopped:
            run.wake.clear()
            try:
                async with asyncio.timeout(self._pace.real_s(seconds * self._slowness())):
                    await run.wake.wait()
            except TimeoutError:
                pass
        await self._thawed.wait()
        return run.stopped

    def _begin(self, run: Run) -> None:
        now_ms = self._pace.now_ms()
        session, row = run.session, run.row
        session.status = "running"
        session.started_at_ms = session.updated_at_ms = row.started_at_ms = now_ms
        session.ended_at_ms = None
        row.execution = "running"
        self._tell_agent(run, "lifecycle", {"phase": "start", "startedAt": now_ms})
        self._tell_agent(
            run,
            "lifecycle",
            {"phase": "model", "provider": self._model.provider, "model": self._model.name},
        )
        self._tell_task(run)

    def _finish(self, run: Run, end: End) -> None:
        now_ms = self._pace.now_ms()
        run.end, run.ended_at_ms = end, now_ms
        steered = not run.has_turn and end is not End.ABORTED
        run.session.updated_at_ms = now_ms
        if not steered:
            self._write_end(run, end, now_ms)
        match end:
            case End.DONE:
                run.row.settle("completed", now_ms, summary="completed")
            case End.FAILED:
                text = run.plan.error or ""
                run.row.settle("failed", now_ms, summary=text, error=text)
            case End.ABORTED:
                text = "This operation was aborted"
                run.row.settle("cancelled", now_ms, summary=text, error=text)
            case End.TIMED_OUT:
                run.row.settle("timed_out", now_ms, summary="aborted", error=TIMED_OUT_TEXT)
            case _:
                assert_never(end)
        self._tell_end(run, end)
        self._forget_at_s[run.id] = self._pace.elapsed_s() + REMEMBERED_FOR_S
        run.over.set()
        for tell in run.on_end:
            tell()
        run.on_end.clear()

    def _write_end(self, run: Run, end: End, now_ms: int) -> None:
        """What stays of the run on disk."""
        session, plan = run.session, run.plan
        session.ended_at_ms = now_ms
        session.last_run_id = run.id
        statuses = {
            End.DONE: "done",
            End.FAILED: "failed",
            End.ABORTED: "killed",
            End.TIMED_OUT: "timeout",
        }
        if self._release.session_lags_s and end is not End.ABORTED:
            self._spawn(self._say_later(session, statuses[end]))
        else:
            session.status = statuses[end]
        if end is End.DONE:
            before = session.tokens
            session.tokens = Tokens(
                input=before.input + plan.tokens.input,
                output=before.output + plan.tokens.output,
                cache_read=before.cache_read + plan.tokens.cache_read,
            )
            session.cost_usd += plan.cost_usd
            session.messages.append(self._entry(run, "assistant", plan.answer, "stop"))
            self.log("INFO", "openclaw", plan.answer, run.request.trace)
        elif end is End.FAILED:
            session.messages.append(self._entry(run, "assistant", plan.error or "", "error"))
        elif end is End.TIMED_OUT:
            session.messages.append(self._entry(run, "assistant", "", "aborted"))
        elif run.has_turn:
            session.messages.append(self._entry(run, "assistant", run.spoken, "stop"))
        reasons = {End.DONE: "stop", End.ABORTED: "rpc"}  # every other end is an error
        reason = reasons.get(end, "error")
        text = f"[agent] run {run.id} ended with stopReason={reason}"
        self.log("INFO", "agents/agent-command", text, run.request.trace)

    async def _say_later(self, session: Session, status: str) -> None:
        await self._pace.sleep(self._rng.uniform(0.0, self._release.session_lags_s))
        if not self.active_in(session.key):
            session.status = status

    def _entry(self, run: Run, role: str, text: str, stop_reason: str | None = None) -> Message:
        done = run.end is End.DONE
        return Message(
            id=self._uuid(),
            role=role,
            text=text,
            at_ms=self._pace.now_ms(),
            run_id=run.id,
            tokens=run.plan.tokens if done else None,
            cost_usd=run.plan.cost_usd if done else 0.0,
            stop_reason=stop_reason,
            aborted=run.end is End.ABORTED,
        )

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def _tell_task(self, run: Run) -> None:
        self._emit("task", {"action": "upserted", "task": run.row.row()})

    def _tell_agent(self, run: Run, stream: str, data: Json) -> None:
        payload: Json = {
            "runId": run.id,
            "sessionKey": run.request.session_key,
            "agentId": self._agent_id,
            "stream": stream,
            "data": data,
            "seq": self._next_seq(run),
            "ts": self._pace.now_ms(),
        }
        if stream == "lifecycle":
            payload["sessionId"] = run.session.session_id
        self._emit("agent", payload)

    def _tell_end(self, run: Run, end: End) -> None:
        if end is End.DONE:
            text = run.plan.answer
            self._tell_agent(run, "assistant", {"text": text, "delta": text, "itemId": run.id})
            self._tell_agent(run, "usage", {"outputTokens": run.plan.tokens.output})
        data: Json = {
            "phase": "end" if end is not End.FAILED else "error",
            "startedAt": run.row.started_at_ms,
            "endedAt": run.ended_at_ms,
            "aborted": end is End.ABORTED,
            "stopReason": "rpc" if end is End.ABORTED else "stop",
        }
        self._tell_agent(run, "lifecycle", data)
        chat: Json = {
            "runId": run.id,
            "sessionKey": run.request.session_key,
            "agentId": self._agent_id,
            "seq": self._next_seq(run),
        }
        if end is End.FAILED:
            chat |= {"state": "error", "errorMessage": run.plan.error}
        else:
            content = [{"type": "text", "text": run.plan.answer if end is End.DONE else ""}]
            chat |= {"state": "final" if end is End.DONE else "aborted", "stopReason": "stop"}
            chat["message"] = {
                "role": "assistant",
                "content": content,
                "timestamp": run.ended_at_ms,
            }
        self._emit("chat", chat)
        self._tell_task(run)
        self._event_seq.pop(run.id, None)

    def _next_seq(self, run: Run) -> int:
        self._event_seq[run.id] = seq = self._event_seq.get(run.id, 0) + 1
        return seq


def _subject(request: RunRequest, session: Session) -> str:
    """What the work is about: a turn the gateway gave itself goes on with the user's last."""
    asked = [message.text for message in session.messages if message.role == "user"]
    return asked[-1] if request.system and asked else request.message
