"""How long bad input waits for its answer: the slowest of each kind, beside the limit.

A file with as many agents as one may have is measured too, beside the same file without mistakes.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from fleet_tui.cli.written_task import BadTask, parse_line
from fleet_tui.config.load import InvalidFleet, load_bytes
from fleet_tui.core.tasks.filter import TASK_KEYS
from fleet_tui.core.text.filters import MAX_FILTER_CHARS, FilterProblem, parse
from tests.bench.frame import Row, at_most, cost_of

LIMIT_MS = 200.0
"""A person takes it for an answer to what they did."""

AGENTS = 2_000
MOST_AGENTS = 10_000
"""More are refused at once."""

HEAD = b"version: 1\nfleet: f\ndefaults: {host: h, token: secret:env:T}\nagents:\n"


def fleet(count: int, agent: str) -> bytes:
    """A fleet file; ``#`` in an agent's settings is its number."""
    return HEAD + b"".join(
        f"  a{n}: {{{agent.replace('#', str(n))}}}\n".encode() for n in range(count)
    )


WRONG = "port: 1, slots: -1, pools: x, tags: [}"
MISTAKEN = "port: 123456, slots: -1, cap: [a], hosts: b"
FLEETS = (
    b"[" * 100_000,
    b"a: !!python/object/apply:os.system [ls]",
    b"a: '" + b"x" * 1_000_000,
    HEAD + b"  a1: {pool: '" + b"a-" * 450_000 + b"'}\n",
    b"a: \xff\n",
    fleet(AGENTS, WRONG),
    fleet(AGENTS, MISTAKEN),
)
LINES = (
    b"[" * 100_000,
    b"\xff" * 100_000,
    b'{"text": "' + b"x" * 1_000_000,
    b'{"text": 5}',
    b'{"txet": "x"}',
    b"9" * 100_000,
)
FILTERS = (
    "(" * MAX_FILTER_CHARS,
    "/(" + "(a+)+" * 100 + "/",
    "x" * 1_000_000,
    "colour:red",
)


def refused(data: bytes) -> None:
    """Read a fleet file, which must not be taken."""
    try:
        load_bytes(data)
    except InvalidFleet:
        return
    raise AssertionError(f"taken: {data[:60]!r}")


def refused_line(data: bytes) -> None:
    """Read a line of a file of tasks, which must not be taken."""
    try:
        parse_line(data)
    except BadTask:
        return
    raise AssertionError(f"taken: {data[:60]!r}")


def refused_filter(text: str) -> None:
    """Read a filter, which must not be taken."""
    assert isinstance(parse(text, now_ms=0, keys=TASK_KEYS), FilterProblem), text[:60]


def slowest_ms(calls: Sequence[Callable[[], None]]) -> float:
    """CPU of the slowest."""
    return max(cost_of(call).cpu_us for call in calls) / 1_000


def bad_input() -> Iterator[Row]:
    """The slowest answer to each kind of bad input, by a process that is up."""
    refused(fleet(1, MISTAKEN))
    for name, calls in (
        ("bad fleet files", [partial(refused, each) for each in FLEETS]),
        ("bad lines of tasks", [partial(refused_line, each) for each in LINES]),
        ("bad filters", [partial(refused_filter, each) for each in FILTERS]),
    ):
        yield Row(
            name=f"slowest of {len(calls)} {name}",
            figure=slowest_ms(calls),
            unit="ms",
            peer_name="the limit",
            peer=LIMIT_MS,
            target=at_most(LIMIT_MS),
        )
    good, bad = (fleet(MOST_AGENTS, agent) for agent in ("host: h#, port: 1", MISTAKEN))
    yield Row(
        name=f"a fleet file of {MOST_AGENTS:,} agents, all wrong",
        figure=cost_of(partial(refused, bad)).cpu_us / 1_000,
        unit="ms",
        peer_name="all right",
        peer=cost_of(partial(load_bytes, good)).cpu_us / 1_000,
    )
