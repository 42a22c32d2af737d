"""Why a command is refused: one closed vocabulary for the engine, its twins and simulated clients.

The codes are stable: programs that read ``--json`` act on them.
"""

from enum import Enum, StrEnum, auto
from typing import assert_never


class Sense(Enum):
    """What a refusal means for its requester."""

    NEVER = auto()
    """The same command would be refused again, or needs another decision first."""
    NOT_FOR_IT = auto()
    """A task is left out because its state does not allow it: a selection of tasks did not mean
    it."""
    SO_ALREADY = auto()
    """An agent, an alert or the fleet is already in the requested state: asking twice is no
    error."""
    FULL = auto()
    """The same command can be accepted when some tasks have ended."""
    UNDECIDED = auto()
    """The engine could not accept any command just then, or does not know whether it accepted this
    one."""
    UNANSWERED = auto()
    """Not from an engine: the command may never have reached one."""


class RefusalCode(StrEnum):
    """What kind of refusal it is."""

    # what was named
    NOTHING_NAMED = "nothing-named"
    TOO_MANY = "too-many"
    UNKNOWN_TASK = "unknown-task"
    UNKNOWN_AGENT = "unknown-agent"
    UNKNOWN_POOL = "unknown-pool"
    UNKNOWN_CAPABILITY = "unknown-capability"
    UNKNOWN_REGION = "unknown-region"
    UNKNOWN_CLIENT = "unknown-client"
    UNKNOWN_PROJECT = "unknown-project"
    UNKNOWN_ALERT = "unknown-alert"
    BAD_NAME = "bad-name"
    LOOKS_LIKE = "looks-like"
    ID_TAKEN = "id-taken"
    KEY_CONFLICT = "key-conflict"
    # what was written
    EMPTY = "empty"
    TOO_LONG = "too-long"
    TOO_LARGE = "too-large"
    NOT_UTF8 = "not-utf8"
    NUL = "nul"
    BAD_RATE = "bad-rate"
    NO_REASON = "no-reason"
    # what stands in its way
    ALREADY_OVER = "already-over"
    ALREADY_CORDONED = "already-cordoned"
    NOT_CORDONED = "not-cordoned"
    ALREADY_ACKED = "already-acked"
    ALREADY_HELD = "already-held"
    ALREADY_EXPEDITED = "already-expedited"
    SAME_PRIORITY = "same-priority"
    UNCHANGED = "unchanged"
    NOT_HELD = "not-held"
    NOT_WAITING = "not-waiting"
    NOT_FAILED = "not-failed"
    ALREADY_FROZEN = "already-frozen"
    NOT_FROZEN = "not-frozen"
    NO_DEAD_LETTER = "no-dead-letter"
    NO_VERDICT_NEEDED = "no-verdict-needed"
    VERDICT_NEEDED = "verdict-needed"
    OTHER_RUN = "other-run"
    CHANGED_SINCE = "changed-since"
    PLAN_CHANGED = "plan-changed"
    ENDED_LONG_AGO = "ended-long-ago"
    # no room
    QUEUE_FULL = "queue-full"
    LANE_FULL = "lane-full"
    CLIENT_FULL = "client-full"
    # the engine or the way to it
    STOPPING = "stopping"
    BUG = "bug"
    IN_DOUBT = "in-doubt"
    READ_ONLY_MODE = "read-only-mode"
    RECOVERY_MODE = "recovery-mode"
    READ_ONLY = "read-only"
    REVIEW = "review"
    NO_ENGINE = "no-engine"
    NO_REPLY = "no-reply"
    OTHER = "other"
    """A code of an engine that is newer than this program."""

    @classmethod
    def _missing_(cls, value: object) -> "RefusalCode":
        return cls.OTHER

    @property
    def sense(self) -> Sense:
        """What follows from it."""
        match self:
            case (
                RefusalCode.NOTHING_NAMED
                | RefusalCode.TOO_MANY
                | RefusalCode.UNKNOWN_AGENT
                | RefusalCode.UNKNOWN_POOL
                | RefusalCode.UNKNOWN_CAPABILITY
                | RefusalCode.UNKNOWN_REGION
                | RefusalCode.UNKNOWN_CLIENT
                | RefusalCode.UNKNOWN_PROJECT
                | RefusalCode.UNKNOWN_ALERT
                | RefusalCode.BAD_NAME
                | RefusalCode.LOOKS_LIKE
                | RefusalCode.ID_TAKEN
                | RefusalCode.KEY_CONFLICT
                | RefusalCode.EMPTY
                | RefusalCode.TOO_LONG
                | RefusalCode.TOO_LARGE
                | RefusalCode.NOT_UTF8
                | RefusalCode.NUL
                | RefusalCode.BAD_RATE
                | RefusalCode.NO_REASON
                | RefusalCode.UNCHANGED
                | RefusalCode.NOT_FROZEN
                | RefusalCode.NO_VERDICT_NEEDED
                | RefusalCode.VERDICT_NEEDED
                | RefusalCode.OTHER_RUN
                | RefusalCode.CHANGED_SINCE
                | RefusalCode.PLAN_CHANGED
                | RefusalCode.BUG
                | RefusalCode.READ_ONLY
                | RefusalCode.REVIEW
                | RefusalCode.OTHER
            ):
                return Sense.NEVER
            case (
                RefusalCode.ALREADY_CORDONED
                | RefusalCode.NOT_CORDONED
                | RefusalCode.ALREADY_ACKED
                | RefusalCode.ALREADY_FROZEN
            ):
                return Sense.SO_ALREADY
            case (
                RefusalCode.ALREADY_OVER
                | RefusalCode.ALREADY_HELD
                | RefusalCode.ALREADY_EXPEDITED
                | RefusalCode.SAME_PRIORITY
                | RefusalCode.NOT_HELD
                | RefusalCode.NOT_WAITING
                | RefusalCode.NOT_FAILED
                | RefusalCode.NO_DEAD_LETTER
                | RefusalCode.ENDED_LONG_AGO
                | RefusalCode.UNKNOWN_TASK
            ):
                return Sense.NOT_FOR_IT
            case RefusalCode.QUEUE_FULL | RefusalCode.LANE_FULL | RefusalCode.CLIENT_FULL:
                return Sense.FULL
            case (
                RefusalCode.IN_DOUBT
                | RefusalCode.STOPPING
                | RefusalCode.READ_ONLY_MODE
                | RefusalCode.RECOVERY_MODE
            ):
                return Sense.UNDECIDED
            case RefusalCode.NO_ENGINE | RefusalCode.NO_REPLY:
                return Sense.UNANSWERED
            case _:
                assert_never(self)

    @property
    def is_full(self) -> bool:
        """Whether the same command can be accepted when some tasks have ended."""
        return self.sense is Sense.FULL

    @property
    def is_so_already(self) -> bool:
        """Whether nothing is done because an agent, an alert or the fleet is already in the
        requested state: asking twice is no error."""
        return self.sense is Sense.SO_ALREADY

    @property
    def is_not_for_it(self) -> bool:
        """Whether a task is left out because its state does not allow the request: a selection of
        tasks did not mean it."""
        return self.sense is Sense.NOT_FOR_IT

    @property
    def is_unanswered(self) -> bool:
        """Whether it is not from an engine: the command may never have reached one."""
        return self.sense is Sense.UNANSWERED

    @property
    def is_undecided(self) -> bool:
        """Whether the same command may be accepted later: the engine could not accept any just
        then, or does not know whether it accepted this one."""
        return self.is_unanswered or self.sense is Sense.UNDECIDED
