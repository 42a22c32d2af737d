"""How many retries the fleet may start now, so that retries never become the load.

The idea of a budget as a share of first requests with a floor is that of Finagle's ``RetryBudget``
(Twitter, 2016).
"""

from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.model import Starts

WINDOW_S = 60


def counted(starts: tuple[Starts, ...], at_ms: int, *, retry: bool) -> tuple[Starts, ...]:
    """The placements of the last minute with one more."""
    second = at_ms // 1_000
    first, retries = (0, 1) if retry else (1, 0)
    if starts and starts[-1].second >= second:  # the wall clock may have run backwards
        last = starts[-1]
        now = Starts(last.second, last.first + first, last.retries + retries)
        return (*starts[:-1], now)
    kept = [s for s in starts if s.second > second - WINDOW_S]
    return (*kept, Starts(second, first, retries))


def retry_allowance(state: FleetState, now_ms: int) -> int:
    """Retries that may be started at this instant."""
    oldest = now_ms // 1_000 - WINDOW_S
    recent = [s for s in state.recent_starts if s.second > oldest]
    budget = state.fleet.retry_budget
    share = sum(s.first for s in recent) * budget.percent // 100
    return max(share, budget.floor) - sum(s.retries for s in recent)
