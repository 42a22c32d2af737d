"""The log window: follows, stands still, finds, wraps, forgets the oldest."""

import pytest
from textual import events
from textual.geometry import Offset
from textual.selection import SELECT_ALL, Selection

from fleet_tui.console.widgets.log_view import LogEntry, LogView, log_cells
from fleet_tui.core.ids import AgentName, TaskId
from fleet_tui.core.logs import Level, LogGap, LogLine
from fleet_tui.core.text.filters.filter import Filter, parse
from fleet_tui.core.text.untrusted import Untrusted
from tests.support import payloads
from tests.support.screens import Bench, screen_lines, settle


def line(number: int, level: Level = Level.INFO, text: str = "") -> LogLine:
    return LogLine(
        received_at_ms=number * 1_000,
        source=AgentName("agent-01"),
        level=level,
        text=Untrusted(text or f"line {number}"),
    )


def lines(first: int, end: int) -> list[LogEntry]:
    return [line(number) for number in range(first, end)]


def wanted(text: str) -> Filter:
    found = parse(text, now_ms=0, keys=("agent", "level", "task"))
    assert isinstance(found, Filter)
    return found


class LogBench(Bench):
    def on_log_view_follow_changed(self, message: LogView.FollowChanged) -> None:
        self.heard.append(message)


def bench(max_lines: int = 1_000) -> tuple[LogBench, LogView]:
    view = LogView(max_lines=max_lines, frame_ms=1, empty="No logs yet")
    return LogBench(view), view


def said(app: Bench) -> list[str]:
    """The texts on screen without their gutter."""
    return [text[37:] for text in screen_lines(app)]


def following(view: LogView) -> bool:
    return view.is_following


def current(view: LogView) -> str:
    entry = view.current
    return entry.text.raw if isinstance(entry, LogLine) else ""


def test_how_a_line_is_told() -> None:
    told = LogLine(
        received_at_ms=43_468_310,
        source=None,
        level=Level.ERROR,
        text=Untrusted("held \x1b[31m [/x]"),
        task=TaskId("t-48205"),
    )
    text = "".join(cell.text for cell in log_cells(told))
    assert text == "12:04:28.310 ERROR fleet    t-48205  held ␛[31m [/x]"
    gap = LogGap(received_at_ms=0, source=AgentName("a"), reason="flood", lines=1_200, bytes=90_000)
    assert "1 200 lines lost (90 000 bytes): flood" in log_cells(gap)[-1].text
    unknown = LogGap(received_at_ms=0, source=None, reason="cut")
    assert "lines lost: cut" in log_cells(unknown)[-1].text


def test_a_line_cannot_write_into_the_gutter() -> None:
    liar = log_cells(line(0, text="\r\x1b[1G12:00:00.000 INFO  agent-02 up"))
    assert "".join(cell.text for cell in liar[:-1]) == "00:00:00.000 INFO  agent-01 -        "


async def test_it_follows_the_newest() -> None:
    app, view = bench()
    async with app.run_test(size=(60, 4)) as pilot:
        assert screen_lines(app)[0] == "No logs yet"
        view.append(lines(0, 2))
        await settle(pilot)
        assert said(app) == ["line 0", "line 1", "", ""]
        view.append(lines(2, 50))
        await settle(pilot)
        await pilot.pause(0.02)
        assert said(app) == ["line 46", "line 47", "line 48", "line 49"]


async def test_looking_back_stops_it_and_nothing_moves() -> None:
    app, view = bench()
    async with app.run_test(size=(60, 4)) as pilot:
        view.focus()
        view.append(lines(0, 50))
        await settle(pilot)
        await pilot.press("k")
        assert not following(view)
        assert current(view) == "line 48"
        before = said(app)
        view.append(lines(50, 290))
        await pilot.pause(0.02)
        await settle(pilot)
        assert said(app)[:3] == before[:3]
        assert screen_lines(app)[3].endswith(" 240 new lines")
        assert view.unseen_count == 240
        await pilot.press("G")
        await settle(pilot)
        assert following(view)
        assert said(app)[-1] == "line 289"
        assert [m.following for m in app.kinds(LogView.FollowChanged)] == [False, True]


async def test_keys_move_and_reaching_the_end_follows() -> None:
    app, view = bench()
    async with app.run_test(size=(60, 5)) as pilot:
        view.focus()
        view.append(lines(0, 50))
        await settle(pilot)
        await pilot.press("g")
        assert current(view) == "line 0"
        assert said(app)[0] == "line 0"
        seen = []
        for key in ("j", "down", "pagedown", "ctrl+d", "ctrl+u", "pageup", "k"):
            await pilot.press(key)
            seen.append(current(view))
        assert seen == ["line 1", "line 2", "line 6", "line 8", "line 6", "line 2", "line 1"]
        for _ in range(20):
            await pilot.press("pagedown")
        assert following(view)
        await pilot.press("f")
        assert not following(view)
        await pilot.press("f")
        assert following(view)


async def test_errors_and_matches_are_found() -> None:
    app, view = bench()
    async with app.run_test(size=(60, 4)) as pilot:
        view.focus()
        view.append([line(n, Level.ERROR if n in (10, 30) else Level.INFO) for n in range(50)])
        await settle(pilot)
        await pilot.press("E")
        assert current(view) == "line 30"
        assert "line 30" in said(app)
        await pilot.press("E")
        assert current(view) == "line 10"
        await pilot.press("E")
        assert current(view) == "line 10"
        await pilot.press("e")
        assert current(view) == "line 30"
        view.set_filter(wanted("7"), hide=False)
        await pilot.press("n")
        assert current(view) == "line 37"
        await pilot.press("N", "N")
        assert current(view) == "line 17"
        assert view.hidden_count == 0


async def test_a_filter_hides_and_counts() -> None:
    app, view = bench()
    async with app.run_test(size=(60, 4)) as pilot:
        view.focus()
        view.append([line(n, Level.WARN if n % 10 == 0 else Level.INFO) for n in range(50)])
        view.set_filter(wanted("level>=warn"))
        await settle(pilot)
        assert said(app) == ["line 10", "line 20", "line 30", "line 40"]
        assert (view.line_count, view.hidden_count) == (5, 45)
        view.append([line(60, Level.ERROR), line(61)])
        await pilot.pause(0.02)
        await settle(pilot)
        assert said(app)[-1] == "line 60"
        await pilot.press("k", "k")
        assert current(view) == "line 30"
        view.set_filter(None)
        await settle(pilot)
        assert view.hidden_count == 0
        assert current(view) == "line 30"
        view.set_filter(wanted("nothing"))
        view.set_empty("0 of 52 match")
        await settle(pilot)
        assert screen_lines(app)[0] == "0 of 52 match"


async def test_what_was_found_stands_out() -> None:
    app, view = bench()
    async with app.run_test(size=(60, 4)) as pilot:
        view.append([line(1, text="a needle [in] hay")])
        view.set_filter(wanted("needle [in]"), hide=False)
        await settle(pilot)
        bold = [part.text for part in view.render_line(0) if part.style and part.style.underline]
        assert bold == ["needle", "[in]"]


async def test_the_oldest_are_forgotten_and_the_window_stays() -> None:
    app, view = bench(max_lines=100)
    async with app.run_test(size=(60, 4)) as pilot:
        view.focus()
        view.append(lines(0, 100))
        await settle(pilot)
        view.go_to(90)
        await settle(pilot)
        before = said(app)
        view.append(lines(100, 130))
        await pilot.pause(0.02)
        await settle(pilot)
        assert view.line_count == 100
        assert said(app)[:3] == before[:3]
        assert current(view) == "line 90"
        view.append(lines(130, 1_000))
        await pilot.pause(0.02)
        await settle(pilot)
        assert view.line_count <= 125
        assert current(view) == said(app)[0]
        view.set_filter(wanted("line"))
        view.append(lines(1_000, 3_000))
        await settle(pilot)
        assert view.line_count <= 125


async def test_wrapping_and_scrolling_sideways() -> None:
    app, view = bench()
    async with app.run_test(size=(60, 4)) as pilot:
        view.focus()
        text = "0123456789" * 5
        view.append([line(1, text=text)])
        await settle(pilot)
        assert said(app) == [text[:23], "", "", ""]
        await pilot.press("right")
        assert screen_lines(app)[0].endswith(text[:31])
        await pilot.press("left", "left", "w")
        await settle(pilot)
        assert screen_lines(app)[:2] == [
            "00:00:01.000 INFO  agent-01 -        " + text[:23],
            text[23:],
        ]
        await pilot.press("w")
        await settle(pilot)
        assert screen_lines(app)[1] == ""


async def test_wide_characters_survive_wrapping() -> None:
    app, view = bench()
    async with app.run_test(size=(40, 8)) as pilot:
        view.focus()
        view.append([line(1, text="x" + "漢" * 30)])
        await pilot.press("w")
        await settle(pilot)
        assert "".join(screen_lines(app)).count("漢") == 30


async def test_another_scope_replaces_everything() -> None:
    app, view = bench()
    async with app.run_test(size=(60, 4)) as pilot:
        view.focus()
        view.append(lines(0, 50))
        await pilot.press("g")
        view.replace(lines(100, 102))
        await settle(pilot)
        assert said(app) == ["line 100", "line 101", "", ""]
        assert following(view)
        view.replace([])
        await settle(pilot)
        assert screen_lines(app)[0] == "No logs yet"


async def test_the_mouse_scrolls_and_chooses() -> None:
    app, view = bench()
    async with app.run_test(size=(60, 4)) as pilot:
        view.append(lines(0, 50))
        await settle(pilot)
        await pilot._post_mouse_events([events.MouseScrollUp], view)
        await settle(pilot)
        assert said(app)[0] == "line 43"
        assert not following(view)
        await pilot.click(view, offset=(3, 1))
        await settle(pilot)
        assert current(view) == "line 44"
        for _ in range(3):
            await pilot._post_mouse_events([events.MouseScrollDown], view)
        await settle(pilot)
        assert following(view)


async def test_text_can_be_selected_for_copying() -> None:
    app, view = bench()
    async with app.run_test(size=(60, 4)) as pilot:
        view.append(lines(0, 5))
        await settle(pilot)
        part = view.get_selection(Selection(Offset(37, 1), Offset(41, 2)))
        assert part == ("line 1\n00:00:02.000 INFO  agent-01 -        line", "\n")
        everything = view.get_selection(SELECT_ALL)
        assert everything is not None
        assert everything[0].count("\n") == 4
        app.screen.selections = {view: Selection(Offset(0, 1), Offset(5, 1))}
        await settle(pilot)
        assert view.text_selection is not None
        assert app.screen.get_selected_text() == "00:00"
        assert len(list(view.render_line(0))) > len(list(view.render_line(1)))


async def test_a_double_click_selects_one_line() -> None:
    app, view = bench()
    async with app.run_test(size=(60, 4)) as pilot:
        view.append(lines(0, 5))
        await settle(pilot)
        await pilot.double_click(view, offset=(40, 1))
        await settle(pilot)
        assert app.screen.get_selected_text() == "00:00:02.000 INFO  agent-01 -        line 2"


@pytest.mark.parametrize("wrap", [False, True])
async def test_whatever_an_agent_says_is_only_text(wrap: bool) -> None:
    app, view = bench()
    async with app.run_test(size=(160, 100)) as pilot:
        view.focus()
        view.append([line(0, text=text) for text in payloads.ALL])
        if wrap:
            await pilot.press("w")
        await settle(pilot)
        shown = "".join(screen_lines(app))
        assert shown.isprintable()
        for markup in payloads.MARKUP:
            assert markup in shown
        for y in range(0, 80, 4):
            await pilot.click(view, offset=(40, y))
        assert app.is_running


async def test_many_small_appends_paint_rarely() -> None:
    painted = 0

    def describe(entry: LogEntry) -> tuple[object, ...]:
        nonlocal painted
        painted += 1
        return log_cells(entry)

    view = LogView(describe=describe, frame_ms=60_000)  # type: ignore[arg-type]  # counts, then does the same
    app = LogBench(view)
    async with app.run_test(size=(60, 4)) as pilot:
        await settle(pilot)
        painted = 0
        for number in range(1_000):
            view.append([line(number)])
            if number % 100 == 0:
                await pilot.pause()
        assert painted <= 8
