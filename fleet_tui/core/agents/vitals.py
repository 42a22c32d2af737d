"""The results of a probe: a reading or a failure, each with its instant and duration.

Readings are telemetry. Only a *change* of health becomes an event of the ledger.
"""

from enum import StrEnum
from typing import Final, NamedTuple, assert_never

import msgspec

from fleet_tui.core.ids import AgentName, PoolName, RunId
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted


class FailureKind(StrEnum):
    """Why a probe failed. The names appear on screen and in filters."""

    SSH_UNREACHABLE = "ssh-unreachable"
    SSH_AUTH = "ssh-auth"
    SSH_HOST_KEY = "ssh-host-key"
    SSH_PROTOCOL = "ssh-protocol"
    FORWARD_DENIED = "forward-denied"
    SESSION_DENIED = "session-denied"
    """sshd accepts the login but opens no session: MaxSessions, or sessions that hang."""
    GATEWAY_DOWN = "gateway-down"
    GATEWAY_HUNG = "gateway-hung"
    GATEWAY_STARTING = "gateway-starting"
    GATEWAY_DRAINING = "gateway-draining"
    GATEWAY_AUTH = "gateway-auth"
    GATEWAY_SCOPE = "gateway-scope"
    PROTOCOL_MISMATCH = "protocol-mismatch"
    RELEASE_UNSUPPORTED = "release-unsupported"
    AGENT_MISSING = "agent-missing"
    """The gateway has no agent of that id."""
    BAD_ANSWER = "bad-answer"
    SECRET_MISSING = "secret-missing"  # noqa: S105 - the name of a failure, not a secret
    COMMAND_MISSING = "command-missing"
    DISK_FULL = "disk-full"
    NO_DESCRIPTORS = "no-descriptors"
    """Ours, not the agent's: the engine has no file descriptor left to connect to it."""
    CANNOT_WORK = "cannot-work"
    """Its host lacks what every run needs: tools, hard links, a run_dir it may write to."""
    TIMEOUT = "timeout"
    INTERNAL = "internal"

    @property
    def text(self) -> str:
        """Why a probe failed, as a sentence about the agent."""
        return _FAILURES[self].text

    @property
    def cure(self) -> str:
        """What somebody can do about it."""
        return _FAILURES[self].cure

    @property
    def is_permanent(self) -> bool:
        """True where trying again soon cannot help and may lock us out: an operator must act."""
        return _FAILURES[self].is_permanent

    @property
    def is_of_host(self) -> bool:
        """True where the probe was answered: the host cannot take a run as it is."""
        return _FAILURES[self].is_of_host

    @property
    def is_fault(self) -> bool:
        """True where it keeps an agent that is reached from starting runs: its own fault, which
        probes do not show."""
        return _FAILURES[self].is_fault


class _Failure(NamedTuple):
    text: str
    cure: str
    is_permanent: bool = False
    is_of_host: bool = False
    is_fault: bool = False


_FAILURES: Final = {
    FailureKind.SSH_UNREACHABLE: _Failure(
        "its host is unreachable over SSH",
        "check the host and the network path to it; `ssh` from this machine shows more",
    ),
    FailureKind.SSH_AUTH: _Failure(
        "its host rejects the engine's SSH key",
        "authorise the engine's SSH key on the host, or configure another key",
        is_permanent=True,
    ),
    FailureKind.SSH_HOST_KEY: _Failure(
        "its host's SSH key is not the trusted one",
        "`fleet-tui trust` shows the host's key and adds it to known_hosts",
        is_permanent=True,
    ),
    FailureKind.SSH_PROTOCOL: _Failure(
        "no SSH connection to its host can be made",
        "fix the reported problem, on the host or here; `ssh -v` from this machine shows more",
    ),
    FailureKind.FORWARD_DENIED: _Failure(
        "its host's SSH server does not forward connections",
        "enable AllowTcpForwarding to the gateway's port in the host's sshd_config",
        is_permanent=True,
    ),
    FailureKind.SESSION_DENIED: _Failure(
        "its host's SSH server does not open a session",
        "raise MaxSessions in the host's sshd_config, and check what hangs at login",
    ),
    FailureKind.GATEWAY_DOWN: _Failure(
        "its gateway is not running",
        "start the gateway on its host, or correct its port in the fleet file",
    ),
    FailureKind.GATEWAY_HUNG: _Failure(
        "its gateway does not answer",
        "the gateway accepts connections but does not answer: restart it",
    ),
    FailureKind.GATEWAY_STARTING: _Failure(
        "its gateway is starting", "wait; if it persists, check the gateway's log"
    ),
    FailureKind.GATEWAY_DRAINING: _Failure(
        "its gateway is draining", "wait; if it persists, check the gateway's log"
    ),
    FailureKind.GATEWAY_AUTH: _Failure(
        "its gateway rejects the token",
        "correct the token at the place that the fleet file names; it is reread automatically",
        is_permanent=True,
    ),
    FailureKind.GATEWAY_SCOPE: _Failure(
        "its token lacks a permission that the gateway requires",
        "correct the token at the place that the fleet file names; it is reread automatically",
        is_permanent=True,
    ),
    FailureKind.PROTOCOL_MISMATCH: _Failure(
        "its gateway speaks a different protocol version",
        "upgrade the gateway or fleet-tui so that both speak the same protocol",
        is_permanent=True,
    ),
    FailureKind.RELEASE_UNSUPPORTED: _Failure(
        "its gateway's release is not supported",
        "install a gateway release that the README lists",
        is_permanent=True,
    ),
    FailureKind.AGENT_MISSING: _Failure(
        "its gateway has no agent with that id",
        "add that agent to the gateway, or correct agent_id in the fleet file",
        is_permanent=True,
    ),
    FailureKind.BAD_ANSWER: _Failure(
        "its answer is not valid",
        "check what listens on that port; the gateway's log may show more",
        is_fault=True,
    ),
    FailureKind.SECRET_MISSING: _Failure(
        "a secret that it needs cannot be read",
        "put the token at the place that the fleet file names, or correct the reference",
        is_permanent=True,
    ),
    FailureKind.COMMAND_MISSING: _Failure(
        "its program cannot be executed",
        "install the program on the host, or correct its path in the fleet file",
    ),
    FailureKind.DISK_FULL: _Failure(
        "its host's disk is full", "free disk space on the host", is_of_host=True, is_fault=True
    ),
    FailureKind.NO_DESCRIPTORS: _Failure(
        "the engine has no file descriptors left", "raise `ulimit -n` where the engine is started"
    ),
    FailureKind.CANNOT_WORK: _Failure(
        "its host lacks what a run needs",
        "provide what the host lacks, or change run_dir in the fleet file",
        is_of_host=True,
        is_fault=True,
    ),
    FailureKind.TIMEOUT: _Failure(
        "it did not answer in time",
        "check the host and the network path to it; `ssh` from this machine shows more",
    ),
    FailureKind.INTERNAL: _Failure(
        "a bug in fleet-tui stopped its probe",
        "a bug in fleet-tui; engine.log in the state directory shows more",
    ),
}


class Limit(StrEnum):
    """What an agent's release cannot do, though it takes work."""

    NO_FENCE = "no-fence"
    NO_LANES = "no-lanes"
    NO_MACHINE = "no-machine"
    NO_LOG_TRACE = "no-log-trace"
    NO_BOOT_ID = "no-boot-id"

    @property
    def text(self) -> str:
        """Its consequence, as a sentence for operators."""
        match self:
            case Limit.NO_FENCE:
                return "a start without an answer cannot be fenced: its task needs your verdict"
            case Limit.NO_LANES:
                return (
                    "only runs of this fleet are counted, not other work of the gateway; agents "
                    "that share it have the slots of the one with the most"
                )
            case Limit.NO_MACHINE:
                return "memory, disk and load of its machine are not known"
            case Limit.NO_LOG_TRACE:
                return "its log lines do not name the task they belong to"
            case Limit.NO_BOOT_ID:
                return "a restart is noticed by the lost connection only"
            case _:
                assert_never(self)


class ModelTrouble(msgspec.Struct, frozen=True, kw_only=True):
    """The model of a run fails, and the agent retries it."""

    reason: str
    """The agent's own term in letters and spaces: ``rate limit``."""
    attempt: int
    """The number of the next or current try, from 2 on."""
    of: int | None = None
    """Tries after which the agent gives up; None when it does not report it."""


class VitalsReading(msgspec.Struct, frozen=True, kw_only=True, tag="reading"):
    """A probe that was answered. None means that the agent does not report the value."""

    agent: AgentName
    observed_at_ms: int
    latency_ms: float
    """Time from request to answer of the readiness probe."""
    ready: bool = True
    """False while it starts or drains."""
    draining: bool = False
    """It is not ready because it takes no more work, and not because it starts."""
    note: str = ""
    """Why it is not ready, for people."""
    said: Untrusted = NOTHING_SAID
    """What the agent reported with that."""
    version: str | None = None
    boot_id: str | None = None
    """Changes at every start of the agent's process."""
    active: int | None = None
    """Runs that the agent itself reports as running, ours or not."""
    queued: int | None = None
    """Runs waiting inside the agent."""
    capacity: int | None = None
    """How many runs it reports it can handle at once."""
    cpu_percent: float | None = None
    memory_percent: float | None = None
    rss_bytes: int | None = None
    disk_free_bytes: int | None = None
    load_average: float | None = None
    loop_lag_ms_p99: float | None = None
    clock_skew_ms: float | None = None
    limits: tuple[Limit, ...] | None = None
    """What the agent's release cannot do; None while unknown."""
    model_troubles: dict[RunId, ModelTrouble] | None = None
    """Runs whose model fails now; None when the agent does not report its own tries."""


class ProbeFailure(msgspec.Struct, frozen=True, kw_only=True, tag="failure"):
    """A probe that was not answered, or answered with a refusal."""

    agent: AgentName
    observed_at_ms: int
    kind: FailureKind
    detail: Untrusted = NOTHING_SAID
    cause: str = ""
    """For CANNOT_WORK: what is missing, in our own words."""


ProbeResult = VitalsReading | ProbeFailure


class FleetSample(msgspec.Struct, frozen=True, kw_only=True):
    """A sample of the fleet's numbers, taken every few seconds for charts."""

    at_ms: int
    waiting: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Waiting tasks by priority, P0 first."""
    running: int = 0
    up: int = 0
    agents: int = 0
    waiting_by_pool: dict[PoolName, int] = {}

    @property
    def depth(self) -> int:
        """All waiting tasks."""
        return sum(self.waiting)
