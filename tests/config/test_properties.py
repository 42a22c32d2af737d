"""What holds for every file: it loads or it is refused with places that exist, nothing else."""

import contextlib
import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet_tui.base import bundled
from fleet_tui.config.importers.found import fleet_file
from fleet_tui.config.importers.hosts_file import read_hosts
from fleet_tui.config.load import InvalidFleet, load_bytes, load_text
from fleet_tui.config.problems import Problem, ProblemSeverity, as_github, as_text
from fleet_tui.config.values import MAX_DURATION_MS, Unacceptable, duration_ms
from fleet_tui.core.fleet import OpenClawAgent
from fleet_tui.core.ids import AgentName, PoolName

UNTIMED = settings(deadline=None, database=None)
"""A busy machine is not a failure, and what was found is kept as a test, not in a directory."""

DEMO = bundled.sample_fleet("demo").read_text()
LINES = DEMO.splitlines(keepends=True)


def problems_in(data: bytes) -> tuple[Problem, ...]:
    """What a file's problems are, whether it loads or not."""
    try:
        return load_bytes(data, env={"HOME": "/home/op"}).warnings
    except InvalidFleet as refused:
        return (*refused.problems, *_refusal_is_whole(refused))


def _refusal_is_whole(refused: InvalidFleet) -> tuple[Problem, ...]:
    assert any(each.severity is ProblemSeverity.ERROR for each in refused.problems)
    assert str(refused).endswith("Nothing was started.")
    return ()


def judge(data: bytes) -> None:
    """Load or be refused; a refusal points into the file and is safe to print."""
    lines = re.split("\r\n|[\r\n\x85\u2028\u2029]", data.decode("utf-8", "replace"))
    for each in problems_in(data):
        assert each.message
        assert all(line.isprintable() for line in as_text(each).split("\n"))
        assert as_github(each).isprintable()
        if each.line is not None:
            assert each.col is not None
            assert 1 <= each.line <= len(lines)
            assert 1 <= each.col <= len(lines[each.line - 1]) + 1


@UNTIMED
@given(st.binary(max_size=400))
def test_any_bytes_are_judged(data: bytes) -> None:
    judge(data)


YAML_BITS = st.sampled_from(
    [
        "version: 1\n",
        "fleet: f\n",
        "agents:\n",
        "  a1: ",
        "{",
        "}",
        "[",
        "]",
        ": ",
        "- ",
        "\n",
        "&a ",
        "*a",
        "!!set ",
        "<<: ",
        "'",
        '"',
        "|\n",
        "token: ",
        "secret:env:X",
        "port: 1",
        ", ",
        "host: h",
        "# ",
        "\t",
        "${X}",
        "${X:-y}",
        "$$",
        "null",
        "~",
        "pools:\n",
        "defaults: ",
        "routing: ",
        "residency: ",
        "? ",
        "---\n",
    ]
)


@UNTIMED
@given(st.lists(YAML_BITS | st.text(max_size=5), max_size=40))
def test_anything_like_yaml_is_judged(bits: list[str]) -> None:
    judge("".join(bits).encode("utf-8", "replace"))


@UNTIMED
@given(st.data())
def test_a_damaged_fleet_is_judged(data: st.DataObject) -> None:
    lines = list(LINES)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "double", "cut", "put"])):
            case "drop":
                lines[at] = "\n"
            case "double":
                lines[at] *= 2
            case "cut":
                lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at])))]
            case _:
                where = data.draw(st.integers(0, len(lines[at])))
                bit = data.draw(YAML_BITS | st.characters(codec="utf-8"))
                lines[at] = lines[at][:where] + bit + lines[at][where:]
    judge("".join(lines).encode())


JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["port", "host", "pool", "env", "probe", "residency", "once", "regions"]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
SECTIONS = [
    *("defaults", "hosts", "pools", "agents", "routing", "retry", "retry_budget", "limits"),
    *("deadlines", "lost_after"),
]


@UNTIMED
@given(st.dictionaries(st.sampled_from(SECTIONS), JSON_VALUES, max_size=5))
def test_any_shape_is_judged(sections: dict[str, Any]) -> None:
    judge(json.dumps({"version": 1, "fleet": "f", **sections}).encode())


NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True)
WORDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)


@st.composite
def fleets(draw: st.DrawFn) -> dict[str, Any]:
    """A valid fleet in plain values, every agent on its own port."""
    pools = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    names = draw(st.lists(NAMES, min_size=1, max_size=8, unique=True))
    agents = {
        name: {
            "pool": draw(st.sampled_from(pools)),
            "host": draw(WORDS.filter(lambda word: ".." not in word and word[-1].isalnum())),
            "port": 1_000 + at,
            "token": "secret:env:T",
            "slots": draw(st.integers(1, 256)),
            "region": draw(WORDS),
            "capabilities": draw(st.lists(WORDS, max_size=3)),
            "labels": draw(st.dictionaries(WORDS, WORDS, max_size=3)),
            "isolate": draw(st.lists(WORDS, max_size=2)),
        }
        for at, name in enumerate(names)
    }
    return {
        "version": 1,
        "fleet": draw(NAMES),
        "pools": {pool: {} for pool in pools},
        "agents": agents,
    }


@given(fleets())
@settings(max_examples=60, deadline=None, database=None)
def test_a_valid_fleet_says_the_same_however_it_is_written(fleet: dict[str, Any]) -> None:
    spec = load_text(json.dumps(fleet, indent=1)).spec
    assert list(spec.pools) == [PoolName(pool) for pool in fleet["pools"]]
    for name, said in fleet["agents"].items():
        agent = spec.agents[AgentName(name)]
        assert isinstance(agent.kind, OpenClawAgent)
        assert agent.kind.port == said["port"]
        assert (agent.pool, agent.host, agent.region) == (
            said["pool"],
            said["host"],
            said["region"],
        )
        assert (agent.slots, agent.labels) == (said["slots"], said["labels"])
        assert agent.capabilities == set(said["capabilities"])
        assert agent.clients == tuple(said["isolate"])
    words = {**fleet, "version": "1"}
    words["agents"] = {
        name: {**said, "port": str(said["port"]), "slots": str(said["slots"])}
        for name, said in fleet["agents"].items()
    }
    again = load_text(yaml.safe_dump(words, default_style="'", sort_keys=False)).spec
    assert again.agents == spec.agents


@UNTIMED
@given(
    st.lists(
        st.sampled_from(
            [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)]
        ),
        unique=True,
        min_size=1,
    ),
    st.data(),
)
def test_durations_add_up(units: list[tuple[str, int]], data: st.DataObject) -> None:
    units.sort(key=lambda unit: -unit[1])
    numbers = [data.draw(st.integers(1, 70)) for _ in units]
    text = "".join(f"{number}{unit}" for number, (unit, _) in zip(numbers, units, strict=True))
    total = sum(number * size for number, (_, size) in zip(numbers, units, strict=True))
    assert total <= MAX_DURATION_MS
    assert duration_ms(text) == total


@UNTIMED
@given(st.text(max_size=12))
def test_a_duration_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Unacceptable):
        assert duration_ms(text) > 0


@UNTIMED
@given(
    st.text(max_size=200)
    | st.lists(
        st.sampled_from(["a", "B", "1", "@", ":", "[::1]", ".", "\n", "22", "null"]), max_size=30
    ).map("".join)
)
def test_whatever_is_imported_loads(text: str) -> None:
    findings = read_hosts(text)
    written = fleet_file(findings, fleet="f", origin=text)
    if "\nagents:\n  " in written:
        assert load_text(written).spec.agents


def test_a_thousand_agents_load() -> None:
    agents = "".join(
        f"  agent-{n:04}: {{pool: p{n % 9}, host: h{n // 4}, port: {20_000 + n}, region: r1}}\n"
        for n in range(1_000)
    )
    pools = "".join(f"  p{n}: {{strategy: load-aware}}\n" for n in range(9))
    head = "version: 1\nfleet: big\ndefaults: {token: secret:env:T, slots: 4}\n"
    spec = load_text(f"{head}pools:\n{pools}agents:\n{agents}").spec
    assert len(spec.agents) == 1_000
    assert len(spec.hosts) == 250


@pytest.mark.parametrize("cut", range(0, len(DEMO), 131))
def test_a_half_written_file_is_judged(cut: int) -> None:
    judge(DEMO[:cut].encode())
