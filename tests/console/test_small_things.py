"""What an operator trips over: cut words, keys that do nothing, news out of sight."""

import msgspec
import pytest

from fleet_tui.console.actions.registry import BY_NAME
from fleet_tui.console.shell.keymap import SHIPPED
from fleet_tui.console.text.document import short
from fleet_tui.console.text.glyphs import UNICODE
from fleet_tui.console.views.routing.pane import RoutingPane
from fleet_tui.console.views.tasks.reasons import reasons
from fleet_tui.console.views.tasks.table import TasksPane
from fleet_tui.console.widgets.fleet_table import FleetTable
from fleet_tui.core.fleet import Strategy
from fleet_tui.core.tasks.model import TaskPhase
from tests.support.console import console, press, running, text_of, until
from tests.support.fake_feed import FakeFeed
from tests.support.scene import agent_name, seeded_state, task_id, with_dead_letters


@pytest.mark.parametrize("width", [80, 120])
async def test_how_to_read_a_pane_is_whole_at_every_width(width: int) -> None:
    app = console()
    async with running(app, (width, 40)) as pilot:
        await press(pilot, "5", "question_mark")
        await until(pilot, lambda: "enter does it" in text_of(app))
        said = " ".join(" ".join(text_of(app).split()).split())
        for sentence in SHIPPED.keyed(RoutingPane.help_text).splitlines():
            assert sentence in said


async def test_problems_only_is_offered_where_something_can_be_one() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "question_mark")
        await until(pilot, lambda: "enter does it" in text_of(app))
        before = text_of(app)
        assert " ! problems" not in before.splitlines()[-1]
        await press(pilot, "exclamation_mark")
        assert "No problems among" not in text_of(app)


async def test_a_narrow_column_keeps_the_sign_of_its_order() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "3")
        await until(pilot, lambda: "PHASE" in text_of(app) or "TASK" in text_of(app))
        screen = app.visible_screen
        assert screen is not None
        table = screen.query_one(FleetTable)
        narrow = min(table._columns, key=lambda column: column.width)
        table.sort_by(narrow.key)
        wanted = {
            f"{narrow.title} {UNICODE.sort_ascending}",
            f"{narrow.title}{UNICODE.sort_ascending}",
        }
        await until(pilot, lambda: any(title in text_of(app) for title in wanted))


async def test_a_table_says_which_of_its_rows_are_on_screen() -> None:
    app = console()
    async with running(app, (80, 18)) as pilot:
        await press(pilot, "2")
        await until(pilot, lambda: "rows 1-14 of 20" in text_of(app))
        await press(pilot, "end")
        await until(pilot, lambda: "rows 7-20 of 20" in text_of(app))
        await press(pilot, "home")
        await until(pilot, lambda: "rows 1-14 of 20" in text_of(app))
        await pilot.resize_terminal(80, 40)
        await until(pilot, lambda: "worst first" in text_of(app) and "of 20" not in text_of(app))


async def test_what_is_worse_above_the_window_is_told() -> None:
    app = console()
    async with running(app, (120, 24)) as pilot:
        await press(pilot, "2", "G")
        await until(pilot, lambda: "worse above" in text_of(app))
        await press(pilot, "g")
        await until(pilot, lambda: "worse above" not in text_of(app))
        assert str(agent_name(14)) in text_of(app)


async def test_what_a_task_is_about_is_told_where_there_is_room() -> None:
    app = console()
    async with running(app, (200, 60)) as pilot:
        await press(pilot, "3")
        await until(pilot, lambda: "REASON" in text_of(app))
        pane = app.screen.query_one(TasksPane)
        first = pane.shown_records[0].task
        said = text_of(app)
        assert "TEXT" in said
        assert short(first.spec.payload)[:30] in said
        pane.table.sort_by("text")

        def texts() -> list[str]:
            return [short(row.task.spec.payload) for row in pane.shown_records]

        await until(pilot, lambda: texts() in (sorted(texts()), sorted(texts(), reverse=True)))


def test_a_turn_says_whose_rule_it_is_and_a_retry_why() -> None:
    task = seeded_state().task(task_id(48_170))
    assert task is not None
    last = task.open_attempt
    assert last is not None
    decision = msgspec.structs.replace(
        last.decision, strategy=Strategy.ROUND_ROBIN, note="turn 2 of 5"
    )
    attempt = msgspec.structs.replace(last, decision=decision)
    first = msgspec.structs.replace(task, attempts=(attempt,))
    assert reasons(first) == ["round-robin: turn 2 of 5"]
    again = msgspec.structs.replace(
        attempt,
        decision=msgspec.structs.replace(decision, note="retry 1 after agent-03: model-error"),
    )
    second = msgspec.structs.replace(task, attempts=(attempt, again))
    assert reasons(second) == ["retry 1 after agent-03: model-error"]


@pytest.mark.parametrize("width", [80, 120, 200])
async def test_what_an_alert_is_about_is_whole(width: int) -> None:
    state = seeded_state()
    one = next(iter(state.alerts.values()))
    alert = msgspec.structs.replace(one, subject="dead letters")
    app = console(FakeFeed(state=msgspec.structs.replace(state, alerts={alert.id: alert})))
    async with running(app, (width, 40)) as pilot:
        await press(pilot, "7")
        await until(pilot, lambda: "dead letters" in text_of(app))


@pytest.mark.parametrize("width", [80, 120, 200])
async def test_what_went_wrong_is_whole(width: int) -> None:
    state = with_dead_letters(seeded_state())
    ended = next(task for task in state.dead_letters.values())
    late = msgspec.structs.replace(
        ended, phase=TaskPhase.EXPIRED, reason="no agent could start it in time", attempts=()
    )
    app = console(FakeFeed(state=msgspec.structs.replace(state, dead_letters={late.id: late})))
    async with running(app, (width, 24)) as pilot:
        await press(pilot, "u")
        await until(pilot, lambda: "expired: no agent could start it in time" in text_of(app))


async def test_help_tells_the_whole_line_where_the_columns_cut_it() -> None:
    app = console()
    async with running(app, (80, 24)) as pilot:
        await press(pilot, "question_mark")
        await until(pilot, lambda: "enter does it" in text_of(app))
        await press(pilot, "g", "j", "j")
        said = " ".join(text_of(app).split())
        assert BY_NAME["tasks"].help in said


async def test_histogram_is_found_in_the_help() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "question_mark")
        await until(pilot, lambda: "enter does it" in text_of(app))
        await press(pilot, "slash", *"histogram", "enter")
        await until(pilot, lambda: "show the histogram" in text_of(app))


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_the_forms_twin_stands_under_its_fields(size: tuple[int, int]) -> None:
    app = console()
    async with running(app, size) as pilot:
        await press(pilot, "T")
        await until(pilot, lambda: "same as" in text_of(app))
        lines = text_of(app).splitlines()
        twin = next(line for line in lines if line.startswith(" same as"))
        field = next(line for line in lines if line.startswith(" labels"))
        assert twin.index("fleet-tui") == field.index("team=")
        asked = next(at for at, line in enumerate(lines) if "What should" in line)
        needs = next(at for at, line in enumerate(lines) if line.startswith(" needs"))
        assert needs - asked <= 26, "the fields stay near what they are about"
