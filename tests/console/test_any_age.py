"""Tasks that the state has forgotten, asked for in the console: told from the ledger."""

from collections.abc import Callable, Sequence

import msgspec
import pytest

from fleet_tui.console.shell.app import FleetApp
from fleet_tui.console.shell.places import Place
from fleet_tui.console.views.alerts.screen import alert_place
from fleet_tui.core.alerting.model import Alert, Severity
from fleet_tui.core.ids import AlertId, Epoch, Seq, TaskId
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.ledger.state import Totals
from fleet_tui.core.logs import Level, LogLine, LogQuery
from fleet_tui.core.tasks.retell import Retelling, retell
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.feed.feed import Mode
from tests.journal.stories import AGENT, task_story
from tests.support.console import console, press, running, text_of, until
from tests.support.fake_feed import FakeFeed
from tests.support.scene import NOW_MS

FIRST = TaskId(f"01J{1:023d}")
STORY = [
    Recorded(Seq(10 + n), NOW_MS - 90_000, Epoch(1), event) for n, event in enumerate(task_story(1))
]


class OldFeed(FakeFeed):
    """A ledger whose first task is in no state any more."""

    def __init__(self) -> None:
        super().__init__()
        told = retell(FIRST, STORY)
        self.told = {"t-1": told, "1": told, FIRST: told}
        self.asked: list[str] = []
        self.kept: LogLine | None = None
        self.is_wanted: Callable[[LogQuery], bool] = lambda _: False

    def keep(self, line: LogLine, is_wanted: Callable[[LogQuery], bool]) -> None:
        """The store has this line alone, for questions that want it."""
        self.kept, self.is_wanted = line, is_wanted

    async def logs(self, query: LogQuery) -> Sequence[LogLine]:
        if self.kept is None:
            return await super().logs(query)
        return [self.kept] if self.is_wanted(query) else []

    async def retell(self, text: str) -> Retelling | None:
        self.asked.append(text)
        return await super().retell(text)

    async def task_events(self, task: TaskId) -> list[Recorded]:
        return STORY if task == FIRST else []


@pytest.mark.parametrize("typed", [":t-1", ":task t-1", ":task 1", f":task {FIRST}"])
async def test_a_task_of_any_age_has_its_page(typed: str) -> None:
    app = console(OldFeed())
    async with running(app) as pilot:
        await press(pilot, *typed, "enter")
        await until(pilot, lambda: "t-1 submitted by ana" in text_of(app))
        text = text_of(app)
    assert "succeeded" in text
    assert "done" in text, "its answer"
    assert FIRST[-7:] not in text.split("id ")[0], "it is called by its label"


async def test_it_is_asked_for_once_however_often_something_changes() -> None:
    feed = OldFeed()
    app = console(feed)
    async with running(app) as pilot:
        app.go(Place("task", "t-1"))
        await until(pilot, lambda: "t-1 submitted by ana" in text_of(app))
        for _ in range(3):
            seq = feed.view().state.seq
            feed.change_state()
            await until(pilot, lambda seq=seq: app.view.state.seq > seq)  # type: ignore[misc]  # bound early
        assert feed.asked == ["t-1"]


async def test_why_tells_an_old_decision_and_a_forgotten_one_of_its_place() -> None:
    app = console(OldFeed())
    async with running(app) as pilot:
        await press(pilot, *":why t-1", "enter")
        await until(pilot, lambda: "agent-01" in text_of(app) and "t-1" in text_of(app))
        app.go(Place("why", f"{FIRST}@11"))
        await until(pilot, lambda: "1 considered" in text_of(app) or "agent-01" in text_of(app))
        assert "Looking for" not in text_of(app)


async def test_its_lines_are_found_by_its_label() -> None:
    feed = OldFeed()
    feed.keep(old_line(FIRST), lambda query: query.task == FIRST)
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, *":logs t-1", "enter")
        await until(pilot, lambda: "thinking of old times" in text_of(app))
        assert called(app) == "t-1"


def old_line(task: TaskId) -> LogLine:
    return LogLine(
        received_at_ms=NOW_MS,
        source=AGENT,
        level=Level.INFO,
        text=Untrusted("thinking of old times"),
        task=task,
        line_id=90_000,
    )


def called(app: FleetApp) -> str:
    """What the task of the old line is called."""
    (line,) = (each for each in text_of(app).splitlines() if "thinking of old times" in each)
    return line.split("thinking")[0].split()[-1]


async def test_its_lines_among_all_others_have_its_label() -> None:
    feed = OldFeed()
    feed.keep(old_line(FIRST), lambda query: query.task is None and query.before_line is None)
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, "4")
        await until(pilot, lambda: "thinking of old times" in text_of(app))
        assert called(app) == "t-1"
        assert feed.asked == [FIRST]


async def test_a_line_keeps_the_label_of_a_task_that_is_forgotten_meanwhile() -> None:
    feed = FakeFeed()
    state = feed.view().state
    task = next(iter(state.open_tasks.values()))
    app = console(feed)
    async with running(app) as pilot:
        feed.say(old_line(task.id))
        await until(pilot, lambda: "thinking of old times" in text_of(app))
        assert called(app) == task.label
        rest = {each: known for each, known in state.open_tasks.items() if each != task.id}
        feed.push(state=msgspec.structs.replace(state, open_tasks=rest, seq=Seq(state.seq + 1)))
        await until(pilot, lambda: app.view.state.task(task.id) is None)
        await pilot.resize_terminal(140, 40)
        assert called(app) == task.label


async def test_what_the_ledger_does_not_hold_is_said_so_and_what_cannot_be_is_not_looked_for() -> (
    None
):
    feed = OldFeed()
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, *":t-2", "enter")
        await until(pilot, lambda: "No task t-2 among" in text_of(app))
        assert feed.asked == ["t-2"]
        await press(pilot, *":t-99999", "enter")
        await until(pilot, lambda: "no task t-99999" in text_of(app))
        assert feed.asked == ["t-2"]


async def test_nothing_is_done_to_it_and_that_is_said() -> None:
    feed = OldFeed()
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, *":cancel t-1", "enter")
        await until(pilot, lambda: "t-1 ended too long ago" in text_of(app))
        assert feed.sent == []


def go_to(feed: FakeFeed, events: int) -> None:
    state = feed.view().state
    feed.push(state=msgspec.structs.replace(state, seq=Seq(state.seq + events)))


async def test_a_review_that_goes_back_asks_again() -> None:
    feed = OldFeed()
    feed.push(mode=Mode.REVIEW)
    app = console(feed)
    async with running(app) as pilot:
        app.go(Place("task", "t-1"))
        await until(pilot, lambda: "t-1 submitted by ana" in text_of(app))
        feed.told = {}
        go_to(feed, -5)
        await until(pilot, lambda: "No task t-1 among" in text_of(app))
        feed.told = {"t-1": retell(FIRST, STORY)}
        go_to(feed, 9)
        await until(pilot, lambda: "t-1 submitted by ana" in text_of(app))


def test_an_alert_about_an_old_task_leads_to_it() -> None:
    view = FakeFeed().view()
    about = Alert(id=AlertId("of-tomorrow:t-1"), severity=Severity.WARN, subject="t-1", text="is")
    assert alert_place(about, view) == Place("task", "t-1")
    none = msgspec.structs.replace(view.state, totals=Totals())
    assert alert_place(about, msgspec.structs.replace(view, state=none)) is None
