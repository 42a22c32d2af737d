from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from fleet_tui.console.shell.timeline import (
    MARKS,
    BandView,
    band_lines,
    bar_width,
    instant,
    parse_moment,
    place,
)
from fleet_tui.console.text.glyphs import ASCII
from fleet_tui.feed.marks import Mark
from tests.support.scene import NOW_MS

HALF_HOUR = 34 * 60_000
MOMENT = BandView(
    NOW_MS - HALF_HOUR,
    NOW_MS,
    NOW_MS - 381_000,
    depth=(0, 0, 0, 1, 3, 8, 20, 30, 40, 30, 10, 4, 2, 1, 0, 0, 0),
    marks=((NOW_MS - 1_000_000, Mark.ALERT), (NOW_MS - 600_000, Mark.HEALTH)),
    speed=4.0,
)


def text(line: tuple[object, ...]) -> str:
    return "".join(getattr(cell, "text", "") for cell in line)


def test_the_band_shows_curve_marks_cursor_and_where_you_are() -> None:
    bar, legend = map(text, band_lines(MOMENT, 80))
    assert bar.startswith(" 11:30 ─")
    assert bar.endswith("─ 12:04 ")
    assert "█" in bar
    assert bar.count("▼") == 1
    assert bar.count("◆") == 1
    cursor = bar.index("│")
    here = legend.index("you are here")
    assert here <= cursor < here + len("you are here")
    assert "▼ alert" in legend
    assert "◆ health" in legend


def test_every_mark_has_a_sign_a_letter_and_a_place_of_its_own() -> None:
    assert set(MARKS) == set(Mark)
    for field in ("word", "sign", "ascii", "rank"):
        assert len({getattr(drawn, field) for drawn in MARKS.values()}) == len(Mark)
    moment = MOMENT._replace(marks=tuple((NOW_MS - 60_000 * n, m) for n, m in enumerate(Mark, 1)))
    bar, legend = map(text, band_lines(moment, 200))
    for drawn in MARKS.values():
        assert drawn.sign in bar
        assert f"{drawn.sign} {drawn.word}" in legend


def test_ascii_terminals_get_letters() -> None:
    bar, _ = map(text, band_lines(MOMENT, 80, ASCII))
    assert bar.isascii()
    assert "A" in bar
    assert "H" in bar


@given(st.integers(0, 220), st.integers(-10_000, HALF_HOUR + 10_000))
def test_the_band_never_leaves_its_width(width: int, at_ms: int) -> None:
    moment = MOMENT._replace(at_ms=MOMENT.start_ms + at_ms)
    for line in band_lines(moment, width):
        assert sum(cell_len(cell.text) for cell in line) <= max(width, 16)


def test_a_recording_of_one_instant_can_be_drawn() -> None:
    moment = BandView(NOW_MS, NOW_MS, NOW_MS, marks=((NOW_MS, Mark.ENGINE),))
    assert "│" in text(band_lines(moment, 60)[0])


@given(st.integers(2, 200), st.data())
def test_a_click_goes_to_where_it_is_drawn(width: int, data: st.DataObject) -> None:
    x = data.draw(st.integers(0, width - 1))
    assert place(instant(x, MOMENT, width), MOMENT, width) == x


def test_the_bar_leaves_room_for_two_times() -> None:
    assert bar_width(80) == 66
    assert bar_width(3) == 0


def test_times_are_understood_as_people_type_them() -> None:
    second = MOMENT.at_ms - 400
    assert parse_moment("11:58:10", MOMENT) == second
    assert parse_moment(" 13:58:10 ", MOMENT, offset_minutes=120) == second
    assert parse_moment("11:31", MOMENT) == NOW_MS // 60_000 * 60_000 - 33 * 60_000
    assert parse_moment("-5m", MOMENT) == MOMENT.at_ms - 300_000
    assert parse_moment("+30s", MOMENT) == MOMENT.at_ms + 30_000
    assert parse_moment("+5h", MOMENT) == MOMENT.end_ms
    assert parse_moment("start", MOMENT) == MOMENT.start_ms
    assert parse_moment("END", MOMENT) == MOMENT.end_ms
    assert parse_moment("11:30", MOMENT) == MOMENT.start_ms, "the minute it began in"


def test_what_is_not_a_time_in_the_recording_is_explained() -> None:
    for wrong in ("", "soon", "5m", "25:00", "\x1b[2J"):
        found = parse_moment(wrong, MOMENT)
        assert isinstance(found, str)
        assert found.startswith("not a time: ")
        assert found.isprintable()
    outside = parse_moment("09:00", MOMENT)
    assert outside == "outside the recording: 2026-03-05 11:30:31 to 12:04:31"
