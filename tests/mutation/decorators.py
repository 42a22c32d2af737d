"""Decorated functions, which mutmut leaves out, are mutated too.

A decorator becomes a comment before mutmut reads the module. Afterwards ``@property`` comes back
above what mutmut put in the place of the function. ``@lru_cache`` does not: a cache would answer
for a mutant with what the program without it had found.
"""

import ast
import re

_MARK = "# was: "
_MARKED = re.compile(rf"( *){_MARK}(@property)")
_COPY = re.compile(r" *def \w+__mutmut_\w+\(")
"""A function as it was, or a mutant of it: both are called by what stands in its place."""


def without_decorators(code: str) -> str:
    """The module with its functions as mutmut mutates them, line for line."""
    lines = code.splitlines(keepends=True)
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef) and len(node.decorator_list) == 1:
            decorator = node.decorator_list[0]
            if ast.unparse(decorator).partition("(")[0] in ("property", "lru_cache"):
                assert decorator.lineno == decorator.end_lineno, ast.unparse(decorator)
                line = lines[decorator.lineno - 1]
                lines[decorator.lineno - 1] = line.replace("@", f"{_MARK}@", 1)
    return "".join(lines)


def with_properties(code: str) -> str:
    """What mutmut made of it, with its properties as properties, line for line."""
    lines = code.splitlines()
    for number, line in enumerate(lines[:-1]):
        found = _MARKED.fullmatch(line)
        if found is not None and not _COPY.match(lines[number + 1]):
            lines[number] = found[1] + found[2]
    return "\n".join(lines) + "\n"
