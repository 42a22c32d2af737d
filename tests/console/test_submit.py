import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.console.views.submit.typed import (
    BadField,
    Typed,
    check,
    parse_words,
    payload_note,
    same_as,
    words_of,
)
from fleet_tui.core.fleet import AgentSpec, FleetSpec, LocalAgent, PoolSpec, Priority, TaskClass
from fleet_tui.core.ids import AgentName, Capability, PoolName, Region
from fleet_tui.core.ledger.decide import decide
from fleet_tui.core.ledger.decided import Decided
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.model import TaskSpec
from fleet_tui.core.tasks.submission import MAX_PAYLOAD_BYTES
from fleet_tui.verbs.submitting import MAX_LABELS, new_task

GPU = PoolName("gpu")
FLEET = FleetSpec(
    name="prod",
    pools={GPU: PoolSpec(name=GPU)},
    agents={
        AgentName("agent-1"): AgentSpec(
            name=AgentName("agent-1"),
            pool=GPU,
            kind=LocalAgent(command=("cat",)),
            region=Region("eu-w1"),
            capabilities=frozenset({Capability("gpu"), Capability("browser")}),
        )
    },
)


def problems(typed: Typed) -> dict[str, str]:
    found = check(typed, FLEET)
    assert isinstance(found, tuple), found
    return {problem.field: problem.text for problem in found}


def test_everything_that_can_be_typed_becomes_the_task() -> None:
    spec = check(
        Typed(
            payload="count\nthe invoices\n",
            needs="gpu, browser gpu",
            pool=" gpu ",
            agent="agent-1",
            client="acme",
            project="books",
            regions="eu-w1",
            priority="p0",
            task_class="Idempotent",
            labels="team=ops ticket=42",
        ),
        FLEET,
    )
    assert isinstance(spec, TaskSpec)
    assert spec.payload.raw == "count\nthe invoices\n"
    assert spec.needs == {"gpu", "browser"}
    assert (spec.pool, spec.agent, spec.client, spec.project) == ("gpu", "agent-1", "acme", "books")
    assert spec.regions == ("eu-w1",)
    assert (spec.priority, spec.task_class) == (Priority.P0, TaskClass.IDEMPOTENT)
    assert spec.labels == {"team": "ops", "ticket": "42"}


def test_all_problems_are_told_at_once_at_their_fields() -> None:
    found = problems(
        Typed(
            payload=" \n",
            needs="gpx",
            pool="gpuu",
            agent="nobody",
            client="two words",
            regions="mars",
            priority="P9",
            task_class="twice",
            labels="lonely",
        )
    )
    assert set(found) == {
        "payload", "needs", "pool", "agent", "client", "regions", "priority", "task_class",
        "labels",
    }  # fmt: skip
    assert found["needs"] == "no agent declares gpx - did you mean gpu?"
    assert found["pool"].endswith("did you mean gpu?")
    assert found["regions"] == "no agent is in mars - there is eu-w1"
    assert found["priority"].startswith("one of P0")


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ("a\x00b", "NUL character at position 2"),
        ("a\udc80", "character 2 is not valid text"),
        ("x" * (MAX_PAYLOAD_BYTES + 1), "at most 4.0 MiB"),
    ],
)
def test_texts_no_agent_can_take_are_refused_here_already(payload: str, said: str) -> None:
    assert said in problems(Typed(payload=payload))["payload"]


def test_too_many_labels_are_refused() -> None:
    labels = " ".join(f"k{n}=v" for n in range(MAX_LABELS + 1))
    assert "at most 32" in problems(Typed(payload="x", labels=labels))["labels"]


def test_what_the_form_accepts_the_engine_accepts() -> None:
    spec = check(Typed(payload="x", needs="gpu", pool="gpu"), FLEET)
    assert isinstance(spec, TaskSpec)
    order = new_task(spec, 1_700_000_000_000, bytes(10))
    assert order.key == order.task
    assert isinstance(decide(FleetState(fleet=FLEET), "ann", order, 0), Decided)


def test_control_characters_in_a_paste_are_announced() -> None:
    assert payload_note("two\nlines") == ("9 B, 2 lines", False)
    hidden = "9 B, 1 line, 2 invisible or control characters in the text"
    assert payload_note("a\x1b[2Jb\u202e") == (hidden, True)
    secret = "12 B, 1 line, the text appears to contain a secret"
    assert payload_note("token abc123") == (secret, True)
    label = "the label password appears to contain a secret"
    assert payload_note("", "password=abc12345") == (label, True)
    assert payload_note("/stop it").text.endswith("an agent may interpret /stop as a command")
    assert payload_note("") == ("", False)


def test_the_command_line_means_the_same_as_the_form() -> None:
    typed = parse_words("--pool gpu --need gpu --need=browser --class idempotent count it all")
    assert typed == Typed(
        payload="count it all", pool="gpu", needs="gpu browser", task_class="idempotent"
    )


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ("--pol gpu x", "payload", "did you mean --pool?"),
        ("--pool", "pool", "a value is missing after --pool"),
        ("'open", "payload", "close the quotes"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(text: str, field: str, said: str) -> None:
    found = parse_words(text)
    assert isinstance(found, BadField)
    assert found.field == field
    assert said in found.text


def test_options_may_be_ended_so_that_a_task_can_begin_with_dashes() -> None:
    assert parse_words("--pool gpu -- --help me") == Typed(payload="--help me", pool="gpu")


names = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)
tasks = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), min_size=1)


@given(
    payload=tasks.map(lambda text: " ".join(text.split())).filter(lambda t: 0 < len(t) <= 60),
    needs=st.lists(names, unique=True),
    pool=names,
    priority=st.sampled_from(["P0", "P1", "P3"]),
)
def test_the_shell_command_shown_submits_the_same(
    payload: str, needs: list[str], pool: str, priority: str
) -> None:
    typed = Typed(payload=payload, needs=" ".join(needs), pool=pool, priority=priority)
    twin = same_as(typed)
    assert twin.startswith("fleet-tui submit ")
    again = parse_words(twin.removeprefix("fleet-tui submit "))
    assert isinstance(again, Typed)
    assert words_of(again.needs) == needs
    assert (again.pool, again.priority) == (pool, priority)
    assert shlex.split(twin)[-1] == payload


def test_long_or_multi_line_tasks_are_shown_as_read_from_a_file() -> None:
    assert same_as(Typed(payload="a\nb")) == "fleet-tui submit --file task.txt"
    assert "\x1b" not in same_as(Typed(payload="\x1b[2J"))
