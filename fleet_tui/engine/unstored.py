"""What an engine learned while its ledger could not be written, kept until it can be committed.

Bounded by nature: one word of each sort for each run that somebody follows or watches, who says
nothing more after a final one, and the newest fleet file.
"""

from enum import Enum, auto

from fleet_tui.core.ids import RunId
from fleet_tui.core.modes import ModeNow
from fleet_tui.core.step import FleetChanged, FleetFileSeen, WordHeard
from fleet_tui.core.tasks.attempts import Word
from fleet_tui.core.tasks.evidence import Running, Unknown
from fleet_tui.engine.dispatch import is_final


class _Sort(Enum):
    """What a word tells that words of another sort after it do not take back."""

    BEGAN = auto()
    LEFT = auto()
    """That it left a checkpoint."""
    LOST = auto()
    END = auto()


def _sort(word: Word) -> _Sort:
    if is_final(word):
        return _Sort.END
    if isinstance(word, Unknown):
        return _Sort.LOST
    has_left = isinstance(word.value, Running) and word.value.checkpoint is not None
    return _Sort.LEFT if has_left else _Sort.BEGAN


class Unstored:
    """A time in which nothing can be stored: since when, why, and what is to be stored after it."""

    def __init__(self, mode: ModeNow) -> None:
        self.mode = mode
        self._words: dict[RunId, dict[_Sort, WordHeard]] = {}
        """Those of a run in the order in which they came."""
        self._fleet: FleetChanged | None = None
        self._file: FleetFileSeen | None = None

    def keep(self, item: WordHeard | FleetChanged | FleetFileSeen) -> None:
        """Take something in. The newest word about a run stands for those of its sort before it,
        and nothing comes after its end."""
        match item:
            case WordHeard(run=run, word=word):
                kept = self._words.setdefault(run, {})
                if _Sort.END not in kept:
                    kept.pop(_sort(word), None)
                    kept[_sort(word)] = item
            case FleetChanged():
                self._fleet, self._file = item, None
            case FleetFileSeen():
                self._file = item

    def items(self) -> list[WordHeard | FleetChanged | FleetFileSeen]:
        """Everything that is kept, in an order in which it can be taken in."""
        later = [item for item in (self._fleet, self._file) if item is not None]
        words = [word for kept in self._words.values() for word in kept.values()]
        return [*words, *later]
