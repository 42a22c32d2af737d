"""Words that people read: phrases that have a plain replacement stay out of the program's prose.

Every string that the program may show is held to them, and so are the pages. Sentences beside the
code are not: attribute notes and docstrings, but for those of commands, which are their help, and
those of the fleet file's settings, which `fleet-tui schema` prints.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hygiene.sources import Source, modules
from tests.support.surroundings import CHECKOUT

PLAIN = {
    r"miss(es)? in a row": "failed probes in a row",
    r"miss(es|ed)? (a|one|a single) (look|probe)": "probe failed",
    r"good (looks|probes)": "successful probes",
    r"(first|last|failed|missed) looks?\b|looks? (failed|answered)": "probe",
    r"nobody (saw|knows|can (say|tell|know)|said|told)": "is unknown",
    r"there is to know more": "details",
    r"(the|'s|whose) fate\b": "outcome",
    r"\bsay (how the|what became)": "show, or give a verdict",
    r"keep waiting tasks waiting": "hold queued tasks until released",
    r"needs? nothing more|nothing more is needed": "dismissed",
    r"start nothing until": "stop starting new work until thawed",
    r"that travels": "portable",
    r"\bnot well\b|well again|(goes|went|go) well\b": "unhealthy, healthy, succeeds",
    r"typed wrongly": "usage error",
    r"needs? an operator's verdict": "needs your verdict",
    r"not asked for any more|any more\b": "no longer",
    r"\banew\b|\bmade again": "again, recreated",
    r"all the same\b": "anyway, still",
    r"before all others": "expedited, to the front of the queue",
    r"take(s|n)? back|be had back": "undo, reverse",
    r"lets? \S+ back in\b": "returns to routing",
    r"\bsays? more\b": "shows more",
    r"\bmend(s|ed|ing)?\b": "fix",
    r"fitting agents?|agents? that fits?\b": "eligible agent",
    r"without a word\b|said so\b": "without a message, or who did what",
    r"out of sight": "in unknown state",
    r"\bmake room\b": "free disk space",
    r"(?<!there )is no (file|directory|key|time|number)\b": "is not a",
    r"have (it|them|you) in hand|in hand\b": "are handling it",
}
"""What is not written -> what is written for it."""

PAGES = ("README.md", "CONTRIBUTING.md")

SHAPES = "fleet_tui/core/text/"
"""Patterns and tables of characters, and no prose."""

WORLDS = "fleet_tui/sim/virtual/"
"""What checks of the simulator tell whoever tests the program."""


def _is_command(node: ast.AST) -> bool:
    decorators = getattr(node, "decorator_list", [])
    return any(re.search(r"\b(command|group)\(", ast.unparse(each)) for each in decorators)


def _beside_code(source: Source) -> set[int]:
    """Strings that stand alone, as docstrings and attribute notes do, without helps of commands."""
    alone = {
        id(node.value)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_command(node):
            first = node.body[0]
            if isinstance(first, ast.Expr):
                alone.discard(id(first.value))
    return alone


def _shown(source: Source) -> Iterator[tuple[str, str]]:
    """(where, text) of the strings that may be shown."""
    skipped = _beside_code(source)
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if id(node) not in skipped and " " in node.value.strip():
            yield source.at(node), " ".join(node.value.split())


SETTINGS = "fleet_tui/config/models.py"


def _all_strings(source: Source) -> Iterator[tuple[str, str]]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield source.at(node), " ".join(node.value.split())


def _prose() -> Iterator[tuple[str, str]]:
    for source in modules("fleet_tui"):
        if not source.path.startswith((SHAPES, WORLDS)):
            yield from _all_strings(source) if source.path == SETTINGS else _shown(source)
    for page in PAGES:
        text = (CHECKOUT / page).read_text()
        for paragraph in re.split(r"\n\s*\n|\n(?=[|-])", text):
            yield f"{page}: {paragraph[:40]}", " ".join(paragraph.split())


PROSE = tuple(_prose())


@pytest.mark.parametrize("phrase", PLAIN)
def test_what_people_read_is_plain(phrase: str) -> None:
    pattern = re.compile(phrase, re.IGNORECASE)
    found = [f"{where}: {text[:120]}" for where, text in PROSE if pattern.search(text)]
    assert not found, f"write {PLAIN[phrase]!r}: {found}"


def test_the_pages_are_there() -> None:
    assert all(Path(CHECKOUT, page).is_file() for page in PAGES)
    assert len(PROSE) > 3_000
