"""What is known about a run, and what is not.

A question to a host has a :class:`Definite` answer or is :class:`Unknown`. A lost connection is
never success and never failure; only what a host says about the named run counts as evidence.
"""

from enum import StrEnum
from typing import Final, Generic, TypeVar

import msgspec

from fleet_tui.core.ids import Epoch
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted

MAX_ANSWER_CHARS = 65_536
"""Answers longer than this are cut in the ledger; their length and hash are kept."""


class Usage(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Tokens of one run as the agent reported them, and its cost if it told one."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_microusd: int | None = None
    model: str | None = None
    unusable: bool = False
    """What was reported is no number of tokens or no amount of money, or a gateway reported
    nothing: what the run cost is not known."""

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
"""Above this a cost is nonsense, not money."""


def microusd(usd: float) -> int | None:
    """Dollars as whole micro-dollars. What costs less than one costs one: it is never told as free.
    None for what is no amount of money; -0.0 is none either."""
    if not 0 <= usd <= MAX_COST_USD or str(usd).startswith("-"):
        return None
    return round(usd * 1_000_000) or int(usd > 0)


class Answer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a finished run gave back, as text cut to MAX_ANSWER_CHARS, recognised secrets taken out;
    size and hash are of all of it as it came."""

    text: Untrusted = NOTHING_SAID
    size_bytes: int = 0
    sha256: str = ""
    truncated: bool = False
    lost: bool = False
    """Its host has not kept it: the text is empty, size and hash are what was written down, if it
    was."""

    @property
    def loss(self) -> str:
        """What to say in place of a text that is lost; empty where none is."""
        if not self.lost:
            return ""
        known = f" ({self.size_bytes} bytes, sha256 {self.sha256[:12]})" if self.sha256 else ""
        return f"lost: the run's host no longer has its output{known}"


MAX_CHECKPOINT_CHARS = 65_536
"""A longer checkpoint is not taken: half of one is none."""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """How far a resumable run had come, in the program's own words. Opaque to us."""

    text: Untrusted
    sha256: str
    """Of the UTF-8 bytes, hex."""


class Blame(StrEnum):
    """Whose doing it is that a run did not start, or failed."""

    NOBODY = "nobody"
    """Nobody's that is known: a connection that was lost, a fence of ours, the end of a run."""
    AGENT = "agent"
    """The agent refused it, or failed it at once, for a reason of its own."""
    TASK = "task"
    """No agent can do it."""


class Started(msgspec.Struct, frozen=True, kw_only=True, tag="started"):
    """The host claims the run: it runs now or will. Asking again can never start a second one."""

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
    """True when a tombstone on the host keeps a late start from ever running."""
    passing: bool = False
    """True when the agent only says that it starts, drains or restarts: probes say so, too."""
    withdrawn: bool = False
    """True when the agent had accepted the run and says that it gave it back before it began."""


class Running(msgspec.Struct, frozen=True, kw_only=True, tag="running"):
    """The host says it is still running."""

    output_bytes: int | None = None
    """How much it has said so far; None where the agent does not count it."""
    checkpoint: Checkpoint | None = None
    resumed_by_agent: bool = False
    """The agent itself continued the turn under a run id of its own after a crash."""
    suspended: bool = False
    """Its program is stopped on its host (SIGSTOP) and does nothing until it is let go on."""


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag="finished"):
    """The run ended and said so. ``ok`` is what the agent says of it."""

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
    """What an agent says of a run that was given up. A result is not among them: it is kept."""

    RUNS = "runs"
    NEVER_STARTED = "never-started"
    """And never will: a tombstone keeps a late start from running."""
    DIED = "died"
    STOPPED = "stopped"

    @property
    def text(self) -> str:
        """What comes after "its agent says that it …"."""
        return {
            LateWord.RUNS: "still runs",
            LateWord.NEVER_STARTED: "never started, and no longer can",
            LateWord.DIED: "died",
            LateWord.STOPPED: "was stopped",
        }[self]

    @property
    def is_final(self) -> bool:
        """Whether there is nothing more to hear."""
        return self is not LateWord.RUNS


class LostReason(StrEnum):
    """Why a question has no answer."""

    CONNECTION_LOST = "connection-lost"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    BAD_ANSWER = "bad-answer"
    HUNG = "hung"
    REFUSED = "refused"
    """The agent answers but does not tell about this run now (starting, no permission)."""
    NO_TRACE = "no-trace"
    """The agent does not know the run and nothing proves that it never ran."""
    CANNOT_CANCEL = "cannot-cancel"
    """The agent answers, and does not take a cancel while it drains. The run is where it was."""
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
    """No answer that can be relied on."""

    reason: LostReason
    detail: Untrusted = NOTHING_SAID


class RunOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed to start one attempt. The payload travels beside the command, never in it."""

    run_id: str
    task_id: str
    attempt: int
    payload: Untrusted
    label: str
    """What people see for the task, such as ``t-42``."""
    start_to_close_ms: int | None
    heartbeat_ms: int | None = None
    resumable: bool = False
    """Whether its checkpoints are of use."""
    checkpoint: Checkpoint | None = None
    """Where a resumable task continues; None from the start."""
    epoch: Epoch = Epoch(0)
    """Of the engine that planned the attempt; 0 where that is not known."""
    planned_at_ms: int | None = None
    """When the attempt was planned, epoch ms; None where that is not known."""
    trace_id: str
    """32 hex digits: the trace id that marks the agent's log lines of this run."""
