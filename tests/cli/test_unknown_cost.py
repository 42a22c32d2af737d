"""A cost that nobody knows has its badge wherever commands tell a cost, alone and in sums."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from fleet_tui.base.paths import fleet_dir
from fleet_tui.cli.main import run
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.tasks.events import AttemptFinished
from fleet_tui.core.tasks.evidence import Usage
from fleet_tui.journal.ledger.writer import JournalWriter
from tests.journal.stories import opening, task_story
from tests.support.programs import wall_ms

NAME = "demo"
UNKNOWN = Usage(input_tokens=7, unusable=True)
DOLLAR = Usage(input_tokens=9, cost_microusd=1_000_000)

pytestmark = pytest.mark.usefixtures("own_process")

Call = Callable[..., str]


def story(number: int, usage: Usage) -> list[Event]:
    """One task whose run reported that."""
    cost = usage.cost_microusd or 0
    return [
        replace(event, usage=usage, cost_microusd=cost)
        if isinstance(event, AttemptFinished)
        else event
        for event in task_story(number)
    ]


@pytest.fixture
def call(here: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """What a command says of the fleet."""

    def called(*words: str) -> str:
        run([words[0], "-f", NAME, *words[1:]])
        return capsys.readouterr().out

    return called


async def keep(*usages: Usage) -> None:
    """A ledger of one task for each of them, written now."""
    now_ms = wall_ms()
    writer = await JournalWriter.open(fleet_dir(NAME), lambda: now_ms, "v", 1)
    events = [event for number, usage in enumerate(usages, 1) for event in story(number, usage)]
    await writer.append([*opening(), *events], now_ms)
    await writer.close("x")


def row(told: str, first: str) -> list[str]:
    """The cells of a table's line."""
    (line,) = (line for line in told.splitlines() if first in line)
    return re.split(r" {2,}", line.strip())


async def test_what_nobody_knows_has_a_badge_in_every_sum(call: Call) -> None:
    await keep(DOLLAR, UNKNOWN)
    assert "$1.00+?" in row(call("agents"), "agent-01")
    assert re.search(r"errors 0.0%, \$[\d.]+\+\?/h$", call("status"), re.MULTILINE)
    assert "?" in row(call("tasks"), "t-2")
    why = call("why", "t-2")
    assert row(why, "it reported no number of tokens")[5:7] == ["7", "?"]
    assert "finished, 7 tokens, ?" in why


async def test_what_is_known_has_none(call: Call) -> None:
    await keep(DOLLAR)
    assert "$1.00" in row(call("agents"), "agent-01")
    assert re.search(r"errors 0.0%, \$[\d.]+/h$", call("status"), re.MULTILINE)
    assert "$1.00" in row(call("tasks"), "t-1")
    why = call("why", "t-1")
    assert "finished, 9 tokens, $1.00" in why
    assert "?" not in why


@pytest.mark.parametrize("usage", [DOLLAR, UNKNOWN])
async def test_documents_say_it_too(call: Call, usage: Usage) -> None:
    await keep(usage)
    (agent,) = json.loads(call("agents", "--json"))["agents"]
    assert agent["agent"]["has_unknown_cost"] is usage.unusable
    assert json.loads(call("status", "--json"))["status"]["has_unknown_cost"] is usage.unusable
