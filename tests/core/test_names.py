"""Names that could be taken for another one are refused, whoever sends them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.core.ids import Capability, ClientName, Region, TaskId
from fleet_tui.core.ledger.decided import Decided
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.tasks.commands import Submit
from fleet_tui.core.tasks.events import TaskEnded
from fleet_tui.core.tasks.model import TaskPhase, TaskSpec
from fleet_tui.core.tasks.submission import submit
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.names import MAX_NAME_CHARS, flaw_of, look_alike, twins
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.fleets import fleet
from tests.support.ledger import Story

FILLERS = (
    "\u3164\u115f\u1160\uffa0\u2800\u200b\u200d\u2060\u034f\ufe0f\u180b"
    "\U000e0041\U000e0100\u202e\u00ad\ufeff"
)
SPACES = "\u00a0\u2003\u3000\u2028\t\n"


@pytest.mark.parametrize("char", FILLERS + SPACES, ids=ascii)
@pytest.mark.parametrize("form", ["acme{}", "{}acme", "ac{}me"])
def test_what_cannot_be_seen_is_in_no_name(char: str, form: str) -> None:
    assert flaw_of(form.format(char)) is not None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (" acme", "begins or ends with a blank"),
        ("acme ", "begins or ends with a blank"),
        ("", "begins or ends with a blank"),
        ("ac  me", "two blanks"),
        ("[red]acme", "square brackets"),
        ("acme[/]", "square brackets"),
        ("a" + "\u0336" * 4 + "cme", "marks"),
        ("\u0301acme", "marks"),
        ("acm\u20dd\u20dd\u20dd\u20dd", "marks"),
        ("\u20ddacme", "marks"),
        ("acme\U0001d165\U0001d165\U0001d165\U0001d165", "marks"),
        ("ａｃｍｅ", "write acme"),
        ("cafe\u0301", "write café"),
        ("аcme", "Latin and Cyrillic"),
        ("ac \u0301me", "marks"),
        ("ac\ufffcme", "invisible character U+FFFC"),
        ("x" * (MAX_NAME_CHARS + 1), "longer than 128 characters"),
        ("acmε", "Latin and Greek"),
        ("acme \u05d0\u05d1", "left to right with"),
        ("\u05d0\u05d1 7", "left to right with"),
        ("\u0627\u0628 acme", "left to right with"),
        ("\u0627\u0661", "left to right with"),
    ],
)
def test_what_else_is_in_no_name(name: str, why: str) -> None:
    assert why in (flaw_of(name) or "")


@pytest.mark.parametrize(
    "name",
    [
        "acme",
        "Acme GmbH & Co.",
        "Zoë",
        "株式会社",
        "акме",
        "Việt Nam",
        "team:ops",
        "ที่นี่",
        "a[0",
        "x\u0323\u0302\u0301y",
        "x" * MAX_NAME_CHARS,
        "\U00017000",
    ],
)
def test_people_may_call_themselves_what_they_are_called(name: str) -> None:
    assert flaw_of(name) is None


@given(st.text(min_size=1, max_size=20))
def test_a_name_without_a_flaw_is_shown_as_it_is(name: str) -> None:
    if flaw_of(name) is None:
        assert safe_line(name) == name


def test_two_names_that_look_alike() -> None:
    assert look_alike("Acme", ["other", "acme"]) == "acme"
    assert look_alike("асе", ["ace"]) == "ace"
    assert look_alike("acme", ["Acme", "acme"]) is None
    assert look_alike("acme", ["akme"]) is None
    assert look_alike("ΟΧ", ["ox"]) == "ox"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("acme1", "acmel"),
        ("acmeI", "acmel"),
        ("acme|", "acme1"),
        ("acme-O1", "acme-01"),
        ("acmı", "acmi"),
        ("ɑcme", "acme"),
        ("ᴀᴄᴍᴇ", "acme"),
        ("ꓮꓚꓟꓰ", "ACME"),
        ("ᎪᏟᎬ", "ace"),
        ("ac‐me", "ac-me"),
        ("ac–me", "ac-me"),
        ("ac−me", "ac-me"),
        ("ac∕me", "ac/me"),
        ("ac⁄me", "ac/me"),
        ("acme’s", "acme's"),
        ("acmeʼs", "acme's"),
        ("acmeǃ", "acme!"),
        ("acme։", "acme:"),
        ("аԝѕ", "aws"),
        ("ΑΒ", "AB"),
        # Of two scripts that are both not Latin.
        ("ор", "ορ"),
        ("ООО", "ΟΟΟ"),
        ("ФПГ", "ΦΠΓ"),
        ("фп", "φπ"),
        ("ПО", "πο"),
        ("ͷ", "и"),
        ("Փ", "Φ"),
        ("ⲪⲚ", "ΦⲚ"),
        ("二口", "ニロ"),
        ("カ工", "力エ"),
        ("४२", "૪૨"),
        ("จบ", "ຈບ"),
        ("ಅಆ", "అఆ"),
        ("ꭲꭰ", "td"),
    ],
)
def test_names_of_one_look_whatever_they_are_made_of(one: str, other: str) -> None:
    assert look_alike(one, ["else", other]) == other
    assert look_alike(other, ["else", one]) == one
    assert look_alike(one, [other, one]) is None, "who is known by both names means both"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("acme-1", "acme-2"),
        ("modern", "modem"),
        ("Zoë", "Zoe"),
        ("ал", "an"),
        ("acmei", "acmel"),
        # Whoever reads a script tells its letters apart.
        ("ดี", "คี"),
        ("土木", "士木"),
        ("фа", "φб"),
        ("二口", "二ハ"),
        ("ம", "ഥ"),
    ],
)
def test_names_that_can_be_told_apart(one: str, other: str) -> None:
    assert look_alike(one, [other]) is None


def test_twins_among_many_names() -> None:
    names = ("a1", "b", "al", "aI", "node-0", "node-o", "nodeo", "B", "b")
    assert list(twins(names)) == [("al", "a1"), ("aI", "a1"), ("node-o", "node-0"), ("B", "b")]


def asked(spec: TaskSpec, *before: TaskSpec) -> Refused | Decided:
    story = Story(fleet())
    for each in before:
        story.submit(each)
    return submit(story.state, "me", Submit(task=TaskId("0" * 26), key="k", spec=spec))


@pytest.mark.parametrize(
    "spec",
    [
        TaskSpec(payload=Untrusted("x"), client=ClientName("acme\u3164")),
        TaskSpec(payload=Untrusted("x"), project="[red]p"),
        TaskSpec(payload=Untrusted("x"), needs=frozenset({Capability("gpu\u200b")})),
        TaskSpec(payload=Untrusted("x"), regions=(Region("eu\u2800"),)),
        TaskSpec(payload=Untrusted("x"), labels={"team\u202e": "ops"}),
        TaskSpec(payload=Untrusted("x"), labels={"team": "ops\u115f"}),
    ],
)
def test_the_engine_takes_no_such_name_whoever_sends_it(spec: TaskSpec) -> None:
    answer = asked(spec)
    assert isinstance(answer, Refused)
    assert answer.code == "bad-name"
    assert answer.text.isprintable()


def test_two_clients_do_not_look_alike() -> None:
    acme = TaskSpec(payload=Untrusted("x"), client=ClientName("acme"))
    twin = TaskSpec(payload=Untrusted("x"), client=ClientName("Acme"))
    answer = asked(twin, acme)
    assert isinstance(answer, Refused)
    assert answer.code == "looks-like"
    assert isinstance(asked(acme, acme), Decided)
    assert isinstance(asked(twin), Decided)


def test_a_client_whose_work_has_ended_has_no_twin_either() -> None:
    acme = TaskSpec(payload=Untrusted("x"), client=ClientName("acme1"))
    twin = TaskSpec(payload=Untrusted("x"), client=ClientName("acmel"))
    story = Story(fleet())
    story.submit(TaskSpec(payload=Untrusted("of nobody")))
    task = story.submit(acme)
    for ended in tuple(story.state.open_tasks):
        story.add(TaskEnded(task=ended, phase=TaskPhase.CANCELLED, reason="x"))
    assert not story.state.open_tasks
    assert story.state.task(task) is not None
    answer = submit(story.state, "me", Submit(task=TaskId("0" * 26), key="k", spec=twin))
    assert isinstance(answer, Refused)
    assert answer.code == "looks-like"


def test_a_long_name_is_told_by_how_it_begins() -> None:
    acme = TaskSpec(payload=Untrusted("x"), client=ClientName("a" * MAX_NAME_CHARS))
    twin = TaskSpec(payload=Untrusted("x"), client=ClientName("A" * MAX_NAME_CHARS))
    answer = asked(twin, acme)
    assert isinstance(answer, Refused)
    assert f'The client "{"A" * 73}…(+55)" looks like' in answer.text
