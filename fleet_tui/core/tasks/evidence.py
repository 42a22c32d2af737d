"""Evidence about a run: definite or unknown.

A query to a host gives a :class:`Definite` answer or is :class:`Unknown`. A lost connection is
never success and never failure; only a host's report about the named run counts as evidence.
"""

from enum import StrEnum
from typing import Final, Generic, TypeVar

import msgspec

from fleet_tui.core.ids import Epoch
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted

MAX_ANSWER_CHARS = 65_536
"""Answers longer than this are cut in the ledger; their length and hash are kept."""


class Usage(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Tokens of one run as the agent reported them, and its cost if it reported one."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_microusd: int | None = None
    model: str | None = None
    unusable: bool = False
    """The report has an invalid number of tokens or amount of money, or a gateway reported nothing:
    the cost of the run is unknown."""

    @property
    def total_tokens(self) -> int:
        """All tokens, cached ones included."""
        return (
            self.input_tokens
            + self.output_tokens
            + self.cache_read_tokens
            + self.cache_write_tokens
        )


MAX_COST_USD = 1e6
"""A cost above this is invalid."""


def microusd(usd: float) -> int | None:
    """Dollars as whole micro-dollars. A cost below one counts as one, so that it is never shown as
    free. None for an invalid amount, including -0.0."""
    if not 0 <= usd <= MAX_COST_USD or str(usd).startswith("-"):
        return None
    return round(usd * 1_000_000) or int(usd > 0)


class Answer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The answer of a finished run, as text cut to MAX_ANSWER_CHARS, with recognised secrets
    removed; size and hash are of the complete answer as received."""

    text: Untrusted = NOTHING_SAID
    size_bytes: int = 0
    sha256: str = ""
    truncated: bool = False
    lost: bool = False
    """Its host has not kept it: the text is empty, size and hash are those recorded, if any."""

    @property
    def loss(self) -> str:
        """Shown in place of a lost text; empty where none is lost."""
        if not self.lost:
            return ""
        known = f" ({self.size_bytes} bytes, sha256 {self.sha256[:12]})" if self.sha256 else ""
        return f"lost: the run's host no longer has its output{known}"


MAX_CHECKPOINT_CHARS = 65_536
"""A longer checkpoint is rejected: a truncated one is useless."""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of a resumable run, in the program's own format. Opaque to us."""

    text: Untrusted
    sha256: str
    """Of the UTF-8 bytes, hex."""


class Blame(StrEnum):
    """Who is to blame that a run did not start, or failed."""

    NOBODY = "nobody"
    """Nobody, as far as known: a lost connection, a fence of ours, the end of a run."""
    AGENT = "agent"
    """The agent refused it, or failed it at once, for a reason of its own."""
    TASK = "task"
    """No agent can do it."""


class Started(msgspec.Struct, frozen=True, kw_only=True, tag="started"):
    """The host has claimed the run: it runs now or will. Repeating the start can never start a
    second one."""

    boot_id: str | None = None
    already: bool = False
    """True when the host had claimed this run id before."""


class NotStarted(msgspec.Struct, frozen=True, kw_only=True, tag="not-started"):
    """The run did not start and never will: refused, or fenced by a tombstone."""

    reason: str
    detail: Untrusted = NOTHING_SAID
    retryable: bool = True
    """False when another agent would refuse it too (a payload no agent can take)."""
    fenced: bool = False
    """True when a tombstone on the host prevents a late start."""
    passing: bool = False
    """True when the agent only says that it starts, drains or restarts: probes say so, too."""
    withdrawn: bool = False
    """True when the agent had accepted the run and reports that it gave it back before it began."""


class Running(msgspec.Struct, frozen=True, kw_only=True, tag="running"):
    """The host reports that it is still running."""

    output_bytes: int | None = None
    """Bytes of output so far; None where the agent does not count them."""
    checkpoint: Checkpoint | None = None
    resumed_by_agent: bool = False
    """The agent itself continued the turn under a run id of its own after a crash."""
    suspended: bool = False
    """Its program is stopped on its host (SIGSTOP) and does nothing until it is continued."""


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag="finished"):
    """The run ended and reported its result. ``ok`` is the agent's own report."""

    ok: bool
    answer: Answer = Answer()
    usage: Usage = Usage()
    failure: str = ""
    """A stable word for what went wrong: ``exit-1``, ``model-error``, ``timeout``."""
    detail: Untrusted = NOTHING_SAID
    retryable: bool = True
    duration_ms: int | None = None
    checkpoint: Checkpoint | None = None
    """Of a run that failed."""


class Died(msgspec.Struct, frozen=True, kw_only=True, tag="died"):
    """The run started and is gone without a result (process gone, host rebooted)."""

    reason: str
    checkpoint: Checkpoint | None = None


class Stopped(msgspec.Struct, frozen=True, kw_only=True, tag="stopped"):
    """The run ended because we asked it to."""

    usage: Usage = Usage()
    checkpoint: Checkpoint | None = None


Fact = Started | NotStarted | Running | Finished | Died | Stopped

T_co = TypeVar("T_co", covariant=True)


class LateWord(StrEnum):
    """An agent's report about a run that was given up. A result is not among them: it is stored
    separately."""

    RUNS = "runs"
    NEVER_STARTED = "never-started"
    """And never will: a tombstone prevents a late start."""
    DIED = "died"
    STOPPED = "stopped"

    @property
    def text(self) -> str:
        """Completes the sentence "its agent says that it …"."""
        return {
            LateWord.RUNS: "still runs",
            LateWord.NEVER_STARTED: "never started, and no longer can",
            LateWord.DIED: "died",
            LateWord.STOPPED: "was stopped",
        }[self]

    @property
    def is_final(self) -> bool:
        """Whether no further report is expected."""
        return self is not LateWord.RUNS


class LostReason(StrEnum):
    """Why a query got no answer."""

    CONNECTION_LOST = "connection-lost"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    BAD_ANSWER = "bad-answer"
    HUNG = "hung"
    REFUSED = "refused"
    """The agent answers but does not report on this run now (starting, no permission)."""
    NO_TRACE = "no-trace"
    """The agent does not know the run and nothing proves that it never ran."""
    CANNOT_CANCEL = "cannot-cancel"
    """The agent answers, but takes no cancel while it drains. The run is unchanged."""
    CANCELLED = "cancelled"
    """We stopped waiting (the engine is stopping)."""

    @property
    def text(self) -> str:
        """Why nobody can say where a run stands, as a sentence."""
        return _LOST[self]


_LOST: Final = {
    LostReason.CONNECTION_LOST: "the connection was lost",
    LostReason.TIMEOUT: "no answer came in time",
    LostReason.UNREACHABLE: "its agent is unreachable",
    LostReason.BAD_ANSWER: "the answer is not valid",
    LostReason.HUNG: "its agent does not answer",
    LostReason.REFUSED: "its agent cannot report on it yet",
    LostReason.NO_TRACE: "its agent does not know the run, and nothing proves that it never ran",
    LostReason.CANNOT_CANCEL: "its agent accepts no cancel while it drains",
    LostReason.CANCELLED: "the engine stopped asking",
}


class Definite(msgspec.Struct, Generic[T_co], frozen=True):
    """An answer backed by a durable fact on the host."""

    value: T_co


class Unknown(msgspec.Struct, frozen=True):
    """No reliable answer."""

    reason: LostReason
    detail: Untrusted = NOTHING_SAID


class RunOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Everything needed to start one attempt. The payload is sent separately from the command,
    never in it."""

    run_id: str
    task_id: str
    attempt: int
    payload: Untrusted
    label: str
    """The task's name for people, such as ``t-42``."""
    start_to_close_ms: int | None
    heartbeat_ms: int | None = None
    resumable: bool = False
    """Whether its checkpoints are of use."""
    checkpoint: Checkpoint | None = None
    """Where a resumable task continues; None for the beginning."""
    epoch: Epoch = Epoch(0)
    """Of the engine that planned the attempt; 0 where unknown."""
    planned_at_ms: int | None = None
    """When the attempt was planned, epoch ms; None where unknown."""
    trace_id: str
    """32 hex digits: the trace id that marks the agent's log lines of this run."""
