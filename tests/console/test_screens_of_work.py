"""Tasks, routes, alerts, messages and the drill-downs: by their keys, on the screen."""

from collections.abc import Sequence

import msgspec
import pytest
from syrupy.assertion import SnapshotAssertion

from fleet_tui.cli.selecting import passing
from fleet_tui.console.shell.app import FleetApp
from fleet_tui.console.shell.messages import Loudness
from fleet_tui.console.shell.places import Place
from fleet_tui.console.views.alerts.screen import AlertsListPane, alert_place
from fleet_tui.console.views.help.messages import MessagesPane
from fleet_tui.console.views.routing.pane import RoutingPane
from fleet_tui.console.views.routing.screen import RoutesPane
from fleet_tui.console.views.routing.why_screen import split_subject
from fleet_tui.console.views.tasks.table import TasksPane
from fleet_tui.console.widgets.fleet_table import FleetTable
from fleet_tui.console.widgets.section_view import SectionView
from fleet_tui.core.agents.breaker import Breaker
from fleet_tui.core.agents.events import AgentTripped
from fleet_tui.core.alerting.model import Alert, Severity
from fleet_tui.core.alerting.rules import AlertRule, agent_of, alert_id
from fleet_tui.core.ids import AlertId, Epoch, Seq, TaskId
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.tasks.events import TaskEnded
from fleet_tui.core.tasks.model import TaskPhase
from tests.support.console import console, press, running, text_of, until
from tests.support.fake_feed import FakeFeed, quiet_feed
from tests.support.scene import NOW_MS, agent_name, seeded_alerts, seeded_state, task_id

SIZES = [(80, 24), (120, 40)]
PLACES = [
    Place("tasks"),
    Place("task", "t-48100"),
    Place("why", "t-48340"),
    Place("why", "t-48141"),
    Place("agent", "agent-14"),
    Place("definition", "agent-14"),
    Place("routes"),
    Place("alerts"),
    Place("logs", "agent-14"),
    Place("submit"),
]


def shown(app: FleetApp, place: Place) -> bool:
    """Whether that place is in view with all that it reads."""
    screen = app.visible_screen
    there = screen is not None and screen.place == place and screen.shown is app.view
    return there and "Reading the" not in text_of(app)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.view}-{place.subject}")
async def test_the_words_on_the_screen(
    place: Place, size: tuple[int, int], snapshot: SnapshotAssertion
) -> None:
    app = console()
    async with running(app, size) as pilot:
        app.go(place)
        await until(pilot, lambda: shown(app, place), "shown")
        await until(pilot, lambda: place.view != "logs" or "ssh connect" in text_of(app))
        await until(pilot, lambda: place.view != "agent" or "#9000" in text_of(app))
        text = text_of(app)
    assert text == snapshot
    assert all(len(row) <= size[0] for row in text.splitlines())


# --- tasks ---


async def test_tasks_come_worst_first_and_can_be_narrowed_down() -> None:
    app = console()
    async with running(app) as pilot:
        text = await press(pilot, "3")
        rows = [row for row in text.splitlines() if " t-" in row or "│t-" in row]
        assert "needs-operator" in rows[0]
        assert "held" in rows[1]
        assert "running" in rows[2]
        await press(pilot, "slash", *"state:held", "enter")
        await until(pilot, lambda: "hidden" in text_of(app))
        pane = app.screen.query_one(TasksPane)
        assert [row.task.number for row in pane.shown_records] == [48_340]
        assert "state:held" in text_of(app)


async def test_what_a_filter_can_ask_of_tasks() -> None:
    app = console()
    async with running(app) as pilot:
        app.go(Place("tasks", query="prio:P0 state:waiting"))
        await until(pilot, lambda: "prio:P0 state:waiting" in text_of(app))
        pane = app.screen.query_one(TasksPane)
        assert len(pane.shown_records) == 2, "the filter of the place"
        for query, count in (
            ("client:globex", 1),
            ("agent:agent-14", 1),
            ("state:running pool:browse", 12),
            ("cap:gpu", 1),
            ("wait>1m", 0),
            ("wait>=42s", 1),
            ("cost>$0.0005 state:failed", 4),
            ("48340", 1),
            ("task:t-48340 or task:t-48100", 2),
        ):
            assert pane.set_filter(query) is None
            assert len(pane.shown_records) == count, query
        assert pane.set_filter("colour:red") is not None, "an unknown key is explained"


@pytest.mark.parametrize(
    "query",
    ["state:held", "agent:agent-14", "prio:P0 or cap:gpu", "-state:succeeded", "residency", "t-48"],
)
async def test_a_filter_finds_the_same_tasks_here_and_in_the_shell(query: str) -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "3")
        pane = app.screen.query_one(TasksPane)
        assert pane.set_filter(query) is None
        here = {row.task.id for row in pane.shown_records}
        there = passing(list(app.view.state.tasks()), query, app.view.now_ms)
        assert here == {task.id for task in there} != set()


async def test_leaving_and_coming_back_keeps_cursor_and_filter() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "3", "slash", *"pool:gpu", "enter")
        await press(pilot, "j", "j")
        table = app.screen.query_one(FleetTable)
        before = table.cursor_id
        await press(pilot, "1", "3")
        pane = app.screen.query_one(TasksPane)
        assert pane.filter_text == "pool:gpu"
        assert app.screen.query_one(FleetTable).cursor_id == before


async def test_moving_the_cursor_opens_nothing_and_enter_opens_the_task() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "3", "j")
        assert app.visible_screen is not None
        assert app.visible_screen.place.view == "tasks"
        await press(pilot, "enter")
        await until(pilot, lambda: shown(app, Place("task", task_id(48_340))))
        assert "What would help" in text_of(app)
        await press(pilot, "escape")
        await until(pilot, lambda: shown(app, Place("tasks")))


async def test_i_explains_the_task_under_the_cursor() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "3", "j", "i")
        await until(pilot, lambda: shown(app, Place("why", task_id(48_340))))
        assert "HELD - no agent: gpu in eu-w1 for globex" in text_of(app)


async def test_marked_tasks_are_what_actions_are_about() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "3", "space", "space")
        pane = app.screen.query_one(TasksPane)
        assert pane.selection().tasks == (task_id(48_100), task_id(48_340))


async def test_no_more_rows_than_the_bound_and_the_rest_is_counted() -> None:
    state = seeded_state()
    model = next(iter(state.closed_tasks.values()))
    many = {
        TaskId(f"x{n}"): msgspec.structs.replace(model, id=TaskId(f"x{n}"), number=n)
        for n in range(TasksPane.max_rows + 7)
    }
    app = console(FakeFeed(state=msgspec.structs.replace(state, open_tasks={}, closed_tasks=many)))
    async with running(app) as pilot:
        await press(pilot, "3")
        assert app.screen.query_one(FleetTable).row_count == TasksPane.max_rows
        assert "7 more; / narrows down" in await press(pilot, "G")


async def test_an_empty_queue_tells_the_next_key() -> None:
    app = console(quiet_feed(now_ms=NOW_MS))
    async with app.run_test(size=(80, 24)) as pilot:
        for place, words in (
            (Place("tasks"), "No tasks yet. T submits one."),
            (Place("routes"), "No routing decisions yet."),
            (Place("alerts"), "No alerts"),
            (Place("task", "t-7"), "No task t-7 among 0 open"),
            (Place("why", "t-7"), "No task t-7 among 0 open"),
            (Place("agent", "ghost"), "No agent ghost among the fleet's 0."),
            (Place("definition", "ghost"), "ghost is not in the fleet file."),
        ):
            app.go(place)
            await until(pilot, lambda words=words: words in text_of(app))  # type: ignore[misc]  # bound early


# --- drill-downs ---


async def test_the_task_page_reads_its_story_from_the_ledger_again_when_it_changed() -> None:
    feed = FakeFeed()
    told: list[Recorded] = []

    async def task_events(task: TaskId) -> list[Recorded]:
        return list(told)

    feed.task_events = task_events  # type: ignore[method-assign]  # the ledger of this test
    app = console(feed)
    async with running(app) as pilot:
        app.go(Place("task", "t-48100"))
        await until(pilot, lambda: "The ledger has no events of this task." in text_of(app))
        task = feed.view().state.open_tasks[task_id(48_100)]
        ended = TaskEnded(task=task.id, phase=TaskPhase.FAILED, reason="x-reason")
        told.append(Recorded(Seq(9_300), NOW_MS, Epoch(3), ended))
        tasks = feed.view().state.open_tasks
        changed = msgspec.structs.replace(task, reason="another reason")
        feed.change_state(open_tasks={**tasks, task.id: changed})
        await until(pilot, lambda: "t-48100 failed: x-reason  #9300" in text_of(app))
        assert "another reason" in text_of(app)


async def test_a_task_that_the_state_forgets_while_it_is_looked_at_stays() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        app.go(Place("task", "t-48340"))
        await until(pilot, lambda: "HELD" in text_of(app))
        feed.change_state(open_tasks={})
        await until(pilot, lambda: app.view.state.open_tasks == {})
        assert "t-48340" in text_of(app)


async def test_lines_that_can_be_opened_are_walked_with_j_and_opened_with_enter() -> None:
    app = console()
    async with running(app) as pilot:
        app.go(Place("agent", "agent-14"))
        await until(pilot, lambda: "Work - 0 running, 1 earlier" in text_of(app))
        document = app.screen.query_one(SectionView)
        await press(pilot, "j")
        assert document.target is not None
        assert document.target.task == task_id(48_100)
        await press(pilot, "enter")
        await until(pilot, lambda: shown(app, Place("task", task_id(48_100))))


async def test_the_agent_page_follows_its_health_and_its_lines() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        app.go(Place("agent", "agent-14"))
        await until(pilot, lambda: "#9000" in text_of(app))
        assert text_of(app).count("#9000") == 1
        line = feed.stored[-1]
        mine = msgspec.structs.replace(line, source=agent_name(14), line_id=9_999)
        other = msgspec.structs.replace(line, line_id=10_000)
        feed.say(mine, other)
        await until(pilot, lambda: text_of(app).count("run started model=sonnet") == 1)
        feed.change_agent(agent_name(14), reason="another reason", since_ms=NOW_MS)
        await until(pilot, lambda: "another reason" in text_of(app))


async def test_the_agent_page_reads_its_timeline_again_when_the_agent_was_tripped() -> None:
    class Longer(FakeFeed):
        async def history(self, limit: int, until: Seq | None = None) -> Sequence[Recorded]:
            found = [*await super().history(limit, until)]
            if self.tripped is not None and found:
                found.append(Recorded(Seq(found[-1].seq + 1), NOW_MS, Epoch(1), self.tripped))
            return found

        tripped: AgentTripped | None = None

    feed = Longer()
    app = console(feed)
    async with running(app) as pilot:
        app.go(Place("agent", "agent-14"))
        await until(pilot, lambda: "one look failed" in text_of(app))
        feed.tripped = AgentTripped(
            agent=agent_name(14), reason="three fell over", until_ms=NOW_MS + 60_000
        )
        breaker = Breaker(since_ms=NOW_MS, until_ms=NOW_MS + 60_000, harmless=True, reason="-")
        feed.change_agent(agent_name(14), breaker=breaker)
        await until(pilot, lambda: "three fell over" in text_of(app))


async def test_the_document_keeps_its_place_and_scrolls_to_its_end() -> None:
    app = console()
    async with running(app, (80, 24)) as pilot:
        app.go(Place("task", "t-48100"))
        await until(pilot, lambda: "Your verdict is needed" in text_of(app))
        assert "sha256" not in text_of(app)
        await press(pilot, "G")
        assert "sha256" in text_of(app)
        assert app.screen.query_one(SectionView).more == 0
        await press(pilot, "g")
        assert "Your verdict is needed" in text_of(app)
        await press(pilot, "pagedown", "pagedown", "ctrl+u", "ctrl+d")
        assert "sha256" in text_of(app)


# --- routes ---


async def test_the_routing_pane_opens_the_reasons_of_the_decision_under_the_cursor() -> None:
    app = console()
    async with running(app) as pilot:
        app.screen.set_focus(app.screen.query_one("#routing", RoutingPane).table)
        await press(pilot, "j", "j", "enter")
        record = app.view.state.decisions[-3]
        await until(pilot, lambda: shown(app, Place("why", f"{record.task}@{record.seq}")))
        await press(pilot, "escape", "j", "i")
        other = app.view.state.decisions[-4]
        await until(pilot, lambda: shown(app, Place("why", f"{other.task}@{other.seq}")))


async def test_a_routing_line_opens_the_reasons_of_that_very_decision() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "5", "enter")
        record = app.view.state.decisions[-1]
        assert app.visible_screen is not None
        assert app.visible_screen.place == Place("why", f"{record.task}@{record.seq}")
        await until(pilot, lambda: f"t-{record.task_number}" in text_of(app))
        assert "runner-up" in text_of(app)


def test_an_earlier_decision_can_be_named() -> None:
    assert split_subject("t-42") == ("t-42", None, None)
    assert split_subject("t-42#2") == ("t-42", 2, None)
    assert split_subject("t-42@8812") == ("t-42", None, 8812)
    assert split_subject("a@b") == ("a@b", None, None)


async def test_what_a_filter_can_ask_of_decisions() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "5")
        pane = app.screen.query_one(RoutesPane)
        for query in ("kind:held", "strategy:load-aware", "margin>0.1 score>0.8", "rule:isolation"):
            assert pane.set_filter(query) is None
            assert 0 < len(pane.shown_records) < len(app.view.state.decisions), query


# --- alerts and messages ---


async def test_alerts_that_are_over_stand_below_the_open_ones() -> None:
    feed = FakeFeed()
    over = msgspec.structs.replace(
        next(iter(seeded_alerts().values())), id="agent-down:agent-02", subject="agent-02",
        resolved_at_ms=NOW_MS - 1_000,
    )  # fmt: skip
    feed.change_state(closed_alerts=(over, over))
    app = console(feed)
    async with running(app) as pilot:
        text = await press(pilot, "7")
        assert "Alerts - 3 open, 1 over" in text
        assert text.index("agent-06") < text.index("agent-02")


def test_every_subject_of_an_alert_leads_somewhere() -> None:
    view = FakeFeed().view()

    def leads(rule: AlertRule | str, subject: str) -> Place | None:
        found = Alert(id=AlertId(f"{rule}:x"), severity=Severity.CRIT, subject=subject, text="is")
        return alert_place(found, view)

    assert leads(AlertRule.AGENT_DOWN, "agent-14") == Place("agent", "agent-14")
    assert leads(AlertRule.AGENT_DOWN, "agent-99") is None
    assert leads(AlertRule.POOL_EMPTY, "agent-14") == Place("agents", query="pool:agent-14")
    assert leads(AlertRule.DEAD_LETTERS, "dead letters") == Place("dead")
    assert leads(AlertRule.HELD, "agent-14") == Place("tasks", query="state:waiting or state:held")
    assert leads(AlertRule.ENGINE_HOLD, "agent-14") is None
    by_name = {name: leads("of-tomorrow", name) for name in ("agent-14", "t-48100", "gpu", "queue")}
    assert by_name == {
        "agent-14": Place("agent", "agent-14"),
        "t-48100": Place("task", "t-48100"),
        "gpu": Place("agents", query="pool:gpu"),
        "queue": None,
    }


def test_an_agent_is_no_subject_of_an_alert_that_is_about_none() -> None:
    """One may be called ``queue``; what is done to a selected alert must not be done to it."""
    about_queue = Alert(
        id=alert_id(AlertRule.HELD, "tasks"), severity=Severity.WARN, subject="queue", text="waits"
    )
    assert agent_of(about_queue) is None
    of_agents = [agent_of(alert) for alert in seeded_alerts().values()]
    assert agent_name(14) in of_agents


async def test_an_alert_is_as_loud_as_a_line_of_that_level() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "7")
        pane = app.screen.query_one(AlertsListPane)
        for query, found in (("level>=warn", 3), ("level>warn", 1), ("level:crit", 1)):
            assert pane.set_filter(query) is None
            assert len(pane.shown_records) == found, query
    order = sorted(Severity, key=lambda severity: severity.order)
    assert [severity.level for severity in order] == sorted(
        {severity.level for severity in Severity}, reverse=True
    )


async def test_a_message_is_as_loud_as_a_line_of_that_level() -> None:
    app = console()
    async with running(app) as pilot:
        for loudness in Loudness:
            app.tell(f"told as {loudness}", loudness)
        await press(pilot, "at")
        await until(pilot, lambda: bool(app.screen.query(MessagesPane)))
        pane = app.screen.query_one(MessagesPane)
        for query, found in (
            ("level>=warn told", 2),
            ("level:warn", 1),
            ("level<warn told", 1),
        ):
            assert pane.set_filter(query) is None
            assert len(pane.shown_records) == found, query


async def test_messages_are_kept_and_lead_back() -> None:
    app = console()
    async with running(app) as pilot:
        app.tell("agent-14 down", Loudness.ERROR, opens=Place("agent", "agent-14"))
        await press(pilot, "at")
        await until(pilot, lambda: "agent-14 down" in text_of(app))
        await press(pilot, "enter")
        await until(pilot, lambda: shown(app, Place("agent", "agent-14")))
