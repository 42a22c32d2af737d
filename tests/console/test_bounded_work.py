"""No single input keeps the console from the next key: work is bounded, or done in slices."""

import asyncio
import itertools
from collections.abc import Iterator

import msgspec
import pytest
from textual import events
from textual.widgets import TextArea

from fleet_tui.console.shell.places import Place
from fleet_tui.console.terminal.slices import SLICE_MS, Slices, in_order
from fleet_tui.console.views.table import TablePane
from fleet_tui.console.views.tasks.table import TaskRow, TasksPane
from fleet_tui.console.widgets.form import MAX_TYPED_CHARS
from fleet_tui.console.widgets.log_view import LogView
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.logs import Level, LogLine
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.text import words
from fleet_tui.core.text.filters.filter import Filter, parse
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.feed.feed import View
from tests.support.console import at_rest, console, press, running, text_of, until
from tests.support.fake_feed import FakeFeed
from tests.support.scene import NOW_MS, seeded_state, task_id
from tests.support.screens import Bench

WAITING = 6_000


def crowded() -> FleetState:
    """The scene with a long queue; only its last task is for the moon."""
    state = seeded_state()
    like = next(state.waiting())
    more = {task_id(n): waiting(like, n) for n in range(100_000, 100_000 + WAITING)}
    last = more[max(more)]
    spec = msgspec.structs.replace(last.spec, labels={"to": "moon"})
    more[last.id] = msgspec.structs.replace(last, spec=spec)
    return msgspec.structs.replace(state, open_tasks={**state.open_tasks, **more})


def waiting(like: Task, number: int) -> Task:
    return msgspec.structs.replace(like, id=task_id(number), number=number)


# --- slices ---


def milliseconds() -> Iterator[float]:
    """A clock that is a millisecond on whenever somebody looks at it."""
    return (n / 1_000 for n in itertools.count())


async def test_no_piece_of_work_is_longer_than_a_slice() -> None:
    clock, done = milliseconds(), 0

    def steps() -> Iterator[None]:
        nonlocal done
        for _ in range(100):
            done += 1
            yield

    slices, seen = Slices(lambda: next(clock)), [0]
    slices.start(steps())
    while slices.is_at_work:
        if done > seen[-1]:
            seen.append(done)
        await asyncio.sleep(0)
    assert done == 100
    assert len(seen) >= 100 // (SLICE_MS + 1)
    assert max(b - a for a, b in itertools.pairwise(seen)) <= SLICE_MS + 1


async def test_other_work_takes_the_place_of_what_was_begun() -> None:
    clock = milliseconds()
    slices, done = Slices(lambda: next(clock)), list[str]()

    def steps(word: str, times: int) -> Iterator[None]:
        for _ in range(times):
            done.append(word)
            yield

    slices.start(steps("old", 1_000))
    slices.start(steps("new", 3))
    assert not slices.is_at_work
    assert done.count("old") <= SLICE_MS + 1
    assert done[-3:] == ["new"] * 3


@pytest.mark.parametrize("descending", [False, True])
def test_an_order_in_steps_is_the_order_of_sorted(descending: bool) -> None:
    things = [(n * 7_919) % 5_003 for n in range(9_000)]
    ordered: list[int] = []

    def steps() -> Iterator[None]:
        ordered.extend(
            (yield from in_order(things, lambda n: (0, float(n), ""), descending=descending))
        )

    assert len([*steps()]) > len(things), "each of them is a step"
    assert ordered == sorted(things, reverse=descending)


# --- tables ---


async def test_a_long_queue_makes_no_more_rows_than_are_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = list[Task]()
    row_of = TasksPane.row_of

    def counted(pane: TasksPane, task: Task, view: View) -> TaskRow:
        made.append(task)
        return row_of(pane, task, view)

    monkeypatch.setattr(TasksPane, "row_of", counted)
    feed = FakeFeed(state=crowded())
    app = console(feed)
    async with running(app) as pilot:
        app.go(Place("tasks"))
        await until(pilot, lambda: at_rest(app))
        pane = app.screen.query_one(TasksPane)
        assert len(made) == TasksPane.max_rows == pane.table.row_count
        total = len([*feed.view().state.tasks()])
        shown = await press(pilot, "G")
        assert f"{words.grouped(total - TasksPane.max_rows)} more" in shown, shown
        assert "hidden" not in text_of(app)


async def test_a_filter_and_an_order_go_through_all_of_a_long_queue() -> None:
    app = console(FakeFeed(state=crowded()))
    async with running(app) as pilot:
        app.go(Place("tasks"))
        await until(pilot, lambda: at_rest(app))
        pane = app.screen.query_one(TablePane)
        await press(pilot, "slash", *"label.to:moon", "enter")
        await until(pilot, lambda: not pane.is_sifting)
        assert [pane.row_id(r) for r in pane.shown_records] == [task_id(100_000 + WAITING - 1)]
        pane.set_filter("")
        pane.sort_by("number")
        await until(pilot, lambda: not pane.is_sifting)
        numbers = [pane.value(record, "task") for record in pane.shown_records]
        assert len(numbers) == pane.total()
        assert numbers[-1] == f"t-{100_000 + WAITING - 1}"


# --- lines ---


def lines(count: int) -> list[LogLine]:
    return [
        LogLine(
            received_at_ms=NOW_MS + n,
            source=None,
            level=Level.INFO,
            text=Untrusted(f"{n} {'even' if n % 2 == 0 else 'odd'}"),
        )
        for n in range(count)
    ]


async def test_a_search_that_takes_long_finds_what_is_there_and_what_comes() -> None:
    view = LogView(max_lines=3_000)
    wanted = parse("even", now_ms=NOW_MS, keys=())
    assert isinstance(wanted, Filter)
    clock = milliseconds()
    async with Bench(view).run_test() as pilot:
        view.search._slices = Slices(lambda: next(clock))
        many = lines(2_500)
        view.append(many[:2_000])
        view.set_filter(wanted)
        assert view.search.is_at_work
        assert 0 < view.line_count <= SLICE_MS + 1, "what was said last is found first"
        view.append(many[2_000:])
        view.prepend(many[:100])
        for _ in range(4_000):
            if not view.search.is_at_work:
                break
            await pilot.pause(0.001)
        assert view.line_count == 1_300
        assert view.hidden_count == 1_300


# --- what is pasted ---


async def test_a_paste_that_is_too_long_is_not_taken_and_one_that_fits_is_taken_whole() -> None:
    app = console()
    async with running(app) as pilot:
        app.go(Place("submit"))
        await until(pilot, lambda: bool(app.screen.query(TextArea)))
        area = app.screen.query_one(TextArea)
        fits = "a\u202eb\n" * (MAX_TYPED_CHARS // 4)
        app.post_message(events.Paste(fits))
        await until(pilot, lambda: len(area.text) == len(fits))
        assert area.text == fits
        app.post_message(events.Paste("x"))
        await until(pilot, lambda: "too many to paste" in text_of(app))
        assert area.text == fits
