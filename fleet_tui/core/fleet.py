"""The fleet as the operator declared it: what ``fleet.yaml`` means after every default is applied.

Declared capabilities are a ceiling: what an agent claims about itself can only narrow them.
"""

from collections.abc import Iterator
from enum import IntEnum, StrEnum

import msgspec

from fleet_tui.core.backoff import Backoff
from fleet_tui.core.ids import AgentName, Capability, ClientName, HostName, PoolName, Region


class Nameable(StrEnum):
    """Kinds of things that a fleet defines by name and a command can refer to."""

    AGENT = "agent"
    POOL = "pool"
    CAPABILITY = "capability"
    REGION = "region"
    CLIENT = "client"
    PROJECT = "project"

    @property
    def plural(self) -> str:
        """The plural."""
        return "capabilities" if self is Nameable.CAPABILITY else f"{self.value}s"


class Priority(IntEnum):
    """P0 is the most urgent."""

    P0 = 0
    P1 = 1
    P2 = 2
    P3 = 3

    @property
    def word(self) -> str:
        """Its meaning in one word."""
        return _PRIORITY_WORDS[self]


_PRIORITY_WORDS = {
    Priority.P0: "urgent",
    Priority.P1: "high",
    Priority.P2: "normal",
    Priority.P3: "batch",
}


class TaskClass(StrEnum):
    """What may be done with a task whose agent died after the start."""

    ONCE = "once"
    """Retried automatically only when it definitely did not start."""
    IDEMPOTENT = "idempotent"
    """May run again after a death."""
    RESUMABLE = "resumable"
    """Continues from its last checkpoint; without one it is like ``once``."""


class Strategy(StrEnum):
    """How a pool chooses among the agents that could take a task."""

    ROUND_ROBIN = "round-robin"
    LOAD_AWARE = "load-aware"
    CAPABILITY = "capability"
    """The most specialised eligible agent first, so that generalists stay free."""


class ProbeSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How often an agent is probed and how quickly the results are believed."""

    every_ms: int = 5_000
    timeout_ms: int = 4_000
    down_after: int = 3
    """Failed probes in a row before an agent is unreachable; after the first it gets no new
    work."""
    up_after: int = 3
    """Successful probes in a row before it gets work again."""


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts and waits; a wait is drawn evenly from 0 to its ceiling (full jitter)."""

    max_attempts: int = 3
    backoff_base_ms: int = 500
    backoff_cap_ms: int = 30_000
    factor: float = 2.0
    non_retryable: tuple[str, ...] = ()
    """Kinds of failure that a second try would not fix: of FAILURE_KINDS, or ``exit-N``,
    ``signal-N``."""

    @property
    def backoff(self) -> Backoff:
        """The waits between attempts."""
        return Backoff(self.backoff_base_ms, self.backoff_cap_ms, self.factor)


class RetryBudget(msgspec.Struct, frozen=True, kw_only=True):
    """How many retries the whole fleet may start in a minute, so that retries never become the
    load: a share of the first starts of the last minute, but always at least a floor."""

    percent: int = 20
    floor: int = 60
    """Retries a minute that are always allowed."""


class QueueLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How many tasks may be open at once. A submit beyond a limit is refused, never dropped."""

    open: int = 100_000
    lanes: dict[Priority, int] = {}
    """By priority."""
    clients: dict[ClientName, int] = {}
    per_client: int | None = None
    """For clients not named in ``clients``."""

    def of_client(self, client: ClientName) -> int | None:
        """The client's limit; None when it has none."""
        return self.clients.get(client, self.per_client)


class Deadlines(msgspec.Struct, frozen=True, kw_only=True):
    """Four limits of a task, each in milliseconds or none. They keep running while a task is
    held."""

    schedule_to_start_ms: int | None = None
    """From the submission to the first start."""
    start_to_close_ms: int | None = 600_000
    """Of each run."""
    heartbeat_ms: int | None = None
    """The longest silence of a run. Output is a sign of life; where an agent does not count its
    output, its report that the run runs is one."""
    total_ms: int | None = None
    """From the submission to the end, retries included."""


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent costs. Token prices are per million tokens and used only where the agent
    reports no cost of its own."""

    per_hour_microusd: int = 0
    input_microusd_per_mtok: int = 0
    output_microusd_per_mtok: int = 0


class OpenClawAgent(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="openclaw"):
    """An OpenClaw gateway that listens on its host's loopback."""

    port: int
    agent_id: str = "main"
    token: str
    """A reference such as ``secret:env:NAME`` or ``secret:host:PATH``, never a token."""
    openclaw_bin: str = "openclaw"
    log_file: str | None = None
    start_command: str | None = None
    keep_sessions: bool = False
    """Whether the sessions of runs that ended long ago stay on the gateway."""


class CommandAgent(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="command"):
    """Any program on a host: the task on standard input, the answer on standard output."""

    command: tuple[str, ...]
    run_dir: str = "~/.fleet-tui/runs"
    env: dict[str, str] = {}
    log_file: str | None = None


class LocalAgent(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="local"):
    """A program on the engine's own machine, run by the same wrapper without SSH."""

    command: tuple[str, ...]
    run_dir: str = "~/.fleet-tui/runs"
    env: dict[str, str] = {}
    log_file: str | None = None


AgentKind = OpenClawAgent | CommandAgent | LocalAgent


class HostSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A machine reached by SSH. What is None comes from ``~/.ssh/config`` or SSH's own defaults."""

    name: HostName
    address: str
    """An ssh_config alias, a DNS name or an IP address."""
    port: int | None = None
    user: str | None = None
    identity: str | None = None
    jump: HostName | None = None
    direct: bool = False
    """``jump: none``: connect directly, even where ssh_config has jump hosts."""
    known_hosts: str | None = None
    use_ssh_config: bool = True
    connect_timeout_ms: int | None = None
    """None: what ssh_config's ConnectTimeout says, or else 12 seconds."""

    @property
    def place(self) -> tuple[str, int, bool]:
        """Its location according to the file, regardless of the user."""
        return (self.address.lower(), self.port or 22, self.direct)


def is_reference(value: str) -> bool:
    """Whether a value of a fleet file only says where a secret is: ``secret:env:TOKEN``."""
    return value.startswith("secret:")


class PoolSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Agents that share work and a routing strategy."""

    name: PoolName
    strategy: Strategy = Strategy.LOAD_AWARE
    overflow: bool = False
    """Whether a task without a pool may fall back here when its own choice is full."""
    min_up_percent: int = 0
    labels: dict[str, str] = {}


class AgentSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One agent with every default of its pool and fleet already applied."""

    name: AgentName
    pool: PoolName
    kind: AgentKind
    host: HostName | None = None
    """None for local agents."""
    region: Region | None = None
    capabilities: frozenset[Capability] = frozenset()
    clients: tuple[ClientName, ...] = ()
    """If not empty the agent is isolated: it works for these clients only."""
    projects: tuple[str, ...] = ()
    slots: int = 1
    prices: Prices = Prices()
    labels: dict[str, str] = {}
    probe: ProbeSpec = ProbeSpec()
    canary: bool = False
    """Whether a canary run may try it after its work failed: a short turn of the engine's own that
    costs model usage."""


class ResidencyRule(msgspec.Struct, frozen=True, kw_only=True):
    """Work of a matching client or project stays in these regions. A hard boundary."""

    regions: tuple[Region, ...]
    client: ClientName | None = None
    project: str | None = None
    line: int | None = None
    """Its line in the fleet file, for the console to point at."""


class FleetSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the fleet file says. Maps keep the file's order."""

    name: str
    hosts: dict[HostName, HostSpec] = {}
    pools: dict[PoolName, PoolSpec] = {}
    agents: dict[AgentName, AgentSpec] = {}
    residency: tuple[ResidencyRule, ...] = ()
    isolated: frozenset[ClientName] = frozenset()
    """Clients whose work runs only on agents reserved for them, even while there are none. A client
    with a reserved agent is isolated without being named here."""
    clients: frozenset[ClientName] = frozenset()
    """Clients that tasks may name, beside those named elsewhere in the file."""
    projects: frozenset[str] = frozenset()
    """Projects that tasks may name, likewise."""
    retry: dict[TaskClass, RetryPolicy] = {}
    retry_budget: RetryBudget = RetryBudget()
    limits: QueueLimits = QueueLimits()
    deadlines: Deadlines = Deadlines()
    lost_after_ms: int | None = 900_000
    """How long an unknown attempt stays unknown before an operator is asked; None is for ever."""
    protected: bool = False
    source: str = ""
    """The file it was read from, for messages."""
    digest: str = ""
    """SHA-256 of the file, hex: the policy version that decisions name."""
    same: dict[HostName, HostName] = {}
    """Hosts that ssh_config resolves to the machine of an earlier host, mapped to that host: found
    by the engine (``fleet_tui/core/ssh/machines.py``), not part of the file. No value is a key."""

    def retry_policy(self, task_class: TaskClass) -> RetryPolicy:
        """The policy for a class; the default where the file gives none."""
        return self.retry.get(task_class, RetryPolicy())

    def way(self, host: HostName) -> Iterator[HostSpec]:
        """A host, the one it is reached through, and so on; of hosts that are one machine, the
        first. A circular path ends after as many steps as there are hosts."""
        step: HostName | None = host
        for _ in range(len(self.hosts) + 1):
            if step is None:
                return
            step = self.same.get(step, step)
            spec = self.hosts.get(step) or HostSpec(name=step, address=step)
            yield spec
            step = spec.jump

    def machine(self, host: HostName) -> tuple[object, ...]:
        """Equal for two hosts that lead to one machine according to the file and the engine's
        findings: the user makes no difference, the hosts on the way do."""
        return tuple(spec.place for spec in self.way(host))

    def with_machines_of(self, before: "FleetSpec") -> "FleetSpec":
        """This file with the findings for the previous one, where both define the hosts alike."""
        same = {
            host: first
            for host, first in before.same.items()
            if all(self.hosts.get(name) == before.hosts.get(name) for name in (host, first))
        }
        return msgspec.structs.replace(self, same=same) if same else self


EMPTY_FLEET = FleetSpec(name="")
