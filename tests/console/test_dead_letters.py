"""Dead letters: one row per kind of failure, its tasks behind it, requeued or dropped together."""

from collections.abc import Callable

import msgspec
import pytest
from syrupy.assertion import SnapshotAssertion

from fleet_tui.console.shell.places import Place
from fleet_tui.console.views.dead.screen import DeadPane, GroupPane
from fleet_tui.console.widgets.plan_form import PlanForm
from fleet_tui.core.fleet import Deadlines
from fleet_tui.core.ids import ClientName, Seq
from fleet_tui.core.ledger.replies import Accepted
from fleet_tui.core.tasks.commands import Drop, Edit, Requeue
from tests.support.console import console, press, running, text_of, until
from tests.support.fake_feed import FakeFeed
from tests.support.scene import seeded_state, task_id, with_dead_letters

SIZES = [(80, 24), (120, 40), (200, 60)]


def letters() -> FakeFeed:
    return FakeFeed(state=with_dead_letters(seeded_state()))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_words_on_the_screen(size: tuple[int, int], snapshot: SnapshotAssertion) -> None:
    app = console(letters())
    async with running(app, size) as pilot:
        groups = await press(pilot, "u")
        tasks = await press(pilot, "enter")
        card = await press(pilot, "escape", "Y")
        await until(pilot, lambda: isinstance(app.screen, PlanForm))
        card = text_of(app)
    assert groups == snapshot
    assert tasks == snapshot
    assert card == snapshot
    for text in (groups, tasks, card):
        assert all(len(row) <= size[0] for row in text.splitlines())


async def test_without_dead_letters_the_view_says_so_and_where_to_go() -> None:
    app = console(FakeFeed())
    async with running(app) as pilot:
        text = await press(pilot, "u")
        assert "No dead letters. 3 lists" in text


async def test_a_whole_group_is_requeued_at_a_rate_with_its_impact_told_before() -> None:
    feed = letters()
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, "u", "Y")
        await until(pilot, lambda: isinstance(app.screen, PlanForm))
        text = text_of(app)
        assert "Plan: requeue 7 tasks" in text
        assert "7 acme" in text
        assert "all may be placed at once" in text
        wrong = await press(pilot, "x")
        assert "a number of tasks a minute" in wrong
        assert "all may be placed at once" not in wrong
        text = await press(pilot, "backspace", *"3")
        assert "3 per minute; the last one is placed in 2m" in text
        assert "Same as: fleet-tui requeue --fingerprint 59652370 --per-minute 3" in text
        await press(pilot, "tab", *"fixed", "tab")
        assert isinstance(app.screen, PlanForm)
        app.screen._reading_s = 0.0
        await press(pilot, "enter")
        await until(pilot, lambda: bool(feed.sent))
        (order,) = feed.sent
        assert isinstance(order, Requeue)
        assert len(order.tasks) == 7
        assert (order.per_minute, order.reason) == (3, "fixed")


async def test_a_card_that_was_just_opened_does_nothing_yet() -> None:
    feed = letters()
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, "u", "Y", "tab", "tab")
        assert isinstance(app.screen, PlanForm)
        app.screen._reading_s = 3_600.0
        assert "read the plan first" in await press(pilot, "enter")
        await press(pilot, "escape")
        await until(pilot, lambda: not isinstance(app.screen, PlanForm))
        assert not feed.sent


@pytest.mark.parametrize("typed", ["0", "many", "60001", "9999999", "²"])
async def test_a_rate_that_is_none_is_told_at_its_field(typed: str) -> None:
    feed = letters()
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, "u", "Y", *typed, "tab", "tab")
        assert "a minute" in await press(pilot, "enter")
        assert isinstance(app.screen, PlanForm)
        assert not feed.sent


async def test_dropping_asks_for_a_reason_and_records_it() -> None:
    feed = letters()
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, "u", "j", "W")
        await until(pilot, lambda: isinstance(app.screen, PlanForm))
        text = await press(pilot, "tab", "enter")
        assert "this needs a reason; it is recorded with your name" in text
        assert not feed.sent
        await press(pilot, *"twice asked", "tab")
        assert isinstance(app.screen, PlanForm)
        app.screen._reading_s = 0.0
        feed.next_reply = Accepted(seq=Seq(1), changed=3)
        await press(pilot, "enter")
        await until(pilot, lambda: bool(feed.sent))
        (order,) = feed.sent
        assert isinstance(order, Drop)
        assert (len(order.tasks), order.reason) == (4, "twice asked")
        told = [notice.text for notice in app.notices]
        assert any("1 task had changed and stayed as it was" in text for text in told)


async def test_a_protected_fleet_wants_its_name() -> None:
    state = with_dead_letters(seeded_state())
    fleet = msgspec.structs.replace(state.fleet, protected=True)
    feed = FakeFeed(state=msgspec.structs.replace(state, fleet=fleet))
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, "u", "W", *"because", "tab", *"staging", "tab")
        assert isinstance(app.screen, PlanForm)
        app.screen._reading_s = 0.0
        assert "type prod to continue" in await press(pilot, "enter")
        assert not feed.sent
        await press(pilot, *["backspace"] * 7, *"prod", "tab", "enter")
        await until(pilot, lambda: bool(feed.sent))


async def test_a_group_ends_when_nothing_is_left_of_it() -> None:
    feed = letters()
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, "u", "enter")
        pane = app.screen.query_one(GroupPane)
        assert len(pane.all_records) == 7
        assert "failed: exit-3 after # turns" in text_of(app)
        feed.change_state(dead_letters={})
        await until(pilot, lambda: "This group is empty" in text_of(app))
        await press(pilot, "escape")
        assert not app.screen.query_one(DeadPane).all_records


@pytest.mark.parametrize("typed", [str.lower, str.upper])
async def test_groups_are_named_by_their_fingerprint_on_the_command_line(
    typed: Callable[[str], str],
) -> None:
    feed = letters()
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, "u")
        group = app.screen.query_one(DeadPane).all_records[1]
        await press(pilot, "1", "colon", *f"requeue {typed(group.fingerprint)}", "enter")
        await until(pilot, lambda: isinstance(app.screen, PlanForm))
        assert "4 globex" in text_of(app)


async def test_a_dead_letter_is_edited_in_a_form_that_starts_nothing() -> None:
    feed = letters()
    app = console(feed)
    async with running(app) as pilot:
        app.go(Place("task", "t-46901"))
        await until(pilot, lambda: "Reconcile account 46901" in text_of(app))
        text = await press(pilot, "M")
        assert "What should the agent do instead?" in text
        assert "Reconcile account 46901" in text
        assert "acme" in text
        await press(pilot, *"Now: ", *["tab"] * 9, "enter")
        await until(pilot, lambda: bool(feed.sent))
        (order,) = feed.sent
        assert isinstance(order, Edit)
        assert order.task == task_id(46_901)
        assert order.spec.payload.raw == "Now: Reconcile account 46901"
        before = feed.view().state.dead_letters[task_id(46_901)].spec
        assert msgspec.structs.replace(order.spec, payload=before.payload) == before
        place = Place("task", "t-46901")
        await until(
            pilot, lambda: app.visible_screen is not None and app.visible_screen.place == place
        )


async def test_an_edit_keeps_what_has_no_field_and_overwrites_nobody_elses() -> None:
    feed = letters()
    task = task_id(46_901)
    first = feed.view().state.dead_letters[task].spec
    limited = msgspec.structs.replace(
        first,
        project="books",
        deadlines=Deadlines(total_ms=60_000),
        written_deadlines=("total_ms",),
    )
    await feed.send(Edit(task=task, spec=limited))
    app = console(feed)
    async with running(app) as pilot:
        app.go(Place("edit", task))
        await press(pilot, *"Now: ")
        theirs = msgspec.structs.replace(limited, client=ClientName("globex"))
        await feed.send(Edit(task=task, spec=theirs))
        await press(pilot, *["tab"] * 9, "enter")
        await until(pilot, lambda: "t-46901 was edited since it was shown: client" in text_of(app))
        order = feed.sent[-1]
        assert isinstance(order, Edit)
        assert msgspec.structs.replace(order.spec, payload=first.payload) == limited
        assert feed.view().state.dead_letters[task].spec == theirs
