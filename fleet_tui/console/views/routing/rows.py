"""The rows of the routing table, as safe text with tones."""

from fleet_tui.console.text.cells import MAX_NAME_CHARS, Cell, Tone
from fleet_tui.console.text.glyphs import Glyphs
from fleet_tui.core.routing.record import DecisionRecord
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line


def decision_word(record: DecisionRecord) -> str:
    """The kind of decision: ``held``, ``waits``, ``failover``, or the strategy."""
    if record.decision.chosen is None:
        pending = record.pending
        return "held" if pending is not None and pending.code.is_held else "waits"
    return "failover" if record.attempt > 1 else record.decision.strategy.value


def decision_reasons(record: DecisionRecord) -> list[str]:
    """Why, in pieces of safe text: here and in ``fleet-tui routes``."""
    decision = record.decision
    if decision.chosen is None:
        return [safe_line(record.pending.detail if record.pending is not None else decision.note)]
    parts = [safe_line(decision.note)] if decision.note else []
    best = decision.candidates[0]
    if best.score and not decision.note:
        parts.append(f"score {best.score:.2f}")
        if len(decision.candidates) > 1:
            second = decision.candidates[1]
            parts.append(f"next {safe_line(second.agent, MAX_NAME_CHARS)} {second.score:.2f}")
    parts.append(words.plural(decision.fitting, "candidate"))
    return parts


def decision_text(record: DecisionRecord) -> str:
    """Why, in one line."""
    return " · ".join(decision_reasons(record))


def decision_cells(
    record: DecisionRecord, glyphs: Glyphs, offset_minutes: int = 0
) -> dict[str, Cell]:
    """Every column of the routing table by its key."""
    decision, word = record.decision, decision_word(record)
    tones = {"held": Tone.ERROR, "waits": Tone.WARN, "failover": Tone.WARN}
    chosen = safe_line(decision.chosen or "-", MAX_NAME_CHARS)
    return {
        "at": Cell(words.clock(record.at_ms, offset_minutes), Tone.DIM),
        "task": Cell(f"t-{record.task_number}"),
        "priority": Cell(f"P{record.priority.value}"),
        "agent": Cell(f"{glyphs.arrow} {chosen}"),
        "pool": Cell(safe_line(decision.pool or "-", MAX_NAME_CHARS), Tone.DIM),
        "kind": Cell(word, tones.get(word, Tone.PLAIN)),
        "why": Cell(decision_text(record), tones.get(word, Tone.DIM)),
    }
