"""What is done to waiting tasks: hold, release, first of all, another priority."""

import re

import msgspec
import pytest

from fleet_tui.console.actions.doing import parse_rate
from fleet_tui.console.shell.places import Place
from fleet_tui.console.views.tasks.reasons import reasons, waiting_words
from fleet_tui.console.widgets.dialogs import ConfirmBar
from fleet_tui.console.widgets.plan_form import PlanForm
from fleet_tui.core.engine.commands import Freeze, Thaw
from fleet_tui.core.fleet import Priority
from fleet_tui.core.modes import EngineMode, ModeNow
from fleet_tui.core.routing.decision import Pending, PendingCode
from fleet_tui.core.tasks.commands import Expedite, Hold, Release, SetPriority
from fleet_tui.core.tasks.model import HoldRecord, Task
from fleet_tui.core.tasks.words import task_word
from tests.support.console import console, press, running, text_of, until
from tests.support.fake_feed import FakeFeed
from tests.support.scene import NOW_MS, seeded_state, task_id

WAITING = task_id(48_220)


def waiting(**changes: object) -> Task:
    return msgspec.structs.replace(seeded_state().open_tasks[WAITING], **changes)


def feed_with(task: Task) -> FakeFeed:
    state = seeded_state()
    tasks = {**state.open_tasks, task.id: task}
    return FakeFeed(state=msgspec.structs.replace(state, open_tasks=tasks))


HELD = waiting(
    hold=HoldRecord(by="ops", reason="wait for the migration", since_ms=NOW_MS - 60_000),
    pending=Pending(code=PendingCode.HOLD, since_ms=NOW_MS - 60_000),
)
EXPEDITE = Expedite(tasks=(WAITING,))
FIRST = waiting(expedited_at_ms=NOW_MS)


@pytest.mark.parametrize("code", PendingCode)
def test_every_wait_has_words(code: PendingCode) -> None:
    assert waiting_words(Pending(code=code, since_ms=0))


def test_the_queue_says_who_holds_and_what_goes_first() -> None:
    assert task_word(HELD) == "held"
    assert reasons(HELD) == ["held by ops: wait for the migration"]
    assert task_word(FIRST) == "waiting"
    goes, waits = reasons(FIRST)
    assert goes == "goes first"
    assert waits.startswith("every slot of")
    budget = waiting(pending=Pending(code=PendingCode.RETRY_BUDGET, since_ms=0))
    assert reasons(budget) == ["the retry budget is spent for now"]


@pytest.mark.parametrize(
    ("key", "question", "order"),
    [
        ("H", "Hold t-48220? Until released, it waits.", Hold(tasks=(WAITING,))),
        ("F", "Expedite t-48220?", EXPEDITE),
    ],
)
async def test_one_line_asks_and_y_does_it(key: str, question: str, order: Hold | Expedite) -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        app.go(Place("tasks", query="task:t-48220"))
        await until(pilot, lambda: "task:t-48220" in text_of(app))
        assert question in await press(pilot, key)
        assert not feed.sent
        await press(pilot, "y")
        await until(pilot, lambda: bool(feed.sent))
        assert feed.sent == [order]


async def test_a_held_task_is_released() -> None:
    feed = feed_with(HELD)
    app = console(feed)
    async with running(app) as pilot:
        app.go(Place("tasks", query="task:t-48220"))
        await until(pilot, lambda: "held by ops: wait for the migration" in text_of(app))
        await press(pilot, "H")
        assert not isinstance(app.screen, ConfirmBar)
        assert any("t-48220 is already held by ops." in n.text for n in app.notices)
        await press(pilot, "L", "y")
        await until(pilot, lambda: bool(feed.sent))
        assert feed.sent == [Release(tasks=(WAITING,))]


async def test_marked_tasks_move_together_and_others_are_left_out() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        app.go(Place("tasks", query="task:t-48220 or task:t-48221 or task:t-48170"))
        await until(pilot, lambda: "hidden" in text_of(app))
        text = await press(pilot, "asterisk", "I")
        assert "P0 urgent" in text
        text = await press(pilot, "0")
        assert re.search(r"Move t-4822[01] and t-4822[01] to P0\?", text)
        assert "1 other is left out: " in text
        await press(pilot, "y")
        await until(pilot, lambda: bool(feed.sent))
        (order,) = feed.sent
        assert isinstance(order, SetPriority)
        assert set(order.tasks) == {task_id(48_220), task_id(48_221)}
        assert order.priority is Priority.P0


async def test_the_fleet_is_braked_by_a_plan_and_thawed_by_a_line() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        text = await press(pilot, "Q")
        await until(pilot, lambda: "Plan: freeze the fleet" in text_of(app))
        text = text_of(app)
        assert (
            f"{app.status.running} tasks on agents continue and are tracked; 128 tasks wait."
            in text
        )
        assert isinstance(app.screen, PlanForm)
        app.screen._reading_s = 0.0
        await press(pilot, *"migration", "tab", "enter")
        await until(pilot, lambda: bool(feed.sent))
        assert feed.sent.pop() == Freeze(reason="migration")
        frozen = ModeNow(mode=EngineMode.FROZEN, reason="migration", by="ops")
        feed.change_state(engine=msgspec.structs.replace(feed.view().state.engine, mode=frozen))
        feed.push(engine=frozen)
        await until(pilot, lambda: "FROZEN" in text_of(app))
        await press(pilot, "Q")
        assert any("already frozen" in notice.text for notice in app.notices)
        assert "Thaw the fleet? Queued work starts again; 128 tasks wait." in await press(
            pilot, "J"
        )
        await press(pilot, "y")
        await until(pilot, lambda: bool(feed.sent))
        assert feed.sent == [Thaw()]


@pytest.mark.parametrize(
    ("text", "rate"), [("", None), ("60", 60), ("60/min", 60), ("60000", 60_000)]
)
def test_rates(text: str, rate: int | None) -> None:
    assert parse_rate(text) == rate
