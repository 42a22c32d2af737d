"""Time without the wall clock's jumps."""

import pytest

from fleet_tui.engine.clock import SLEW, SteadyClock, WallClock


class Hands:
    """A wall clock and a stopwatch that tests turn."""

    def __init__(self) -> None:
        self.wall_ms = 1_000_000
        self.elapsed_s = 50.0

    def now_ms(self) -> int:
        return self.wall_ms

    def stopwatch(self) -> float:
        return self.elapsed_s

    def go_on(self, seconds: float) -> None:
        self.elapsed_s += seconds
        self.wall_ms += round(seconds * 1_000)


def test_it_goes_with_the_wall() -> None:
    hands = Hands()
    clock = SteadyClock(hands, hands.stopwatch)
    for _ in range(100):
        hands.go_on(0.25)
        assert clock.now_ms() == hands.wall_ms


@pytest.mark.parametrize("jump_ms", [-600_000, 600_000, -86_400_000])
def test_a_wall_that_jumps_neither_ends_a_deadline_nor_makes_it_last(jump_ms: int) -> None:
    hands = Hands()
    clock = SteadyClock(hands, hands.stopwatch)
    began_ms = before_ms = clock.now_ms()
    hands.wall_ms += jump_ms
    for _ in range(240):
        hands.go_on(0.25)
        assert clock.now_ms() > before_ms
        before_ms = clock.now_ms()
    assert 60_000 * (1 - SLEW) - 2 <= before_ms - began_ms <= 60_000 * (1 + SLEW) + 2


def test_it_catches_up_with_the_wall_in_the_end() -> None:
    hands = Hands()
    clock = SteadyClock(hands, hands.stopwatch)
    hands.wall_ms -= 60_000
    for _ in range(25):
        hands.go_on(60)
        clock.now_ms()
    assert clock.now_ms() == hands.wall_ms


def test_it_does_not_begin_before_what_the_ledger_has_seen() -> None:
    hands = Hands()
    clock = SteadyClock(hands, hands.stopwatch, not_before_ms=2_000_000)
    assert clock.now_ms() == 2_000_000
    hands.go_on(1)
    assert 2_000_000 < clock.now_ms() < 2_001_000


def test_the_machines_own_clocks_serve() -> None:
    clock = SteadyClock(WallClock())
    assert abs(clock.now_ms() - WallClock().now_ms()) < 60_000
