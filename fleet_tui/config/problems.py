"""The problems of a file: all at once, each with its place, its line and a hint.

Files may be hostile (a fleet file arrives by pull request), so nothing of them is shown raw:
characters that could control a terminal are spelled out and anything like a secret is starred.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.near import nearest
from fleet_tui.core.text.redaction import starred as with_stars
from fleet_tui.core.text.secret_shapes import BEGUN

MAX_PROBLEMS = 100
"""Problems kept of one file; further ones are counted."""
MAX_SHOWN_CHARS = 160
"""Longest piece of a file that a message or an excerpt repeats."""
MAX_SUGGESTION_CHARS = 64
"""Longest word that is compared with known names; longer ones are not typing errors."""

MAX_COMPARED_NAMES = 200
"""Known names of about the right length that a misspelt word is compared with."""
_LOOKED_AT_CHARS = 2_000
"""How much of a line or value is searched for secrets; far more than is shown of it."""

APART = "give each gateway its own port, and each agent of one gateway its own agent_id"
"""What to do about two agents that are one."""

# Each name is read once, from its beginning: values of any length pass through this.
_SECRET_VALUE = re.compile(
    r"""(?ix) (?: (?:(?<![\w-])[\w-]*)?
        (?:token|password|passphrase|secret|api_?key|private_?key)
        (?:["']\s*:\s*|\s*:\s+)["']?
        (?!\s|["']|secret:|\$\{) ) (?P<after>[^\s"',}\]]+)
      | (?P<shape>"""
    + BEGUN
    + r""")
      | (?P<opaque>[A-Za-z0-9+/=]{40,}) """
)

_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""What ends a line for YAML's C parser, whose line numbers are shown."""


class ProblemSeverity(StrEnum):
    """An error stops everything, a warning should be checked, a note only informs."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Position(NamedTuple):
    """A place in a file, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem or note about a file. ``line`` and ``col`` are None without a place."""

    severity: ProblemSeverity
    file: str
    line: int | None
    col: int | None
    width: int
    """How many characters the caret underlines."""
    path: str
    """Dotted, such as ``agents.agent-01.region``; empty for the file as a whole."""
    message: str
    hint: str
    excerpt: tuple[str, ...]
    """The line and the one above it."""

    def __post_init__(self) -> None:
        """Make the text safe, because problems may quote anything."""
        for name in ("file", "path", "message", "hint"):
            object.__setattr__(self, name, safe_line(getattr(self, name)))
        object.__setattr__(self, "excerpt", tuple(map(safe_line, self.excerpt)))


@dataclass(slots=True)
class Source:
    """A file's name and text, and the problems found in it so far."""

    name: str
    text: str
    problems: list[Problem] = field(default_factory=list)
    not_kept: int = 0
    """Problems beyond MAX_PROBLEMS."""
    errors: int = 0
    _lines: list[str] | None = None

    def add(
        self,
        severity: ProblemSeverity,
        at: Position | None,
        message: str,
        *,
        path: str = "",
        hint: str = "",
        width: int = 1,
    ) -> None:
        """Add a problem, or count it if there are MAX_PROBLEMS already."""
        self.errors += severity is ProblemSeverity.ERROR
        if self.full:
            self.not_kept += 1
            return
        self.problems.append(
            Problem(
                severity=severity,
                file=visible(self.name),
                line=at.line if at else None,
                col=at.column if at else None,
                width=max(1, width),
                path=visible(path),
                message=message,
                hint=hint,
                excerpt=self._excerpt(at, width) if at else (),
            )
        )

    @property
    def full(self) -> bool:
        """Whether further problems are only counted, so that their words need not be found."""
        return len(self.problems) >= MAX_PROBLEMS

    def error(
        self, at: Position | None, message: str, *, path: str = "", hint: str = "", width: int = 1
    ) -> None:
        """Add an error, which makes the file unusable."""
        self.add(ProblemSeverity.ERROR, at, message, path=path, hint=hint, width=width)

    def warn(
        self, at: Position | None, message: str, *, path: str = "", hint: str = "", width: int = 1
    ) -> None:
        """Add a warning about something allowed that is probably not intended."""
        self.add(ProblemSeverity.WARNING, at, message, path=path, hint=hint, width=width)

    def in_order(self) -> tuple[Problem, ...]:
        """The problems by place in the file; those without a place first."""
        return tuple(sorted(self.problems, key=lambda each: (each.line or 0, each.col or 0)))

    def line(self, number: int) -> str:
        """A line of the file, counted from 1; empty beyond its ends."""
        lines = self._all_lines()
        return lines[number - 1] if 1 <= number <= len(lines) else ""

    def mark_at(self, offset: int) -> Position:
        """The place of a character of the text, or of its end."""
        line, start = 1, 0
        for found in _LINE_BREAK.finditer(self.text):
            if found.end() > offset:
                break
            line, start = line + 1, found.end()
        return Position(line, offset - start + 1)

    def within(self, mark: Position) -> Position:
        """The mark, or the end of the file for one beyond it (an unclosed bracket's)."""
        count = len(self._all_lines())
        if mark.line <= count:
            return Position(mark.line, min(mark.column, len(self.line(mark.line)) + 1))
        return Position(count, len(self.line(count)) + 1)

    def _all_lines(self) -> list[str]:
        if self._lines is None:
            self._lines = _LINE_BREAK.split(self.text)
        return self._lines

    def _excerpt(self, at: Position, width: int) -> tuple[str, ...]:
        shown = []
        margin = len(str(at.line)) + 3
        above = self.line(at.line - 1)[:_LOOKED_AT_CHARS]
        if above.strip():
            shown.append(f"{at.line - 1:>{margin}} | {visible(starred(above))}")
        line = starred(self.line(at.line)[:_LOOKED_AT_CHARS])
        if not line:
            return ()
        before = columns(visible(line[: at.column - 1]))
        marked = columns(visible(line[at.column - 1 : at.column - 1 + width]))
        shown.append(f"{at.line:>{margin}} | {visible(line)}")
        if before < MAX_SHOWN_CHARS:
            carets = "^" * min(max(1, marked), MAX_SHOWN_CHARS - before)
            shown.append(f"{'':>{margin}} | {' ' * before}{carets}")
        return tuple(shown)


def visible(text: str, *, limit: int = MAX_SHOWN_CHARS) -> str:
    """Text of a file, safe to show: on one line, unable to control a terminal."""
    return safe_line(text, limit)


def starred(line: str) -> str:
    """A line with everything that looks like a secret replaced by as many stars: anything that is
    redacted elsewhere, and, because no secret belongs in a fleet file, anything that might be
    one."""

    def stars(found: re.Match[str]) -> str:
        group = found.lastgroup or "shape"
        start, end = found.start(group) - found.start(), found.end(group) - found.start()
        whole = found.group()
        return whole[:start] + "*" * (end - start) + whole[end:]

    return _SECRET_VALUE.sub(stars, with_stars(line))


def columns(text: str) -> int:
    """How many terminal cells a printable text takes."""
    return len(text) if text.isascii() else sum(_cells(each) for each in text)


def quoted(value: str) -> str:
    """A value as a message repeats it, secrets starred."""
    begins, rest = value[:_LOOKED_AT_CHARS], value[_LOOKED_AT_CHARS:]
    return '"' + visible(starred(begins) + rest, limit=48) + '"'


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` - did you mean "region"?``, or nothing if no known name is near."""
    if not word or len(word) > MAX_SUGGESTION_CHARS:
        return ""
    near = nearest(word, known, most=MAX_COMPARED_NAMES)
    return f' - did you mean "{near[0]}"?' if near else ""


def summary(problems: Iterable[Problem], not_kept: int = 0) -> str:
    """``2 errors, 1 warning``; empty if there are neither."""
    counts = dict.fromkeys(ProblemSeverity, 0)
    for each in problems:
        counts[each.severity] += 1
    parts = [count_of(counts[kind], kind.value) for kind in ProblemSeverity if counts[kind]]
    if not_kept:
        parts.append(f"{not_kept} more not shown")
    return ", ".join(parts)


def as_text(problem: Problem) -> str:
    """A problem for people: place, path, message, the line with a caret, the hint."""
    lines = [f"{_place(problem)}: {problem.severity}: {_said(problem)}", *problem.excerpt]
    if problem.hint:
        lines.append(f"  hint: {problem.hint}")
    return "\n".join(lines)


def as_github(problem: Problem) -> str:
    """A problem as a GitHub Actions annotation (docs.github.com, workflow commands)."""
    word = "notice" if problem.severity is ProblemSeverity.NOTE else problem.severity.value
    place = f"file={_escaped(problem.file, in_property=True)}"
    if problem.line is not None:
        place += f",line={problem.line},col={problem.col}"
    text = _said(problem) + (f"\nhint: {problem.hint}" if problem.hint else "")
    return f"::{word} {place}::{_escaped(text)}"


def as_json(problem: Problem) -> dict[str, object]:
    """A problem for programs."""
    return {
        "severity": problem.severity.value,
        "file": problem.file,
        "line": problem.line,
        "col": problem.col,
        "path": problem.path,
        "message": problem.message,
        "hint": problem.hint,
    }


def _said(problem: Problem) -> str:
    if not problem.path:
        return problem.message
    said = f"{problem.path}: {problem.message}"
    # After `token:` our first word would be taken for the secret.
    return said if with_stars(said) == said else f"{problem.path} - {problem.message}"


def _place(problem: Problem) -> str:
    if problem.line is None:
        return problem.file
    return f"{problem.file}:{problem.line}:{problem.col}"


def count_of(number: int, noun: str) -> str:
    """``1 agent``, ``2 agents``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _escaped(text: str, *, in_property: bool = False) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if in_property else text
