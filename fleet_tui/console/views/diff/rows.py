"""What changed between two moments, as sections: each kind of change with its rows."""

from collections.abc import Sequence
from itertools import groupby

from fleet_tui.base.redact import redact
from fleet_tui.console.actions.selection import listed
from fleet_tui.console.text.cells import Cell, Tone
from fleet_tui.console.text.document import (
    DetailLine,
    Pen,
    Section,
    Target,
    facts,
    grid,
    paragraph,
    short,
)
from fleet_tui.core.diff import About, Change, Moments, diff
from fleet_tui.core.ids import AgentName
from fleet_tui.core.text import words

MAX_ROWS = 100
"""Of each kind; the others are counted."""

MAX_NAMED = 2
"""Of subjects that changed alike; the others are counted."""


def diff_sections(moments: Moments, pen: Pen) -> list[Section]:
    """Everything that changed; one sentence where nothing did."""
    found = diff(moments)
    span_ms = words.elapsed_ms(moments.before_ms, moments.after_ms)
    head = facts(
        [
            ("from", pen.clock(moments.before_ms)),
            ("to", pen.clock(moments.after_ms)),
            ("", Cell(words.duration(span_ms), Tone.DIM)),
        ]
    )
    if not found:
        return [Section("", (head, paragraph("Nothing changed between the two.", Tone.DIM)))]
    sections = [Section("", (head,))]
    for about, group in groupby(found, key=lambda change: change.about):
        sections.append(_section(about, list(group), pen))
    return sections


def _section(about: About, found: Sequence[Change], pen: Pen) -> Section:
    alike = _alike(found)
    shown = alike[:MAX_ROWS]
    lines: tuple[DetailLine, ...] = grid(
        [_row(changes, pen) for changes in shown], targets=[_target(changes) for changes in shown]
    )
    more = len(found) - sum(map(len, shown))
    if more:
        lines = (*lines, paragraph(f"and {words.grouped(more)} more", Tone.DIM))
    return Section(f"{about.heading}: {words.grouped(len(found))}", lines)


def _alike(found: Sequence[Change]) -> list[list[Change]]:
    """Subjects that changed in the same way, grouped at the place of the first."""
    kinds: dict[tuple[str, str | None, str | None], list[Change]] = {}
    for change in found:
        kinds.setdefault((change.field, change.before, change.after), []).append(change)
    return list(kinds.values())


def _row(alike: Sequence[Change], pen: Pen) -> list[Cell | str]:
    """``gpu-3  state  up → down: its gateway does not answer``."""
    change = alike[0]
    after = Cell(_value(change.after), Tone.ERROR if change.is_worse else Tone.PLAIN)
    step: list[Cell | str] = [Cell(_value(change.before), Tone.DIM), pen.glyphs.arrow, after]
    names = listed((short(each.name) for each in alike if each.name), MAX_NAMED)
    named: list[Cell | str] = [names] if names else []
    if change.about is About.ALERT:  # its text is the longest: last, where it has space
        return [*named, *step, short(change.field)]
    return [*named, *([short(change.field)] if change.field else []), *step]


def _value(value: str | None) -> str:
    return words.MISSING if value is None else short(redact(value))


def _target(alike: Sequence[Change]) -> Target | None:
    change = alike[0]
    is_one = change.about.names_agent and len(alike) == 1
    return Target(agent=AgentName(change.name)) if is_one else None
