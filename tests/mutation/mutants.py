"""The mutants that mutmut makes of a module."""

import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mutmut.mutation.file_mutation import mutate_file_contents

from tests.mutation.decorators import with_properties, without_decorators
from tests.mutation.digest import file_of
from tests.mutation.keys import Key, change, is_unreachable, is_wording
from tests.support.surroundings import CHECKOUT

CORE = "fleet_tui.core"
ORIGINAL = "orig"


@dataclass(frozen=True)
class Mutant:
    """One change of one function."""

    key: Key
    name: str
    """mutmut's: ``fleet_tui.core.tasks.retry.x_wait_ms__mutmut_3``."""
    is_left_out: bool
    """Whether it is not played: only prose for people changes, see ``is_prose``, or only what
    cannot be reached, see ``is_unreachable``."""

    @property
    def function(self) -> str:
        """mutmut's name of the function: what a test is recorded to have called."""
        return self.name.partition("__mutmut_")[0]


@dataclass(frozen=True)
class Made:
    """A module with all of its mutants inside."""

    module: str
    file: Path
    code: str
    mutants: tuple[Mutant, ...]
    name_of_line: dict[int, str]
    """Lines of ``code`` that belong to a mutant, with its name."""


def make(module: str) -> Made:
    """All mutants of a module."""
    file = file_of(module)
    source = without_decorators(file.read_text(encoding="utf-8"))
    made = mutate_file_contents(str(file.relative_to(CHECKOUT)), source)
    code = with_properties(str(made.code))
    lines = code.splitlines()
    texts = {
        str(name): "\n".join(lines[span.start - 1 : span.end])
        for name, span in made.line_span_by_function_name.items()
    }
    full = {name: f"{CORE}.{module}.{name}" for name in map(str, made.mutant_names)}
    spans = made.line_span_by_function_name
    return Made(
        module=module,
        file=file,
        code=code,
        mutants=tuple(_mutants(module, texts, full)),
        name_of_line={
            line: full[name]
            for name in full
            for line in range(spans[name].start, spans[name].end + 1)
        },
    )


def _mutants(module: str, texts: dict[str, str], full: dict[str, str]) -> Iterator[Mutant]:
    seen: Counter[tuple[str, str, str]] = Counter()
    for name, whole in full.items():
        mangled, _, _ = name.partition("__mutmut_")
        original = _unnamed(texts[f"{mangled}__mutmut_{ORIGINAL}"], f"{mangled}__mutmut_{ORIGINAL}")
        mutated = _unnamed(texts[name], name)
        before, after = change(original, mutated)
        function = mangled.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
        seen[function, before, after] += 1
        key = Key(module, function, before, after, seen[function, before, after])
        yield Mutant(
            key=key,
            name=whole,
            is_left_out=is_unreachable(before) or is_wording(original, mutated),
        )


def _unnamed(text: str, name: str) -> str:
    return textwrap.dedent(text).strip("\n").replace(name, "_", 1)
