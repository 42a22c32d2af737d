"""The state of an attempt according to its own session: transcript and task ledger.

Each attempt has a session of its own, so everything in it is evidence about that attempt alone. It
survives a restart of the gateway, which ``agent.wait`` does not. After a crash the gateway
continues an interrupted turn by itself, in the same session under a run id of its own, some three
seconds after it is ready; the ledger row of the first run then says ``cancelled``.
"""

from enum import Enum, auto

import msgspec
from msgspec.structs import replace

from fleet_tui.core.tasks.codes import FailedCode
from fleet_tui.core.tasks.evidence import Answer, Died, Finished, Running, Stopped, Usage
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted
from fleet_tui.wire.numbers import count
from fleet_tui.wire.openclaw.run_evidence import (
    UNTOLD,
    TokenUsage,
    answer_of,
    of_success,
    usage_of,
)
from fleet_tui.wire.words import words_of

HISTORY_LIMIT = 50
"""Last transcript entries requested; totals of longer ones come from the session's own sums."""

TASKS_LIMIT = 20

NOT_CONTINUED = "the gateway restarted and did not continue the turn"
"""Why a run died."""

WORDS_LOST = Untrusted("its session was deleted, and with it what it said and what it cost")
"""For a run of which only the ledger's row is left."""

NO_WORDS = Untrusted("its session says that it is done, and has nothing that it said")
"""For a run whose final text never came."""


def ended_without_words(detail: Untrusted) -> Finished:
    """A turn that succeeded, with an answer that can no longer be read."""
    return Finished(ok=True, answer=Answer(lost=True), usage=UNTOLD, detail=detail)


OWN_PROMPT = "internal_system"
"""The provenance of a prompt that the gateway wrote itself, since 2026.8."""

GOES_ON = "[System] Your previous turn was interrupted by a gateway restart"
"""The beginning of the prompt with which every release resumes a turn."""


class Marks(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The gateway's own notes on an entry."""

    run_id: str = ""


class Abort(msgspec.Struct, frozen=True, kw_only=True):
    """Set on the entry that an abort left behind."""

    aborted: bool = False


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Who wrote an entry where no user did."""

    kind: str = ""


class ChatPart(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of an entry; only text pieces matter here."""

    type: str = ""
    text: str = ""


class ChatEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One message of a transcript."""

    role: str = ""
    content: str | list[ChatPart] = ""
    stop_reason: str | None = None
    idempotency_key: str = ""
    model: str | None = None
    usage: TokenUsage = TokenUsage()
    openclaw_abort: Abort = Abort()
    provenance: Provenance = Provenance()
    marks: Marks = msgspec.field(default=Marks(), name="__openclaw")

    @property
    def text(self) -> str:
        """All of its text."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if part.type == "text")

    @property
    def is_own_prompt(self) -> bool:
        """Whether the gateway itself wrote this prompt."""
        return self.provenance.kind == OWN_PROMPT or self.text.startswith(GOES_ON)


class SessionInfo(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The gateway's summary of a session."""

    status: str | None = None
    has_active_run: bool | None = None
    aborted_last_run: bool | None = None
    """Its last run was interrupted, by an abort or with its gateway."""
    input_tokens: float | None = None
    output_tokens: float | None = None
    estimated_cost_usd: float | None = None
    runtime_ms: float | None = None
    model: str | None = None


class ChatHistory(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Answer of ``chat.history``. Without ``session_id`` there is no such session."""

    session_key: str = ""
    """The session that it is about; empty where the gateway does not name it."""
    session_id: str | None = None
    messages: list[ChatEntry] = []
    has_more: bool = False
    session_info: SessionInfo = SessionInfo()


AT_WORK = frozenset({"running", "queued"})
"""Statuses of a run that works or waits in a lane."""


class LedgerRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One run in the gateway's task ledger."""

    run_id: str = ""
    session_key: str = ""
    status: str = ""
    updated_at: float | None = None
    """Epoch ms on the gateway's clock."""

    def is_from_before(self, booted_at_ms: float) -> bool:
        """Whether it was last written by a process that is gone."""
        return self.updated_at is not None and self.updated_at < booted_at_ms


class TaskLedger(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of ``tasks.list``, newest first."""

    tasks: list[LedgerRow] = []

    def status_of(self, run_id: str) -> str | None:
        """The status of a run, None when it is not here."""
        return next((row.status for row in self.tasks if row.run_id == run_id), None)

    def run_at_work(self) -> str | None:
        """The run id of a run that works or waits in a lane, if there is one."""
        return next((r.run_id for r in self.tasks if r.status in AT_WORK), None)

    def as_of(self, booted_at_ms: float | None) -> "TaskLedger":
        """The ledger, with runs of a process that is gone marked as lost. Up to 2026.7 a gateway
        that was killed leaves such rows unchanged; later ones cancel them at start."""
        if booted_at_ms is None:
            return self
        return TaskLedger(
            tasks=[
                replace(row, status="lost")
                if row.status in AT_WORK and row.is_from_before(booted_at_ms)
                else row
                for row in self.tasks
            ]
        )


def about_another_session(history: ChatHistory, ledger: TaskLedger, key: str) -> str | None:
    """The session in a gateway's answer to a request about ``key``, if it is another; None
    otherwise. Gateways fold the case of keys."""
    told = (history.session_key, *(row.session_key for row in ledger.tasks))
    return next((other for other in told if other and other.lower() != key.lower()), None)


class SessionState(Enum):
    """States of a session without definite evidence."""

    ABSENT = auto()
    """No session and no ledger row: never arrived, or removed before it did."""
    UNTOUCHED = auto()
    """The session was created, and nothing arrived in it."""
    INTERRUPTED = auto()
    """The run ended with its gateway's process; the gateway may still continue it."""
    WORDLESS = auto()
    """Its last turn is over, and its text is not written yet. Ask again."""
    UNCLEAR = auto()
    """Contradicting signs, as between two writes of the gateway. Ask again."""


def session_state(
    history: ChatHistory, ledger: TaskLedger, run_id: str
) -> Running | Finished | Died | Stopped | SessionState:
    """The state of the attempt ``run_id``; ``ledger`` was read before ``history``."""
    info = history.session_info
    if history.session_id is None:
        return _removed(ledger, run_id) if ledger.tasks else SessionState.ABSENT
    at_work = ledger.run_at_work()
    if info.status in _OVER and at_work is not None and not _has_last_words(history):
        # A gateway records that a turn is over before its text (seen on 2026.9.6, 1.6 s apart).
        return Running(resumed_by_agent=at_work != run_id)
    match info.status:
        case "done":
            return _done(history, run_id) if _has_last_words(history) else SessionState.WORDLESS
        case "failed" if info.aborted_last_run:
            return Died(reason=NOT_CONTINUED)  # a gateway of up to 2026.7 gave it up
        case "failed":
            return _finished(history, ok=False, failure=FailedCode.MODEL_ERROR)
        case "timeout":
            return _finished(history, ok=False, failure=FailedCode.TIMEOUT)
        case "killed":
            return Stopped(usage=_usage(history))
        case _:  # "running", none yet, or a word of a later version: the signs below decide
            pass
    row = ledger.status_of(run_id)
    is_cut_off = row in {"cancelled", "lost"}
    if at_work is not None or info.has_active_run:
        # The ledger names the continued run a moment later than the session does.
        return Running(resumed_by_agent=at_work not in {None, run_id} or is_cut_off)
    if info.status is None and not history.messages and not ledger.tasks:
        return SessionState.UNTOUCHED
    if is_cut_off:
        return SessionState.INTERRUPTED
    return _ended_in_ledger(history, row, run_id) or SessionState.UNCLEAR


_OVER = frozenset({"done", "failed", "timeout"})
"""Statuses of a session in which no turn is at work."""


def _has_last_words(history: ChatHistory) -> bool:
    """Whether the text of its last turn is there. Failed turns may leave none."""
    return bool(history.messages) and history.messages[-1].role == "assistant"


def _done(history: ChatHistory, run_id: str) -> Finished:
    """A turn that succeeded, unless the task's text was not part of it. A gateway that is killed
    between recording that a turn runs and storing its text resumes with its own prompt alone (seen
    on 2026.9.6); the answer is meaningless then."""
    asked = [entry for entry in history.messages if entry.role == "user"]
    ours = f"{run_id}:user"
    is_ours = any(e.idempotency_key == ours or not e.is_own_prompt for e in asked)
    if asked and not is_ours and not history.has_more:
        return _finished(history, ok=False, failure=FailedCode.TEXT_LOST)
    return _finished(history, ok=True, failure="")


def _ended_in_ledger(
    history: ChatHistory, row: str | None, run_id: str
) -> Finished | Stopped | None:
    """How a run ended whose session does not show it yet: up to 2026.7 that takes up to two seconds
    longer than the ledger, and sessions of 2026.5 never show it. The ledger calls an abort a
    timeout too."""
    match row:
        case "completed" if _has_last_words(history):
            return _done(history, run_id)
        case "failed":
            return _finished(history, ok=False, failure=FailedCode.MODEL_ERROR)
        case "timed_out" if any(entry.openclaw_abort.aborted for entry in history.messages):
            return Stopped(usage=_usage(history))
        case "timed_out":
            return _finished(history, ok=False, failure=FailedCode.TIMEOUT)
        case _:  # at work, cut off, none yet, or a word of a later release: nothing ended
            return None


def _removed(ledger: TaskLedger, run_id: str) -> Running | Finished | Stopped | SessionState:
    """What the ledger keeps of a deleted session: how it ended, not its text."""
    last = ledger.tasks[0]
    match last.status:
        case "completed":
            return ended_without_words(WORDS_LOST)
        case "failed" | "timed_out" if last.run_id != run_id:
            # A turn that the gateway had continued, whose session was deleted, and which failed
            # because of that.
            return Stopped()
        case "failed":
            return Finished(ok=False, failure=FailedCode.MODEL_ERROR, usage=UNTOLD)
        case "timed_out":
            return Finished(ok=False, failure=FailedCode.TIMEOUT, usage=UNTOLD)
        case status if status in AT_WORK:
            return Running()
        case "cancelled" | "lost":
            return Stopped()
        case _:  # a word of a later release proves nothing
            return SessionState.UNCLEAR


def _finished(history: ChatHistory, *, ok: bool, failure: str) -> Finished:
    spoken = [entry for entry in history.messages if entry.role == "assistant"]
    last = spoken[-1].text if spoken else ""
    return Finished(
        ok=ok,
        answer=answer_of(last if ok else ""),
        usage=of_success(_usage(history)) if ok else _usage(history),
        failure=failure,
        detail=NOTHING_SAID if ok else words_of(last),
        duration_ms=count(history.session_info.runtime_ms),
    )


def _usage(history: ChatHistory) -> Usage:
    info = history.session_info
    if history.has_more:
        sums = TokenUsage(input=info.input_tokens, output=info.output_tokens)
        return usage_of([sums], model=info.model, cost_usd=info.estimated_cost_usd)
    spoken = [entry for entry in history.messages if entry.role == "assistant"]
    real = [entry for entry in spoken if entry.model != "gateway-injected"]
    model = real[-1].model if real else None
    return usage_of((entry.usage for entry in real), model=model)
