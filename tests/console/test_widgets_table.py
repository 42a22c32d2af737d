"""The live table: what it shows, where the cursor stays, what it tells, what it repaints."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual.geometry import Region

from fleet_tui.console.text.cells import Align, Cell, Tone
from fleet_tui.console.widgets.columns import Column, Row, place_columns
from fleet_tui.console.widgets.fleet_table import FleetTable
from tests.support import payloads
from tests.support.screens import Bench, screen_lines, settle

COLUMNS = (
    Column("state", "STATE", 6, priority=90),
    Column("agent", "AGENT", 8, flex=1, priority=100),
    Column("p95", "P95", 6, Align.RIGHT, priority=10),
)


def row(name: str, state: str = "up", p95: str = "1.8s") -> Row:
    return Row(name, (Cell(state, Tone.OK), Cell(name), Cell(p95)))


def rows(*names: str) -> list[Row]:
    return [row(name) for name in names]


class Counting(FleetTable):
    """A table that notes what it repaints."""

    def on_mount(self) -> None:
        self.painted: list[int | None] = []
        self.widths: list[int] = []

    def refresh(self, *regions: Region, **options: bool) -> "Counting":
        if hasattr(self, "painted"):
            self.painted += [region.y for region in regions] if regions else [None]
            self.widths = [region.width for region in regions]
        super().refresh(*regions, **options)
        return self


class TableBench(Bench):
    def on_fleet_table_row_opened(self, message: FleetTable.RowOpened) -> None:
        self.heard.append(message)

    def on_fleet_table_row_highlighted(self, message: FleetTable.RowHighlighted) -> None:
        self.heard.append(message)

    def on_fleet_table_sort_changed(self, message: FleetTable.SortChanged) -> None:
        self.heard.append(message)

    def on_fleet_table_marks_changed(self, message: FleetTable.MarksChanged) -> None:
        self.heard.append(message)


def cursor(table: FleetTable) -> str | None:
    """Asked anew each time, as a checker cannot know."""
    return table.cursor_id


def marks(table: FleetTable) -> set[str]:
    return set(table.marks)


def bench(hold_ms: int = 0, empty: str = "") -> tuple[TableBench, Counting]:
    table = Counting(COLUMNS, hold_ms=hold_ms, empty=empty)
    return TableBench(table), table


async def test_header_rows_and_tail() -> None:
    app, table = bench()
    async with app.run_test(size=(30, 6)) as pilot:
        table.set_sort("p95", True)
        table.show(rows("a-1", "a-2"), tail=(Cell("13 more - all up", Tone.DIM),))
        await settle(pilot)
        assert screen_lines(app) == [
            "STATE  AGENT             P95 ▾",
            "up     a-1                1.8s",
            "up     a-2                1.8s",
            "13 more - all up",
            "",
            "",
        ]


async def test_an_empty_table_says_why() -> None:
    app, table = bench(empty="0 of 20 match pool:gpx")
    async with app.run_test(size=(40, 4)) as pilot:
        table.show([])
        await settle(pilot)
        assert screen_lines(app)[1] == "0 of 20 match pool:gpx"
        assert cursor(table) is None
        await pilot.press("j", "enter", "space", "asterisk", "v", "G")
        assert not app.heard
        table.set_empty("No agents yet")
        await settle(pilot)
        assert screen_lines(app)[1] == "No agents yet"


async def test_keys_move_and_open() -> None:
    app, table = bench()
    async with app.run_test(size=(30, 6)) as pilot:
        table.focus()
        table.show(rows(*[f"a-{at:02d}" for at in range(20)]))
        await settle(pilot)
        seen = []
        for key in ("j", "down", "k", "G", "g", "pagedown", "ctrl+d", "ctrl+u", "pageup", "end"):
            await pilot.press(key)
            seen.append(table.cursor_id)
        assert seen == [
            "a-01",
            "a-02",
            "a-01",
            "a-19",
            "a-00",
            "a-04",
            "a-06",
            "a-04",
            "a-00",
            "a-19",
        ]
        assert screen_lines(app)[-1].split() == ["up", "a-19", "1.8s"]
        await pilot.press("enter")
        await settle(pilot)
        opened = app.kinds(FleetTable.RowOpened)
        assert [message.row_id for message in opened] == ["a-19"]
        assert len(app.kinds(FleetTable.RowHighlighted)) == 10 + 1


MANY = [f"a-{at:02d}" for at in range(20)]
LATER = [f"b-{at:02d}" for at in range(20)]
HELD_MS = 60_000


async def test_the_last_row_can_be_asked_for_before_there_are_any() -> None:
    app, table = bench(hold_ms=HELD_MS)
    async with app.run_test(size=(30, 6)) as pilot:
        table.focus()
        await pilot.press("G")
        table.show([])
        table.show(rows(*MANY), tail=(Cell("no more"),))
        await settle(pilot)
        assert cursor(table) == "a-19"
        assert screen_lines(app)[-1] == "no more"
        highlighted = app.kinds(FleetTable.RowHighlighted)
        assert highlighted[-1].row_id == "a-19"


async def test_the_last_row_is_the_one_of_rows_that_come_at_the_end_a_moment_later() -> None:
    app, table = bench(hold_ms=HELD_MS)
    async with app.run_test(size=(30, 6)) as pilot:
        table.focus()
        table.show(rows(*MANY))
        await pilot.press("G")
        table.show(rows(*MANY, *LATER), tail=(Cell("no more"),))
        await settle(pilot)
        assert cursor(table) == "b-19"
        assert screen_lines(app)[-1] == "no more"
        table._release()
        table.show(rows(*MANY, *LATER, "c"))
        assert cursor(table) == "b-19", "what comes long after that is not meant"


async def test_rows_that_change_places_do_not_take_the_cursor_off_the_last_row() -> None:
    app, table = bench(hold_ms=HELD_MS)
    async with app.run_test(size=(30, 8)) as pilot:
        table.focus()
        table.show(rows("a", "b", "c"))
        await pilot.press("G")
        table.show(rows("c", "a", "b", "d"))
        assert cursor(table) == "c"
        table.show(rows("a", "new", "b", "c"))
        assert cursor(table) == "c"
        table._release()
        assert cursor(table) == "c"
        await settle(pilot)


@pytest.mark.parametrize("key", ["g", "k", "home"])
async def test_another_movement_takes_the_wish_for_the_last_row_back(key: str) -> None:
    app, table = bench(hold_ms=HELD_MS)
    async with app.run_test(size=(30, 6)) as pilot:
        table.focus()
        await pilot.press("G", key)
        table.show(rows(*MANY))
        assert cursor(table) == "a-00"
        await pilot.press("G", key)
        before = cursor(table)
        table.show(rows(*MANY, *LATER))
        assert cursor(table) == before
        await settle(pilot)


async def test_the_cursor_stays_with_its_row_and_its_line() -> None:
    app, table = bench()
    async with app.run_test(size=(30, 6)) as pilot:
        table.focus()
        table.show(rows(*[f"a-{at:02d}" for at in range(20)]))
        table.move_to("a-10")
        await settle(pilot)
        line = next(y for y, text in enumerate(screen_lines(app)) if "a-10" in text)
        table.show(rows("new-1", "new-2", *[f"a-{at:02d}" for at in range(20)]))
        await settle(pilot)
        assert cursor(table) == "a-10"
        assert "a-10" in screen_lines(app)[line]


async def test_when_its_row_goes_the_cursor_stays_in_place() -> None:
    app, table = bench()
    async with app.run_test(size=(30, 6)) as pilot:
        table.show(rows("a", "b", "c"))
        table.move_to("b")
        table.show(rows("a", "c"))
        assert cursor(table) == "c"
        table.show(rows("a"))
        assert cursor(table) == "a"
        table.show([])
        assert cursor(table) is None
        await settle(pilot)


async def test_rows_do_not_move_while_the_operator_moves() -> None:
    app, table = bench(hold_ms=60_000)
    async with app.run_test(size=(30, 8)) as pilot:
        table.focus()
        table.show(rows("a", "b", "c"))
        await pilot.press("j")
        table.show([row("new"), row("c", "down"), row("b"), row("a")])
        await settle(pilot)
        shown = [line.split()[:2] for line in screen_lines(app)[1:5]]
        assert shown == [["up", "a"], ["up", "b"], ["down", "c"], ["up", "new"]]
        table.sort_by("agent")
        await settle(pilot)
        names = [line.split()[1] for line in screen_lines(app)[1:5]]
        assert names == ["new", "c", "b", "a"]
        assert cursor(table) == "b"


async def test_the_order_is_taken_up_when_the_operator_rests() -> None:
    app, table = bench(hold_ms=1)
    async with app.run_test(size=(30, 8)) as pilot:
        table.focus()
        table.show(rows("a", "b"))
        await pilot.press("j")
        table.show(rows("b", "a"))
        await pilot.pause(0.05)
        await settle(pilot)
        assert [line.split()[1] for line in screen_lines(app)[1:3]] == ["b", "a"]


async def test_marks() -> None:
    app, table = bench()
    async with app.run_test(size=(30, 8)) as pilot:
        table.focus()
        table.show(rows("a", "b", "c", "d"))
        await pilot.press("space")
        assert marks(table) == {"a"}
        assert cursor(table) == "b"
        await pilot.press("v", "j", "j", "v", "k")
        assert marks(table) == {"a", "b", "c", "d"}
        await pilot.press("space")
        assert marks(table) == {"a", "b", "d"}
        assert table.selected_ids == ("a", "b", "d")
        table.show(rows("a", "c", "d"))
        assert marks(table) == {"a", "d"}
        await pilot.press("asterisk")
        assert marks(table) == {"a", "c", "d"}
        await pilot.press("asterisk")
        assert marks(table) == set()
        assert list(table.selected_ids) == [cursor(table)]
        await pilot.press("space")
        assert table.clear_marks()
        assert not table.clear_marks()
        await settle(pilot)
        told = [message.marks for message in app.kinds(FleetTable.MarksChanged)]
        assert told[0] == {"a"}
        assert told[-1] == set()


async def test_the_mouse_sorts_chooses_opens_and_scrolls() -> None:
    app, table = bench()
    async with app.run_test(size=(30, 6)) as pilot:
        table.show(rows(*[f"a-{at:02d}" for at in range(20)]))
        await settle(pilot)
        await pilot.click(table, offset=(28, 0))
        await pilot.click(table, offset=(28, 0))
        await pilot.click(table, offset=(8, 0))
        asked = [(m.key, m.descending) for m in app.kinds(FleetTable.SortChanged)]
        assert asked == [("p95", False), ("p95", True), ("agent", False)]
        await pilot.click(table, offset=(3, 3))
        assert cursor(table) == "a-02"
        await pilot.double_click(table, offset=(3, 4))
        await settle(pilot)
        assert [m.row_id for m in app.kinds(FleetTable.RowOpened)] == ["a-03"]
        await pilot._post_mouse_events([events.MouseScrollDown], table)
        await settle(pilot)
        assert table.top == 3


async def test_sorting_by_keys_goes_through_the_columns() -> None:
    app, table = bench()
    async with app.run_test(size=(30, 6)) as pilot:
        table.focus()
        table.show(rows("a"))
        for key in ("greater_than_sign", "greater_than_sign", "less_than_sign", "less_than_sign"):
            await pilot.press(key)
        await settle(pilot)
        asked = [m.key for m in app.kinds(FleetTable.SortChanged)]
        assert asked == ["state", "agent", "state", "p95"]


async def test_only_lines_that_changed_are_repainted() -> None:
    app, table = bench()
    async with app.run_test(size=(30, 12)) as pilot:
        before = [row(f"a-{at:02d}") for at in range(10)]
        table.show(before)
        await settle(pilot)
        table.painted.clear()
        table.show([row(f"a-{at:02d}") for at in range(10)])
        assert table.painted == []
        after = [*before]
        after[4] = row("a-04", "down")
        table.show(after)
        assert table.painted == [5]
        assert table.widths == [6]
        await settle(pilot)
        assert screen_lines(app)[5].startswith("down   a-04")
        table.painted.clear()
        table.show(after, tail=(Cell("tail"),))
        assert table.painted == [11]


async def test_rows_outside_the_window_cost_nothing() -> None:
    app, table = bench()
    async with app.run_test(size=(30, 6)) as pilot:
        table.show(rows(*[f"a-{at:03d}" for at in range(500)]))
        await settle(pilot)
        table.painted.clear()
        table.show([row(f"a-{at:03d}", "up" if at < 5 else "down") for at in range(500)])
        assert table.painted == []


async def test_whatever_is_in_a_cell_is_only_text() -> None:
    app, table = bench()
    async with app.run_test(size=(200, 100)) as pilot:
        table.show(
            [
                Row(str(at), (Cell("x"), Cell(text), Cell("")))
                for at, text in enumerate(payloads.ALL)
            ]
        )
        await settle(pilot)
        shown = "".join(screen_lines(app))
        assert shown.isprintable()
        for markup in payloads.MARKUP:
            assert markup in shown
        for at in range(0, 90, 5):
            await pilot.click(table, offset=(10, at))
        assert app.is_running


async def test_a_narrow_table_drops_its_least_columns() -> None:
    app, table = bench()
    async with app.run_test(size=(16, 4)) as pilot:
        table.show(rows("a-1"))
        await settle(pilot)
        assert screen_lines(app)[0] == "STATE  AGENT"
        await pilot.resize_terminal(9, 4)
        await settle(pilot)
        assert screen_lines(app)[0] == "AGENT"
        await pilot.resize_terminal(40, 4)
        await settle(pilot)
        assert screen_lines(app)[0].split() == ["STATE", "AGENT", "P95"]


@given(
    st.lists(
        st.builds(
            Column,
            st.text(max_size=3),
            st.just("T"),
            st.integers(1, 20),
            flex=st.integers(0, 3),
            priority=st.integers(0, 5),
        ),
        min_size=1,
        max_size=10,
    ),
    st.integers(0, 200),
)
def test_columns_never_overlap_nor_leave_the_table(columns: list[Column], width: int) -> None:
    placed = place_columns(columns, width)
    assert placed
    end = -1
    for column in placed:
        assert column.x == end + 1
        end = column.x + column.width
    assert end <= max(width, 0)
    dropped = [c for at, c in enumerate(columns) if at not in {p.position for p in placed}]
    least = min(p.column.priority for p in placed)
    assert all(column.priority <= least for column in dropped)


async def test_ids_must_be_unique() -> None:
    app, table = bench()
    async with app.run_test(size=(30, 6)):
        with pytest.raises(AssertionError, match="unique"):
            table.show(rows("a", "a"))
