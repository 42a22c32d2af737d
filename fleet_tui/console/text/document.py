"""The parts of drill-down screens: titled sections of lines, built without widgets.

A builder takes values of the core and a :class:`Pen` and returns sections; a
:class:`~fleet_tui.console.widgets.section_view.SectionView` shows them. Everything remote has gone
through the text firewall by the time it is in a line.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len, chop_cells

from fleet_tui.console.text.cells import MAX_NAME_CHARS, Align, Cell, Line, Tone
from fleet_tui.console.text.fit import fit
from fleet_tui.console.text.glyphs import UNICODE, Glyphs, Sign
from fleet_tui.core.ids import AgentName, TaskId
from fleet_tui.core.tasks.model import Attempt, AttemptPhase
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.untrusted import Untrusted

MAX_SHORT_CHARS = 400
"""How much of a remote sentence (an error, a reason) is shown in one line."""

BOOT_CHARS = 8
"""Enough of a boot id to see that it changed."""


class Pen(NamedTuple):
    """How to write for this terminal: its glyphs and its local time."""

    glyphs: Glyphs = UNICODE
    offset_minutes: int = 0
    """Local time's lead over UTC."""
    can_act: bool = True
    """Whether to name keys that change the fleet: they do nothing in a recording."""
    keyed: Callable[[str], str] = str
    """Fills the operator's keys into our own text, as :class:`Console` does."""

    def clock(self, at_ms: int | None) -> str:
        """``12:04:31`` in local time."""
        return words.clock(at_ms, self.offset_minutes)

    def sign(self, sign: Sign) -> str:
        """A sign as this terminal draws it."""
        return self.glyphs.sign(sign)


class Target(NamedTuple):
    """What ``enter`` on a line opens. Empty fields mean nothing of that kind."""

    agent: AgentName | None = None
    task: TaskId | None = None
    attempt: int = 0
    """With a task: the attempt of the decision."""


class DetailLine(NamedTuple):
    """A line of a section. Longer ones are wrapped; continuation lines start at ``indent``."""

    cells: Line
    indent: int = 1
    target: Target | None = None


class Section(NamedTuple):
    """A titled group of lines. Without a title no rule is drawn above it."""

    title: str
    lines: tuple[DetailLine, ...]


def attempt_word(attempt: Attempt) -> str:
    """The phase of an attempt, and that a result came too late to count."""
    late = ", late result" if attempt.late and attempt.phase is AttemptPhase.GIVEN_UP else ""
    return attempt.phase.value + late


def name(text: str) -> str:
    """A declared name, safe to show: recordings can contain anything."""
    return safe_line(text, MAX_NAME_CHARS)


def boot(boot_id: str | None) -> str:
    """The beginning of a boot id, which is long and only needs to be compared."""
    return safe_line(boot_id or words.MISSING, MAX_SHORT_CHARS)[:BOOT_CHARS]


def short(text: str | Untrusted) -> str:
    """A remote or recorded sentence as one line."""
    return safe_line(text, MAX_SHORT_CHARS)


def line(
    *cells: Cell | str, indent: int = 1, target: Target | None = None, lead: str = " "
) -> DetailLine:
    """A line from cells and plain words; it begins one space from the edge."""
    made = tuple(Cell(c) if isinstance(c, str) else c for c in cells)
    return DetailLine((Cell(lead), *made) if lead else made, indent, target)


def facts(pairs: Iterable[tuple[str, str | Cell]], gap: str = "   ") -> DetailLine:
    """``host gpu4   region eu-w1   slots 2/4``: dim labels before their values."""
    cells: list[Cell] = []
    for label, value in pairs:
        if cells:
            cells.append(Cell(gap))
        if label:
            cells.append(Cell(f"{label} ", Tone.DIM))
        cells.append(value if isinstance(value, Cell) else Cell(value))
    return line(*cells)


def grid(
    rows: Sequence[Sequence[Cell | str]],
    *,
    right: frozenset[int] = frozenset(),
    header: bool = False,
    targets: Sequence[Target | None] = (),
) -> tuple[DetailLine, ...]:
    """Rows in columns as wide as their widest cell; the last column takes the rest.

    Columns whose index is in ``right`` keep to the right. With ``header`` the first row is dim.
    ``targets`` belong to the rows in order, the header included.
    """
    if not rows:
        return ()
    made = [[Cell(c) if isinstance(c, str) else c for c in row] for row in rows]
    columns = max(len(row) for row in made)
    widths = [max((cell_len(r[at].text) for r in made if at < len(r)), default=0)
              for at in range(columns)]  # fmt: skip
    hang = 1 + sum(widths[:-1]) + 2 * (columns - 1)
    lines: list[DetailLine] = []
    for number, row in enumerate(made):
        cells: list[Cell] = []
        for at, (text, tone) in enumerate(row):
            if header and number == 0:
                tone = Tone.DIM  # noqa: PLW2901 - the header's own tone replaces the cell's
            last = at == columns - 1
            align = Align.RIGHT if at in right else Align.LEFT
            shown = text if last and align is Align.LEFT else fit(text, widths[at], align)
            cells.append(Cell(shown if last else shown + "  ", tone))
        target = targets[number] if number < len(targets) else None
        lines.append(line(*cells, indent=hang, target=target))
    return tuple(lines)


def paragraph(text: str, tone: Tone = Tone.PLAIN, indent: int = 1) -> DetailLine:
    """Our own words as a wrapped line."""
    return line(Cell(text, tone), indent=indent)


_TOKENS = re.compile(r" +|[^ ]+")

_MIN_WRAP_WIDTH = 8


def wrap(cells: Line, width: int, indent: int) -> list[Line]:
    """The cells as lines of at most ``width`` terminal cells, broken at spaces where possible.

    Lines after the first begin with ``indent`` spaces (less where the width is small).
    """
    if sum(cell_len(cell.text) for cell in cells) <= width or width < _MIN_WRAP_WIDTH:
        return [cells]
    indent = min(indent, width // 2)
    lines: list[Line] = []
    present: list[Cell] = []
    used = 0
    for text, tone in cells:
        for token in _TOKENS.findall(text):
            for piece in _pieces(token, width - indent, width - used):
                size = cell_len(piece)
                if used + size > width:
                    lines.append(tuple(present))
                    present, used = [Cell(" " * indent)], indent
                    if piece.isspace():
                        continue
                present.append(Cell(piece, tone))
                used += size
    if any(not cell.text.isspace() for cell in present) or not lines:
        lines.append(tuple(present))
    return [_joined(made) for made in lines]


def _pieces(token: str, room: int, left: int) -> list[str]:
    """A token, in parts if it is wider than a whole line; the first part fills the current line."""
    if cell_len(token) <= max(room, left) or token.isspace():
        return [token]
    return chop_cells(token, room)


def _joined(cells: Line) -> Line:
    """Neighbours of one tone as one cell."""
    made: list[Cell] = []
    for cell in cells:
        if made and made[-1].tone is cell.tone:
            made[-1] = Cell(made[-1].text + cell.text, cell.tone)
        else:
            made.append(cell)
    return tuple(made)


def plain(sections: Iterable[Section]) -> list[str]:
    """The sections as text without tones: for copying, saving and tests."""
    made: list[str] = []
    for section in sections:
        if section.title:
            made.append(f"- {section.title} -")
        made.extend("".join(cell.text for cell in row.cells).rstrip() for row in section.lines)
    return made
