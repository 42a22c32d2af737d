"""Misspelt arguments: the error names what is allowed, and the nearest of it."""

from collections.abc import Iterator

import click
import pytest

from fleet_tui.base.errors import ExitCode
from fleet_tui.cli.choosing import OneOf
from fleet_tui.cli.main import cli
from fleet_tui.cli.main import commands as all_commands
from fleet_tui.core.tasks.filter import TASK_WORDS
from fleet_tui.core.tasks.model import AttemptPhase, TaskPhase
from fleet_tui.core.tasks.words import task_word
from tests.cli.conftest import Shop
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story


def commands(group: click.Group) -> Iterator[click.Command]:
    for name in group.list_commands(click.Context(group)):
        found = group.get_command(click.Context(group), name)
        assert found is not None
        yield found
        if isinstance(found, click.Group):
            yield from commands(found)


def test_every_choice_of_every_command_names_the_nearest_word() -> None:
    """The library's own choice takes capitals for another word, and makes no guess."""
    assert len(list(commands(cli))) >= len(all_commands())
    choices = [
        (command.name, parameter.name, parameter.type)
        for command in commands(cli)
        for parameter in command.params
        if isinstance(parameter.type, click.Choice)
    ]
    assert len(choices) >= 8
    assert [choice for choice in choices if not isinstance(choice[2], OneOf)] == []


SAID = [
    (("--priority", "P7"), "'P7' is not one of 'P0', 'P1', 'P2', 'P3'.", ""),
    (("--priority", "high"), "'P0', 'P1', 'P2', 'P3'.", ""),
    (("--class", "idempotant"), "'once', 'idempotent', 'resumable'", "Did you mean 'idempotent'?"),
    (("--class", "Resumeable"), "'once', 'idempotent', 'resumable'", "Did you mean 'resumable'?"),
    (("--need", "spar"), "No capability is called 'spar'", "Did you mean spare?"),
    (("--need", "SPARE"), "No capability is called 'SPARE'", "Did you mean spare?"),
    (("--need", "quantum"), "No capability is called 'quantum'", "Known: spare."),
    (("--need", "secret:evn:X"), "No capability is called", "Known: spare."),
    (("--region", "mars"), "No region is called 'mars'", "The fleet has no regions."),
    (("--pool", "quik"), "No pool is called 'quik'", "Did you mean quick?"),
    (("--pool", "Quick"), "No pool is called 'Quick'", "Did you mean quick?"),
    (("--agent", "ecoh"), "No agent is called 'ecoh'", "Did you mean echo?"),
    (("--total", "5"), 'deadlines.total: expected a duration, got "5"', "5s is seconds"),
    (("--total", "5mins"), "expected a duration", "durations look like 500ms, 5s, 10m"),
    (("--heartbeat", "nonee"), "expected a duration", "durations look like"),
    (("--label", "foo"), "'foo' is not KEY=VALUE", ""),
    (("--neeed", "spare"), "No such option '--neeed'", "Did you mean '--need'?"),
]


@pytest.mark.parametrize(("words", "says", "hint"), SAID, ids=[" ".join(s[0]) for s in SAID])
def test_a_misspelt_option_of_a_task(
    shop: Shop, words: tuple[str, ...], says: str, hint: str
) -> None:
    code, out, err = shop.call("submit", "x", *words)
    assert (code, out) in ((ExitCode.USAGE, ""), (ExitCode.REFUSED, ""))
    assert says in err
    assert hint in err


@pytest.mark.parametrize(("words", "prio"), [("p1", "P1"), ("P1", "P1")])
def test_capitals_of_a_word_make_no_difference(shop: Shop, words: str, prio: str) -> None:
    label = shop.give("x", "--priority", words, "--class", "IDEMPOTENT")
    assert f"{label}  {prio}" in shop.call("why", label)[1]


LINES = [
    (b'{"text": "x", "priority": "P7"}', 'priority is "P7"; one of P0 P1 P2 P3'),
    (b'{"text": "x", "class": "idempotant"}', "resumable; did you mean idempotent?"),
    (b'{"text": "x", "class": "often"}', "one of once idempotent resumable"),
    (b'{"text": "x", "clas": "once"}', 'unknown field "clas"; did you mean class?'),
    (b'{"text": "x", "Needs": ["spare"]}', "did you mean needs?"),
    (b'{"text": "x", "when": 1}', "known: text, payload, key, needs"),
    (
        b'{"text": "x", "deadlines": {"totl": "5m"}}',
        'unknown field "totl" of deadlines; did you mean total?',
    ),
    (
        b'{"text": "x", "deadlines": {"when": "5m"}}',
        "of deadlines; known: schedule_to_start, start_to_close, heartbeat, total",
    ),
    (b'{"text": "x", "deadlines": {"total": "5"}}', "say the unit: 5s is seconds"),
    (b'{"text": "x", "needs": ["SPARE"]}', "Did you mean spare?"),
]


def test_a_misspelt_word_in_a_line_of_a_file_of_tasks(shop: Shop) -> None:
    code, _, err = shop.call("submit", "--lines", text=b"\n".join(line for line, _ in LINES))
    assert code == ExitCode.INVALID_CONFIG
    for said, (line, says) in zip(err.splitlines(), LINES, strict=False):
        assert says in said, line


OTHERS = [
    (("tasks", "--phase", "suceeded"), "Did you mean 'succeeded'?"),
    (("tasks", "--filter", "state:helld"), "no state is called helld\n  hint: did you mean"),
    (("tasks", "--filter", "prio:P7"), "one of P0 P1 P2 P3"),
    (("tasks", "--filter", "x or -class:idempotant"), "did you mean class:idempotent?"),
    (("hold", "--filter", "prio!=P7", "--yes"), "one of P0 P1 P2 P3"),
    (("logs", "--level", "warnn"), "Did you mean 'warn'?"),
    (("logs", "--agent", "ecoh"), "did you mean echo? `fleet-tui agents` lists them"),
    (("priority", "P7", "t-1"), "'P0', 'P1', 'P2', 'P3'"),
    (("resolve", "t-1", "rann", "x"), "Did you mean 'ran'?"),
    (("why", "t1"), "a task is named by its label (t-42), number (42) or id"),
]


@pytest.mark.parametrize(("words", "says"), OTHERS, ids=[" ".join(words) for words, _ in OTHERS])
def test_a_misspelt_argument_of_other_commands(
    shop: Shop, words: tuple[str, ...], says: str
) -> None:
    code, out, err = shop.call(*words)
    assert (code, out) == (ExitCode.USAGE, "")
    assert says in err


def test_the_states_of_a_filter_are_all_that_a_task_can_be_in() -> None:
    states = set(TASK_WORDS["state"])
    assert {phase.value for phase in TaskPhase} <= states
    assert {phase.value for phase in AttemptPhase if phase.is_open} <= states
    told = Story(fleet(agent("a1")))
    (task,) = told.submit_many(work(), 1)
    known = told.state.task(task)
    assert known is not None
    assert task_word(known) in states
