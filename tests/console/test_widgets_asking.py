"""Cards that ask before acting, and the line to type in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events

from fleet_tui.console.text.cells import Cell
from fleet_tui.console.text.fit import line_width
from fleet_tui.console.widgets.command_bar import MAX_TYPED_CHARS, CommandBar
from fleet_tui.console.widgets.dialogs import (
    MAX_QUESTION_LINES,
    CardPlan,
    ConfirmBar,
    PlanCard,
    question_lines,
)
from tests.support import payloads
from tests.support.screens import Bench, screen_lines, settle

PLAN = CardPlan(
    title="drain 2 agents of gpu",
    lines=((Cell("agent-12  4 tasks running [/x]"),), (Cell("agent-13  1 task running"),)),
    same_as="fleet-tui drain agent-12 agent-13",
    verb="Drain",
    fleet="prod",
)
LONG = CardPlan(title="drain", lines=tuple((Cell(f"line {at}"),) for at in range(60)), verb="Drain")
TYPED = CardPlan(title="retire", lines=PLAN.lines, verb="Retire", typed="prod", protected=True)

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("key", "answer"),
    [("y", True), ("Y", True), ("n", False), ("enter", False), ("escape", False), ("q", False)],
)
async def test_one_line_asks_and_means_no_unless_told(key: str, answer: bool) -> None:
    app = Bench()
    async with app.run_test(size=(60, 6)) as pilot:
        answers: list[bool | None] = []
        app.push_screen(ConfirmBar("Cordon agent-06 [/x]?"), answers.append)
        await settle(pilot)
        assert screen_lines(app)[-1] == " Cordon agent-06 [/x]? y/N"
        await pilot.press("x", "space")
        assert not answers
        await pilot.press(key)
        await settle(pilot)
        assert answers == [answer]


NAMES = ", ".join(f"agent-{at:02d}" for at in range(1, 14))
LONG_QUESTION = (
    f"Hold {NAMES}? Until L, they wait. 2 others are left out: t-5 is running; only waiting tasks"
    " can be held."
)


@pytest.mark.parametrize("width", [120, 80, 60, 40])
async def test_a_question_wider_than_the_screen_goes_on_in_the_next_line(width: int) -> None:
    app = Bench()
    async with app.run_test(size=(width, 12)) as pilot:
        app.push_screen(ConfirmBar("Hold agent-06 and 3 more? Until L, they wait for an agent."))
        await settle(pilot)
        said = " ".join(" ".join(screen_lines(app)).split())
        assert said == "Hold agent-06 and 3 more? Until L, they wait for an agent. y/N"


@pytest.mark.parametrize("width", [80, 60, 40, 20])
async def test_a_question_too_long_for_the_foot_is_cut_in_its_middle(width: int) -> None:
    app = Bench()
    async with app.run_test(size=(width, 12)) as pilot:
        app.push_screen(ConfirmBar(LONG_QUESTION))
        await settle(pilot)
        lines = screen_lines(app)
        said = " ".join(" ".join(lines).split())
        assert len([line for line in lines if line]) <= MAX_QUESTION_LINES
        assert lines[-1].endswith(" y/N")
        assert said.startswith("Hold agent-01")
        assert said.endswith("can be held. y/N")
        assert ("…" in said) == (width < 60)


async def test_a_question_keeps_its_end_when_the_terminal_changes() -> None:
    app = Bench()
    async with app.run_test(size=(120, 12)) as pilot:
        app.push_screen(ConfirmBar(LONG_QUESTION))
        for width in (40, 80, 60, 120):
            await pilot.resize_terminal(width, 12)
            await settle(pilot)
            assert screen_lines(app)[-1].endswith("can be held. y/N")
            assert len(screen_lines(app)[-1]) <= width


@given(st.text(alphabet="ab 中é", max_size=400), st.integers(8, 100))
def test_no_question_pushes_its_answer_off_the_screen(question: str, width: int) -> None:
    lines = question_lines(question, width)
    assert len(lines) <= MAX_QUESTION_LINES
    assert all(line_width(line) <= width for line in lines)
    assert lines[-1][-1].text.endswith("y/N")


async def ask(
    plan: CardPlan, *keys: str, reading_ms: int = 0
) -> tuple[list[bool | None], list[str]]:
    """The answers after some keys, and the screen before the last of them."""
    app = Bench()
    answers: list[bool | None] = []
    async with app.run_test(size=(80, 20)) as pilot:
        app.push_screen(PlanCard(plan, reading_ms=reading_ms), answers.append)
        await settle(pilot)
        for key in keys[:-1]:
            await pilot.press(key)
        await settle(pilot)
        shown = screen_lines(app)
        await pilot.press(*keys[-1:])
        await settle(pilot)
        return list(answers), shown


async def test_the_plan_is_shown_with_its_command() -> None:
    answers, shown = await ask(PLAN, "y")
    text = "\n".join(shown)
    assert answers == [True]
    for part in (
        "Plan: drain 2 agents of gpu",
        "prod",
        "4 tasks running [/x]",
        "Same as: fleet-tui drain agent-12 agent-13",
        "[ Back ]  [ Drain ]",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["enter"], [False]),
        (["escape"], [False]),
        (["n"], [False]),
        (["q"], [False]),
        (["tab", "enter"], [True]),
        (["tab", "tab", "enter"], [False]),
        (["x", "D"], []),
    ],
)
async def test_the_focus_is_on_the_way_back(keys: list[str], answer: list[bool]) -> None:
    answers, _ = await ask(PLAN, *keys)
    assert answers == answer


async def test_a_plan_nobody_can_have_read_does_not_start() -> None:
    answers, _ = await ask(LONG, "y", "tab", "enter", reading_ms=HOUR_MS)
    assert answers == []
    answers, shown = await ask(LONG, "pagedown", "y", reading_ms=HOUR_MS)
    assert answers == []
    assert "more lines, scroll down" in "\n".join(shown)
    answers, shown = await ask(LONG, *["pagedown"] * 6, "y", reading_ms=HOUR_MS)
    assert answers == [True]
    assert "line 59" in "\n".join(shown)
    assert "[ Back ]" in "\n".join(shown)


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        ([*"prod", "enter"], [True]),
        ([*"prof", "enter"], []),
        ([*"pro", "enter"], []),
        ([*"prox", "backspace", "d", "enter"], [True]),
        (["y"], []),
        (["enter"], [False]),
        ([*"prod", "escape"], [False]),
        ([*"prodxyz", "enter"], [True]),
    ],
)
async def test_loss_asks_for_the_name(keys: list[str], answer: list[bool]) -> None:
    answers, shown = await ask(TYPED, *keys)
    assert answers == answer
    assert "To continue, type prod" in "\n".join(shown)


async def test_a_long_name_hides_neither_what_is_typed_nor_the_choices() -> None:
    name = "the-fleet-of-the-northern-region-in-production"
    plan = CardPlan(title="cordon 4 agents", lines=(), verb="Cordon them", typed=name, fleet=name)
    answers, shown = await ask(plan, *name[:-1], "x")
    text = "\n".join(shown)
    assert answers == []
    for part in ("To continue, type", name, f"> …{name[-31:-1]}_", "[ Back ]  [ Cordon them ]"):
        assert part in text


async def test_what_cannot_be_done_cannot_be_started() -> None:
    refused = CardPlan(
        title="drain", lines=PLAN.lines, verb="Drain", refusal="gpu is below its floor"
    )
    answers, shown = await ask(refused, "tab", "y", "enter")
    assert answers == [False]
    assert "gpu is below its floor" in "\n".join(shown)
    assert "[ Drain ]" not in "\n".join(shown)


@pytest.mark.parametrize(("word", "answer"), [("[ Back ]", [False]), ("[ Drain ]", [True])])
async def test_the_choices_can_be_clicked(word: str, answer: list[bool]) -> None:
    app = Bench()
    answers: list[bool | None] = []
    async with app.run_test(size=(80, 20)) as pilot:
        app.push_screen(PlanCard(PLAN, reading_ms=0), answers.append)
        await settle(pilot)
        y, line = next((y, text) for y, text in enumerate(screen_lines(app)) if word in text)
        await pilot.click(offset=(line.index(word) + 3, y))
        await settle(pilot)
        assert answers == answer


async def test_what_is_wider_than_the_card_goes_on_in_the_next_line() -> None:
    names = " ".join(f"agent-{at:02d}" for at in range(1, 21))
    plan = CardPlan(title="cordon 20 agents", lines=(), same_as=f"fleet-tui cordon {names}")
    _, shown = await ask(plan, "escape")
    text = "\n".join(shown)
    assert all(name in text for name in names.split())


async def test_a_card_stays_whole_in_a_small_terminal() -> None:
    app = Bench()
    async with app.run_test(size=(60, 16)) as pilot:
        app.push_screen(PlanCard(LONG))
        await settle(pilot)
        await pilot.resize_terminal(50, 10)
        await settle(pilot)
        assert "[ Back ]" in "\n".join(screen_lines(app))


# --- the line to type in ---

NOUNS = ("agents", "alerts", "tasks client:acme")


def complete(text: str) -> str | None:
    return next((noun for noun in NOUNS if text and noun.startswith(text)), None)


class Typing(Bench):
    def on_command_bar_submitted(self, message: CommandBar.Submitted) -> None:
        self.heard.append(message)

    def on_command_bar_changed(self, message: CommandBar.Changed) -> None:
        self.heard.append(message)

    def on_command_bar_left(self, message: CommandBar.Left) -> None:
        self.heard.append(message)

    def on_command_bar_toggled(self, message: CommandBar.Toggled) -> None:
        self.heard.append(message)


def typing() -> tuple[Typing, CommandBar]:
    bar = CommandBar(complete=complete)
    return Typing(bar), bar


def text_of(bar: CommandBar) -> str:
    return bar.text


async def test_typing_completing_submitting() -> None:
    app, bar = typing()
    async with app.run_test(size=(60, 4)) as pilot:
        bar.open(":")
        await pilot.press("a", "g")
        await settle(pilot)
        assert screen_lines(app)[0] == ":agents"
        await pilot.press("tab", "enter")
        await settle(pilot)
        assert [m.text for m in app.kinds(CommandBar.Submitted)] == ["agents"]
        assert [m.text for m in app.kinds(CommandBar.Changed)] == ["a", "ag", "agents"]
        await pilot.press("tab", "escape")
        await settle(pilot)
        assert len(app.kinds(CommandBar.Toggled)) == 1
        assert len(app.kinds(CommandBar.Left)) == 1
        bar.open("/", "pool:gpu")
        await settle(pilot)
        assert screen_lines(app)[0] == "/pool:gpu"


async def test_history_looks_for_what_was_begun() -> None:
    app, bar = typing()
    async with app.run_test(size=(60, 4)) as pilot:
        bar._recall = {
            ":": ["agents state:down", "why t-1", "agents"],
            "/": ["pool:gpu"],
        }.__getitem__
        bar.open(":")
        seen = []
        for key in ("a", "up", "up", "up", "down", "down", "down"):
            await pilot.press(key)
            seen.append(text_of(bar))
        assert seen == ["a", "agents", "agents state:down", "agents state:down", "agents", "a", "a"]
        bar.open(":")
        await pilot.press("up", "up")
        assert text_of(bar) == "why t-1"
        bar.open("/")
        await pilot.press("up")
        assert text_of(bar) == "pool:gpu"


async def test_what_is_wrong_is_pointed_at() -> None:
    app, bar = typing()
    async with app.run_test(size=(60, 4)) as pilot:
        bar.open("/", "pool agnet:x")
        bar.show_problem(5, "no key is named agnet", "did you mean agent: [/x]\x1b?")
        await settle(pilot)
        assert screen_lines(app)[:2] == [
            "/pool agnet:x",
            "      ^ no key is named agnet - did you mean agent: [/x]␛?",
        ]
        await pilot.press("backspace")
        await settle(pilot)
        assert screen_lines(app)[1] == ""
        bar.show_problem(55, "far out")
        await settle(pilot)
        assert screen_lines(app)[1] == "column 56: far out"


async def test_what_is_pasted_is_made_visible_and_never_submits() -> None:
    app, bar = typing()
    async with app.run_test(size=(60, 4)) as pilot:
        for payload in (*payloads.ALL, "one\ntwo", "x" * 1_000_000):
            bar.open(":")
            bar.query_one("SafeInput").post_message(events.Paste(payload))
            await settle(pilot)
            assert text_of(bar).isprintable()
            assert len(text_of(bar)) <= MAX_TYPED_CHARS
            assert "".join(screen_lines(app)).isprintable()
        bar.query_one("SafeInput").post_message(events.Paste("y" * 50))
        await settle(pilot)
        assert len(text_of(bar)) == MAX_TYPED_CHARS
        assert not app.kinds(CommandBar.Submitted)
