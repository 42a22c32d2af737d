"""The structure of ``fleet.yaml`` version 1, one model per kind of entry.

Values arrive as the text that stands in the file; each field's type names the grammar in
:mod:`fleet_tui.config.values` that reads it. Absent values are None and come from the next level
up: agent, then its pool, then ``defaults``, then the program. Lists replace, maps merge. The string
under a field is its help in editors, through the JSON Schema.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic_core import CoreSchema

from fleet_tui.config import secrets, values
from fleet_tui.config.problems import did_you_mean
from fleet_tui.config.values import Unacceptable, shown
from fleet_tui.core.fleet import Strategy
from fleet_tui.core.tasks.codes import FAILURE_KINDS
from fleet_tui.core.tasks.submission import MAX_OPEN_TASKS
from fleet_tui.core.text.quantities import SPAN_PATTERN

MAX_SLOTS = 256
MAX_ENTRIES = 10_000
"""Agents, hosts or pools of one fleet."""


def _matching(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^(?:{pattern})$"})


def _whole(least: int, most: int) -> tuple[BeforeValidator, WithJsonSchema]:
    schema = {"type": ["integer", "string"], "minimum": least, "maximum": most}
    return BeforeValidator(partial(values.whole, least=least, most=most)), WithJsonSchema(schema)


def _one_of(value: object, *, allowed: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in allowed:
        listed = ", ".join(allowed)
        suggestion = did_you_mean(value, allowed) if isinstance(value, str) else ""
        raise Unacceptable(f"expected one of {listed}, got {shown(value)}{suggestion}")
    return str(value)


def _strategy(value: object) -> Strategy:
    return Strategy(_one_of(value, allowed=tuple(each.value for each in Strategy)))


def _version(value: object) -> int:
    if value != "1":
        raise Unacceptable(f"this program reads version 1, not {shown(value)}")
    return 1


def _agents(value: object) -> object:
    """``agents: []`` is the one way to declare an empty fleet on purpose."""
    if value == []:
        return {}
    if value is None or value == {}:
        raise Unacceptable(
            "no agents", "name at least one, or write agents: [] for a fleet that is empty for now"
        )
    if isinstance(value, list):
        raise Unacceptable(
            "expected a map of names, got a list", "such as  agent-01: {host: gw-1, pool: general}"
        )
    return value


def _argv(value: object) -> object:
    if isinstance(value, str):
        raise Unacceptable(
            "expected a list of a program and its arguments", "such as [my-agent, --once]"
        )
    if value == []:
        raise Unacceptable("expected a program and its arguments, got an empty list")
    return value


def _nothing_is_empty(value: object) -> object:
    """``general:`` with nothing behind it is an entry that says nothing."""
    return {} if value is None else value


class _Also:
    """Lets the JSON Schema allow what a validator turns into the usual shape."""

    def __init__(self, shape: dict[str, object]) -> None:
        self.shape = shape

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, object]:
        return {"anyOf": [handler(core_schema), self.shape]}


_MAY_BE_EMPTY = (BeforeValidator(_nothing_is_empty), _Also({"type": "null"}))


def _none_or_duration(
    word: str, duration: Callable[[object], int] = values.duration_ms
) -> BeforeValidator:
    def read(value: object) -> int:
        return NEVER if value == word else duration(value)

    return BeforeValidator(read)


NEVER = -1
"""The value of ``never`` and ``none`` for a duration that may be absent on purpose."""

_DURATION = _matching(SPAN_PATTERN)
Text = Annotated[str, BeforeValidator(values.text), WithJsonSchema({"type": "string"})]
Name = Annotated[str, BeforeValidator(values.name), _matching(values.NAME_PATTERN)]
Word = Annotated[str, BeforeValidator(values.word), _matching(values.WORD_PATTERN)]
User = Annotated[str, BeforeValidator(values.user), _matching(values.USER_PATTERN)]
Variable = Annotated[str, BeforeValidator(values.variable), _matching(values.VARIABLE_PATTERN)]
Address = Annotated[str, BeforeValidator(values.address), WithJsonSchema({"type": "string"})]
Reference = Annotated[str, BeforeValidator(secrets.reference), _matching(secrets.REFERENCE_PATTERN)]
Words = Annotated[
    list[Word],
    BeforeValidator(values.words),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
TextOrReference = Annotated[
    str, BeforeValidator(secrets.text_or_reference), WithJsonSchema({"type": "string"})
]
Argv = Annotated[list[Text], BeforeValidator(_argv), Field(max_length=256)]
Port = Annotated[int, *_whole(1, 65_535)]
Count = Annotated[int, *_whole(1, 1_000)]
Attempts = Annotated[int, *_whole(1, 100)]
Tasks = Annotated[int, *_whole(0, MAX_OPEN_TASKS)]
SomeTasks = Annotated[int, *_whole(1, MAX_OPEN_TASKS)]
Slots = Annotated[int, *_whole(1, MAX_SLOTS)]
Percent = Annotated[
    int,
    BeforeValidator(values.percent),
    WithJsonSchema({"type": ["string", "integer"], "pattern": "^[0-9]{1,3}%?$"}),
]
Flag = Annotated[bool, BeforeValidator(values.flag), WithJsonSchema({"type": "boolean"})]
OnOff = Annotated[
    bool, BeforeValidator(values.on_or_off), WithJsonSchema({"enum": ["on", "off", True, False]})
]
Duration = Annotated[int, BeforeValidator(values.duration_ms), _DURATION]
DurationOrNone = Annotated[int, _none_or_duration("none"), _matching(f"none|{SPAN_PATTERN}")]
HeartbeatOrNone = Annotated[
    int,
    _none_or_duration("none", values.heartbeat_ms),
    _matching(f"none|{SPAN_PATTERN}"),
]
DurationOrNever = Annotated[int, _none_or_duration("never"), _matching(f"never|{SPAN_PATTERN}")]
Backoff = Annotated[
    tuple[int, int],
    BeforeValidator(values.duration_range_ms),
    _matching(rf"{SPAN_PATTERN}\.\.{SPAN_PATTERN}"),
]
Dollars = Annotated[
    int, BeforeValidator(values.microusd), WithJsonSchema({"type": ["number", "string"]})
]
Factor = Annotated[
    float, BeforeValidator(values.factor), WithJsonSchema({"type": ["number", "string"]})
]
FailureKind = Annotated[
    str,
    BeforeValidator(values.failure_kind),
    _matching("|".join((*FAILURE_KINDS, "(exit|signal)-[1-9][0-9]{0,2}"))),
]
Kind = Literal["openclaw", "command", "local"]
KINDS: tuple[Kind, ...] = ("openclaw", "command", "local")
KindWord = Annotated[Kind, BeforeValidator(partial(_one_of, allowed=KINDS))]
StrategyWord = Annotated[
    Strategy,
    BeforeValidator(_strategy),
    WithJsonSchema({"enum": [each.value for each in Strategy]}),
]


class Section(BaseModel):
    """A map with known keys only."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True
    )


class ProbeEntry(Section):
    """How often an agent is probed, and how many probes change its health."""

    every: Duration | None = None
    timeout: Duration | None = None
    down_after: Count | None = None
    """Consecutive failed probes before the agent counts as down or unreachable."""
    up_after: Count | None = None
    """Consecutive successful probes before it gets work again."""


class PricesEntry(Section):
    """What an agent costs, in dollars."""

    per_hour: Dollars | None = None
    input_per_mtok: Dollars | None = None
    """Per million input tokens; used where the agent reports no cost of its own."""
    output_per_mtok: Dollars | None = None


class AgentSettings(Section):
    """Settings of one agent, or once for a pool or the whole fleet."""

    host: Address | None = None
    """An entry of hosts, an ssh_config alias, a DNS name or an IP address."""
    kind: KindWord | None = None
    """openclaw by default."""
    port: Port | None = None
    """openclaw: the gateway's port on the host's loopback."""
    agent_id: Word | None = None
    """openclaw: which agent of the gateway."""
    token: Reference | None = None
    """openclaw: a reference to the gateway's token, never the token itself."""
    openclaw_bin: Text | None = None
    """openclaw: not used yet. The program on the host, if it is not on the PATH of an SSH
    session."""
    start_command: Text | None = None
    """openclaw: not used yet. Starts the gateway again, run on the agent's host."""
    keep_sessions: Flag | None = None
    """openclaw: true leaves the session of each run on the gateway; otherwise it is deleted a day
    after its task has ended."""
    canary: Flag | None = None
    """openclaw: false disables canary runs. An agent whose work failed is tried with one, a short
    turn that costs model usage; otherwise with a task that may run again."""
    command: Argv | None = None
    """command, local: the program and its arguments; the task arrives on standard input."""
    run_dir: Text | None = None
    """command, local: the directory for the files of runs."""
    env: dict[Variable, TextOrReference] | None = None
    """command, local: variables for the program."""
    log_file: Text | None = None
    """A log file on the host to follow."""
    region: Word | None = None
    capabilities: Words | None = None
    """What the agent can do. The agent's own report can only narrow this."""
    isolate: Words | None = None
    """Clients that the agent is reserved for; it takes no other client's work."""
    projects: Words | None = None
    slots: Slots | None = None
    """The number of tasks it may run at the same time."""
    prices: PricesEntry | None = None
    labels: dict[Word, Word] | None = None
    probe: ProbeEntry | None = None


class HostSettings(Section):
    """How a machine is reached by SSH. Absent values come from ~/.ssh/config."""

    user: User | None = None
    identity: Text | None = None
    """A private key file; ~ is the home directory, other paths start at the fleet file."""
    jump: Address | None = None
    """An entry of hosts, or an address, to go through; none connects directly whatever defaults and
    ssh_config say."""
    known_hosts: Text | None = None
    """A known_hosts file in place of the usual one; paths as for identity."""
    ssh_config: OnOff | None = None
    """off: ignore ~/.ssh/config for this host."""
    connect_timeout: Duration | None = None


class HostEntry(HostSettings):
    """One machine."""

    address: Address | None = None
    """An ssh_config alias, a DNS name or an IP address; the entry's own name by default."""
    port: Port | None = None
    """The SSH port."""


class Defaults(AgentSettings, HostSettings):
    """Defaults for every agent and every host."""

    pool: Name | None = None


class PoolEntry(AgentSettings):
    """Agents that share work. Any setting of an agent may be given here for all of them."""

    strategy: StrategyWord | None = None
    overflow: Flag | None = None
    """Whether a task without a pool may fall back here."""
    min_up: Percent | None = None
    """Not used yet: the share of agents that changes will have to leave up."""


class AgentEntry(AgentSettings):
    """One agent."""

    pool: Name | None = None


class ResidencyEntry(Section):
    """Work of this client or project stays in these regions."""

    client: Word | None = None
    project: Word | None = None
    regions: Words


class RoutingEntry(Section):
    """How agents are chosen for tasks."""

    strategy: StrategyWord | None = None
    """The strategy of pools that set none."""
    residency: Annotated[list[ResidencyEntry], Field(max_length=1_000)] | None = None
    isolated: Words | None = None
    """Clients whose work runs only on agents that isolate them, even when the last such agent has
    left this file."""
    clients: Words | None = None
    """Further clients that tasks may name. Once this file names any client, a task of another one
    is refused, unless limits.per_client sets a limit for every client."""
    projects: Words | None = None
    """Further projects that tasks may name. Once this file names any project, a task of another one
    is refused."""


class RetryEntry(Section):
    """How often and how soon a task of one class is retried."""

    max_attempts: Attempts | None = None
    backoff: Backoff | None = None
    """Such as 2s..60s: the ceiling of the first wait and of the longest one."""
    factor: Factor | None = None
    """The factor by which the ceiling grows after each try."""
    non_retryable: Annotated[list[FailureKind], Field(max_length=64)] | None = None
    """Failures that are not retried, such as exit-2 or model-error."""


class RetrySection(Section):
    """Retry policy for each class of task."""

    once: RetryEntry | None = None
    """Retried only if it definitely did not start."""
    idempotent: RetryEntry | None = None
    """May run again after its agent died."""
    resumable: RetryEntry | None = None
    """Continues from its program's last checkpoint. Without one, as on OpenClaw agents always, it
    is treated like once."""


class RetryBudgetEntry(Section):
    """The most retries the fleet may start in a minute, so that retries never become the load."""

    percent: Percent | None = None
    """A share of the first tries of the last minute."""
    floor: Tasks | None = None
    """Retries per minute that are always allowed."""


class LanesEntry(Section):
    """The most open tasks of each priority; 0 refuses all."""

    P0: Tasks | None = None
    P1: Tasks | None = None
    P2: Tasks | None = None
    P3: Tasks | None = None


class LimitsEntry(Section):
    """The most open tasks. A submit beyond a limit is refused."""

    open: SomeTasks | None = None
    """Of the whole fleet."""
    lanes: LanesEntry | None = None
    """Of each priority."""
    clients: Annotated[dict[Word, Tasks], Field(max_length=MAX_ENTRIES)] | None = None
    """Of clients by name; 0 refuses all."""
    per_client: Tasks | None = None
    """Of each client that is not listed under clients."""


class DeadlinesEntry(Section):
    """Limits for tasks that set none of their own; none removes a limit."""

    schedule_to_start: DurationOrNone | None = None
    """From its submission to its first start."""
    start_to_close: DurationOrNone | None = None
    """Of each run."""
    heartbeat: HeartbeatOrNone | None = None
    """The longest silence of a run. Output and new checkpoints count as signs of life; for OpenClaw
    agents, the gateway's report that the run continues."""
    total: DurationOrNone | None = None
    """From its submission to its end, retries included."""


class FleetFile(Section):
    """A fleet file of fleet-tui."""

    version: Annotated[int, BeforeValidator(_version), WithJsonSchema({"const": 1})]
    fleet: Name
    """The fleet's name; its journal is kept under it."""
    protected: Flag | None = None
    """Ask for the fleet's name before every action that stops work."""
    defaults: Annotated[Defaults, *_MAY_BE_EMPTY] = Defaults()
    hosts: Annotated[
        dict[Name, Annotated[HostEntry, *_MAY_BE_EMPTY]],
        *_MAY_BE_EMPTY,
        Field(max_length=MAX_ENTRIES),
    ] = {}
    pools: Annotated[
        dict[Name, Annotated[PoolEntry, *_MAY_BE_EMPTY]],
        *_MAY_BE_EMPTY,
        Field(max_length=MAX_ENTRIES),
    ] = {}
    agents: Annotated[
        dict[Name, Annotated[AgentEntry, *_MAY_BE_EMPTY]],
        BeforeValidator(_agents),
        _Also({"type": "array", "maxItems": 0}),
        Field(max_length=MAX_ENTRIES),
    ]
    routing: RoutingEntry | None = None
    retry: RetrySection | None = None
    retry_budget: RetryBudgetEntry | None = None
    limits: LimitsEntry | None = None
    deadlines: DeadlinesEntry | None = None
    lost_after: DurationOrNever | None = None
    """How long a run may be in unknown state before its task needs your verdict."""
