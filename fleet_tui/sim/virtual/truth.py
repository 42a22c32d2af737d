"""What really happened, written down by the programs and clients themselves.

The checkers believe this and nothing that fleet-tui stored. It is the simulated counterpart of an
append-only file that every program writes a line to when it starts and when it ends.
"""

import hashlib

import msgspec

from fleet_tui.core.ids import AgentName, HostName


class Execution(msgspec.Struct, kw_only=True):
    """One process that really ran."""

    run: str
    agent: AgentName
    host: HostName
    epoch: int
    """Of the engine that asked for it."""
    host_epoch: int
    """The newest epoch that the host knew when it took the run."""
    payload_sha256: str
    started_s: float
    ended_s: float | None = None
    status: int | None = None
    """Its exit status, None while it runs or if it was killed before it could tell."""
    recorded: bool = False
    """Whether its end is on the host's disk."""
    output: str = ""
    used: tuple[int, int] = (0, 0)
    """Tokens in and out, as it told itself."""
    silent: bool = False
    """It gives no sign of life while it runs."""
    pulse_s: float = 0.0
    """How often it gives one; 0 for all the time."""
    wiped_s: float | None = None
    """When its directory was deleted: from then on its host may know nothing of it."""
    continued: bool = False
    """Its gateway gave itself this turn, after a crash had interrupted the one before."""
    in_gateway: bool = False
    checkpoints: list[str] = []
    """Those its host ever told, in order."""
    resumed_from: str = ""
    """The checkpoint it was given to continue from."""

    @property
    def lives(self) -> bool:
        """Whether it runs now."""
        return self.ended_s is None

    def lives_at(self, at_s: float) -> bool:
        """Whether it ran at that instant."""
        return self.started_s <= at_s and (self.ended_s is None or self.ended_s > at_s)


class Call(msgspec.Struct, kw_only=True):
    """One thing a client or an operator asked for, and the answer that reached them."""

    sent_s: float
    verb: str
    key: str
    task: str = ""
    acked_s: float | None = None
    refused: str = ""
    sent_seq: int = 0
    """How much stood in the ledger when it was first asked for."""
    acked_seq: int | None = None
    run: str | None = None
    """Of a verdict: the run that its author looked at."""
    reason: str = ""
    """Of a verdict: tells it from all others."""


class EditAsked(msgspec.Struct, kw_only=True):
    """Another payload that an operator gave a dead letter."""

    task: str
    sent_s: float
    payload_sha256: str
    acked_s: float | None = None
    refused: str = ""


class RequeueAsked(msgspec.Struct, kw_only=True):
    """One try to let dead letters run again."""

    reason: str
    """Says which try it is."""
    tasks: tuple[str, ...]
    per_minute: int | None
    sent_s: float
    acked_seq: int | None = None
    changed: int = 0
    """Of an answered one: for how many tasks it did something."""
    refused: str = ""


class Truth:
    """Everything that happened outside fleet-tui."""

    def __init__(self) -> None:
        self.executions: list[Execution] = []
        """Of tasks."""
        self.canaries: list[Execution] = []
        """Of canary runs."""
        self.calls: list[Call] = []
        self.edits: list[EditAsked] = []
        self.requeues: list[RequeueAsked] = []
        self.sent: dict[str, str] = {}
        """By client key: SHA-256 of the payload."""
        self.tasks: dict[str, set[str]] = {}
        """By client key: every task id that was acknowledged for it."""

    def executions_of(self, task: str) -> list[Execution]:
        """All executions of a task, in the order in which they began."""
        return [e for e in self.executions if e.run.rpartition(".")[0] == task]

    def may_be_given(self, key: str, task: str, placed_s: float) -> set[str]:
        """SHA-256 of the payloads that a run placed then may be given: the newest that was
        acknowledged, or one whose answer was lost."""
        allowed = {self.sent.get(key, "")}
        for edit in self.edits:
            if edit.task != task or edit.refused or edit.sent_s > placed_s:
                continue
            if edit.acked_s is not None and edit.acked_s <= placed_s:
                allowed = set()
            allowed.add(edit.payload_sha256)
        return allowed

    def acked(self, verb: str, task: str) -> list[Call]:
        """What was acknowledged about a task."""
        return [
            c for c in self.calls if c.verb == verb and c.task == task and c.acked_s is not None
        ]

    def asked(self, verb: str, task: str) -> list[Call]:
        """What was asked about a task, answered or not: it may have been done."""
        return [c for c in self.calls if c.verb == verb and c.task == task and not c.refused]


def sha256(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()
