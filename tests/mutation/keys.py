"""Names of mutants that stay when other lines change, and which mutants are not played.

mutmut numbers its mutants, and a new line renumbers them all. Here a mutant is known by its module,
its function, the lines that it replaces and what it puts there.
"""

import ast
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.mutation.digest import Name

NEVER = re.compile(r"(case _: / )?assert_never\([\w.]+\)")


@dataclass(frozen=True, order=True)
class Key:
    """What a mutant is known by. Lines are stripped and joined by `` / ``; ``nth`` tells apart
    mutants that change equal lines of one function, counted from 1."""

    module: str
    """Below ``fleet_tui.core``: ``routing.scores``."""
    function: str
    """``function`` or ``Class.method``."""
    before: str
    after: str
    nth: int = 1

    @property
    def name(self) -> Name:
        """Of the function that it changes."""
        return Name(self.module, self.function)

    def __str__(self) -> str:
        again = f" (#{self.nth})" if self.nth > 1 else ""
        return f"{self.module}:{self.function}{again}\n    - {self.before}\n    + {self.after}"


def change(original: str, mutated: str) -> tuple[str, str]:
    """The lines that differ, before and after."""
    old, new = original.splitlines(), mutated.splitlines()
    blocks = [
        code
        for code in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        if code[0] != "equal"
    ]
    assert blocks, original
    _, old_first, _, new_first, _ = blocks[0]
    _, _, old_end, _, new_end = blocks[-1]
    before = " / ".join(line.strip() for line in old[old_first:old_end])
    after = " / ".join(line.strip() for line in new[new_first:new_end])
    return before, after


def is_wording(original: str, mutated: str) -> bool:
    """Whether two functions differ in one text alone, and that text is prose."""
    differing = list(_differences(ast.parse(original), ast.parse(mutated)))
    return (
        len(differing) == 1
        and all(
            isinstance(node, ast.Constant) and isinstance(node.value, str)
            for node in (differing[0][0], differing[0][1])
        )
        and is_prose(differing[0][0])
    )


def is_unreachable(before: str) -> bool:
    """Whether only the last arm of a ``match`` over a closed set changes: mypy proves that nothing
    gets there."""
    return NEVER.fullmatch(before) is not None


def is_prose(node: ast.AST) -> bool:
    """A text with words in it that are separated by a space: a message for people. Codes, keys and
    names have no spaces, and their mutants count."""
    text = node.value if isinstance(node, ast.Constant) else None
    return isinstance(text, str) and " " in text and any(c.isalpha() for c in text)


def _differences(one: ast.AST, other: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    if type(one) is not type(other):
        yield one, other
        return
    for (_, mine), (_, theirs) in zip(ast.iter_fields(one), ast.iter_fields(other), strict=True):
        if isinstance(mine, ast.AST) and isinstance(theirs, ast.AST):
            yield from _differences(mine, theirs)
        elif isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
            for left, right in zip(mine, theirs, strict=True):
                if isinstance(left, ast.AST) and isinstance(right, ast.AST):
                    yield from _differences(left, right)
                elif left != right:
                    yield one, other
        elif mine != theirs:
            yield one, other
