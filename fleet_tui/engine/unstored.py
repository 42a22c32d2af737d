"""What an engine learned while its disk was full, kept until it can be committed.

Bounded by nature: one word for each open run, whose worker says nothing more after a final one, and
the newest fleet file.
"""

from fleet_tui.core.ids import RunId
from fleet_tui.core.modes import ModeNow
from fleet_tui.engine.dispatch import is_final
from fleet_tui.engine.inbox import FleetChanged, FleetFileSeen, WordHeard


class Unstored:
    """A full disk's time: since when, and what is to be stored after it."""

    def __init__(self, mode: ModeNow) -> None:
        self.mode = mode
        self._words: dict[RunId, WordHeard] = {}
        self._fleet: FleetChanged | None = None
        self._file: FleetFileSeen | None = None

    def keep(self, item: WordHeard | FleetChanged | FleetFileSeen) -> None:
        """Take something in. The newest word about a run stands for all before it, except that
        nothing replaces its end."""
        match item:
            case WordHeard(run=run):
                before = self._words.get(run)
                if before is None or not is_final(before.word):
                    self._words[run] = item
            case FleetChanged():
                self._fleet, self._file = item, None
            case FleetFileSeen():
                self._file = item

    def items(self) -> list[WordHeard | FleetChanged | FleetFileSeen]:
        """Everything that is kept, in an order in which it can be taken in."""
        later = [item for item in (self._fleet, self._file) if item is not None]
        return [*self._words.values(), *later]
