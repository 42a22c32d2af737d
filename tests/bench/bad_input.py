"""How long bad input waits for its answer: the slowest of each kind, beside the limit. So are the
slowest patterns on the longest line of a log, and one of them beside Python's own engine.

A file with as many agents as one may have is measured too, beside the same file without mistakes.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from fleet_tui.cli.written_task import BadTask, parse_line
from fleet_tui.config.load import InvalidFleet, load_bytes
from fleet_tui.core.logs import MAX_LINE_CHARS
from fleet_tui.core.tasks.filter import TASK_KEYS
from fleet_tui.core.text.filters.filter import parse
from fleet_tui.core.text.filters.nodes import MAX_FILTER_CHARS, FilterProblem
from fleet_tui.core.text.regex import BoundedRegex, compile_bounded
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
    "/" + r"\w{80}" * 2 + "/",
    "x" * 1_000_000,
    "colour:red",
)
PATTERNS = (
    ".*.*b",
    "(a+)+b",
    "(?:a?){200}a{200}b",
    "(a|b)*a(a|b){150}c",
    ".*a.{400}c",
    r"\w{1,64}=",
    "(a{1,22}){1,22}b",
    "(.?){200}(.?){200}=b",
)
"""What people could type that is slow on some line."""

LONG_LINES = ("a" * MAX_LINE_CHARS, "ab" * (MAX_LINE_CHARS // 2), "aäb 字" * (MAX_LINE_CHARS // 5))
PYTHON_CHARS = 128
"""As much as Python's engine searches in a time that one can wait for."""


def compiled(source: str) -> BoundedRegex:
    """A pattern, which must be taken."""
    found = compile_bounded(source)
    assert isinstance(found, BoundedRegex), found
    return found


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


def slowest_ms(calls: Sequence[Callable[[], object]]) -> float:
    """CPU of the slowest."""
    return max(cost_of(call).cpu_us for call in calls) / 1_000


def bad_input() -> Iterator[Row]:
    """The slowest answer to each kind of bad input, by a process that is up."""
    refused(fleet(1, MISTAKEN))
    for name, calls in (
        ("bad fleet files", [partial(refused, each) for each in FLEETS]),
        ("bad lines of tasks", [partial(refused_line, each) for each in LINES]),
        ("bad filters", [partial(refused_filter, each) for each in FILTERS]),
        (
            "searches of a long line",
            [partial(compiled(each).is_in, line) for each in PATTERNS for line in LONG_LINES],
        ),
    ):
        yield Row(
            name=f"slowest of {len(calls)} {name}",
            figure=slowest_ms(calls),
            unit="ms",
            peer_name="the limit",
            peer=LIMIT_MS,
            target=at_most(LIMIT_MS),
        )
    python = re.compile(PATTERNS[0], re.IGNORECASE)
    yield Row(
        name=f"{PATTERNS[0]} in a line of {MAX_LINE_CHARS:,} characters",
        figure=cost_of(partial(compiled(PATTERNS[0]).is_in, LONG_LINES[0])).cpu_us / 1_000,
        unit="ms",
        peer_name=f"re, in {PYTHON_CHARS} of them",
        peer=cost_of(partial(python.search, LONG_LINES[0], 0, PYTHON_CHARS)).cpu_us / 1_000,
    )
    good, bad = (fleet(MOST_AGENTS, agent) for agent in ("host: h#, port: 1", MISTAKEN))
    yield Row(
        name=f"a fleet file of {MOST_AGENTS:,} agents, all wrong",
        figure=cost_of(partial(refused, bad)).cpu_us / 1_000,
        unit="ms",
        peer_name="all right",
        peer=cost_of(partial(load_bytes, good)).cpu_us / 1_000,
    )
