"""The core and the engine take time and chance as arguments: one seed is one world.

What the event loop waits for is no exception: a simulation brings its own loop.
"""

import pytest

from tests.hygiene.sources import Source, modules, owner, uses

CHANCE_AND_TIME = (
    "time.",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
    "random.",
    "secrets.",
    "uuid.",
    "os.urandom",
    "asyncio.get_event_loop",
)

ALLOWED = {
    "fleet_tui/engine/clock.py:WallClock.now_ms": "the port to the wall clock itself",
    "fleet_tui/engine/ports.py:Ports._reach": "hands the real clock to real connections",
    "fleet_tui/engine/run.py:RunningEngine.__init__": "makes the generator if none is given",
}
"""Where the real thing enters: ``file:function`` and why."""


def findings(source: Source) -> list[tuple[str, str]]:
    return [
        (f"{source.path}:{owner(source, node)}", f"{source.at(node)} {name}")
        for node, name in uses(source)
        if name.startswith(CHANCE_AND_TIME) and name != "random.Random.random"
    ]


def test_core_knows_no_clock_and_no_chance() -> None:
    found = [where for source in modules("fleet_tui/core") for _, where in findings(source)]
    assert found == []


def test_the_engine_is_given_its_clock_and_its_chance() -> None:
    found = [item for source in modules("fleet_tui/engine") for item in findings(source)]
    assert [where for place, where in found if place not in ALLOWED] == []
    assert set(ALLOWED) == {place for place, _ in found}, "an exception nobody needs any more"


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("import time\nx = time.time()", True),
        ("from time import monotonic as m\nx = m()", True),
        ("import datetime as d\nx = d.datetime.now()", True),
        ("from datetime import datetime\nx = datetime.now", True),
        ("import random\nx = [random.choice(y) for y in z]", True),
        ("from uuid import uuid4\nx = {1: uuid4()}", True),
        ("from datetime import datetime\nx = datetime(1970, 1, 1)", False),
        ("import random\ndef f(rng: random.Random) -> random.Random: ...", False),
        ("x = clock.now_ms()", False),
    ],
)
def test_the_scan_sees(line: str, seen: bool) -> None:
    import ast

    assert bool(findings(Source("example.py", line, ast.parse(line)))) is seen
