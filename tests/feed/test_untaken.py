"""Lines that wait for a console: bounded, and what was dropped is told."""

from fleet_tui.core.logs import Level, LogGap, LogLine
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.feed.untaken import Untaken


def line(number: int) -> LogLine:
    return LogLine(
        received_at_ms=1_000 + number, source=None, level=Level.INFO, text=Untrusted(str(number))
    )


def told(untaken: Untaken) -> list[str]:
    return [
        item.text.raw if isinstance(item, LogLine) else f"gap of {item.lines}"
        for item in untaken.take()
    ]


def test_lines_are_taken_once_and_in_order() -> None:
    untaken = Untaken(10)
    untaken.add([line(1), line(2)])
    untaken.add([line(3)])
    assert told(untaken) == ["1", "2", "3"]
    assert told(untaken) == []


def test_the_oldest_make_room_and_are_counted() -> None:
    untaken = Untaken(3)
    for number in range(8):
        untaken.add([line(number)])
    assert told(untaken) == ["gap of 5", "5", "6", "7"]
    untaken.add([line(8)])
    assert told(untaken) == ["8"]


def test_a_gap_stands_where_its_lines_would() -> None:
    untaken = Untaken(1)
    untaken.add([line(1), line(2)])
    gap = untaken.take()[0]
    assert isinstance(gap, LogGap)
    assert gap.received_at_ms == line(2).received_at_ms


def test_what_is_skipped_is_counted_with_what_waited() -> None:
    untaken = Untaken(10)
    untaken.add([line(1)])
    untaken.skip(100)
    untaken.add([line(102)])
    assert told(untaken) == ["gap of 101", "102"]


def test_a_restart_forgets() -> None:
    untaken = Untaken(1)
    untaken.add([line(1), line(2)])
    untaken.restart([line(7)])
    assert told(untaken) == ["7"]
