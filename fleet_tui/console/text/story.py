"""Events as lines of a screen: task stories, health timelines. The words are the ledger's own."""

from fleet_tui.console.text.cells import Cell, Tone
from fleet_tui.console.text.document import DetailLine, Pen, Target, line, short
from fleet_tui.console.text.looks import level_tone
from fleet_tui.core.agents.events import HealthChanged
from fleet_tui.core.agents.model import Health
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.ledger.narrate import narrate
from fleet_tui.core.ledger.sentence import Sentence
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.events import TaskPlaced


def story_line(recorded: Recorded, state: FleetState, pen: Pen) -> DetailLine | None:
    """``12:04:29 t-7 -> agent-09 by load-aware  #812``, the place in the ledger last.

    None for events of no interest to an operator.
    """
    sentence = narrate(recorded.event, state)
    if sentence is None:
        return None
    cells = [Cell(f"{pen.clock(recorded.at_ms)} ", Tone.DIM),
             Cell(short(sentence.text), _tone(recorded, sentence))]  # fmt: skip
    if sentence.detail:
        cells.append(Cell(f": {short(sentence.detail)}"))
    cells.append(Cell(f"  #{recorded.seq}", Tone.DIM))
    return line(*cells, indent=10, target=_target(recorded, sentence))


def _tone(recorded: Recorded, sentence: Sentence) -> Tone:
    event = recorded.event
    if isinstance(event, HealthChanged) and event.health is Health.UP:
        return Tone.OK
    return level_tone(sentence.level)


def _target(recorded: Recorded, sentence: Sentence) -> Target | None:
    """What ``enter`` on the sentence opens: a placement's reasons, else its agent."""
    event = recorded.event
    if isinstance(event, TaskPlaced):
        return Target(task=event.task, attempt=event.number)
    return Target(agent=sentence.agent) if sentence.agent is not None else None
