"""Reports received while the ledger could not be written, kept until they can be committed.

Inherently bounded: one report of each kind for each run with a worker or watch, which sends nothing
after a final one, and the newest fleet file.
"""

from enum import Enum, auto

from fleet_tui.core.ids import RunId
from fleet_tui.core.modes import ModeNow
from fleet_tui.core.step import FleetChanged, FleetFileSeen, RunReported
from fleet_tui.core.tasks.attempts import RunReport
from fleet_tui.core.tasks.evidence import Running, Unknown
from fleet_tui.engine.dispatch import is_final


class _Sort(Enum):
    """Kinds of reports that later reports of another kind do not supersede."""

    BEGAN = auto()
    LEFT = auto()
    """That it left a checkpoint."""
    LOST = auto()
    END = auto()


def _sort(report: RunReport) -> _Sort:
    if is_final(report):
        return _Sort.END
    if isinstance(report, Unknown):
        return _Sort.LOST
    has_left = isinstance(report.value, Running) and report.value.checkpoint is not None
    return _Sort.LEFT if has_left else _Sort.BEGAN


class Unstored:
    """A period in which nothing can be stored: since when, why, and what is to be stored
    afterwards."""

    def __init__(self, mode: ModeNow) -> None:
        self.mode = mode
        self._reports: dict[RunId, dict[_Sort, RunReported]] = {}
        """The reports of each run in order of arrival."""
        self._fleet: FleetChanged | None = None
        self._file: FleetFileSeen | None = None

    def keep(self, item: RunReported | FleetChanged | FleetFileSeen) -> None:
        """Keep an input. The newest report about a run replaces earlier ones of its kind, and
        nothing follows its end."""
        match item:
            case RunReported(run=run, report=report):
                kept = self._reports.setdefault(run, {})
                if _Sort.END not in kept:
                    kept.pop(_sort(report), None)
                    kept[_sort(report)] = item
            case FleetChanged():
                self._fleet, self._file = item, None
            case FleetFileSeen():
                self._file = item

    def items(self) -> list[RunReported | FleetChanged | FleetFileSeen]:
        """Everything kept, in an order in which it can be processed."""
        later = [item for item in (self._fleet, self._file) if item is not None]
        reports = [report for kept in self._reports.values() for report in kept.values()]
        return [*reports, *later]
