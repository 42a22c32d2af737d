"""What CONTRIBUTING's recipes and the pages of theory name is there, and where they say it is:
files and folders, functions, classes, fields and constants."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.hygiene.sources import PACKAGE, modules
from tests.support.surroundings import CHECKOUT

CONTRIBUTING = CHECKOUT / "CONTRIBUTING.md"
PAGES = sorted((CHECKOUT / PACKAGE).rglob("*.md"))

PATH = re.compile(r"[\w./-]+/[\w./-]*|[\w-]+\.(?:py|sh|md|json|toml|txt)")
NAME = re.compile(r"([A-Za-z_][\w.]*)(?:\([^)]*\))?")
NOT_OURS = {"assert_never", "match", "tag", "NO_COLOR", "uncordon"}
"""Python's words, msgspec's, a variable of the environment, a command."""

PAIR = re.compile(r"`([A-Za-z_]\w*)(?:\([^`]*\))?`[^`.;:]{0,30}`([\w/]+\.py)`")
"""A name and the file it is said to be in: ``name`` in ``file``."""


class Text(NamedTuple):
    """A recipe, or a page."""

    title: str
    text: str
    folder: Path
    """Where the files are that it names without a folder."""

    @property
    def spans(self) -> list[str]:
        """What stands between backticks, pictures left out."""
        return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", self.text, flags=re.DOTALL))

    def place(self, path: str) -> Path | None:
        """The file or folder of that name."""
        roots = (self.folder, CHECKOUT / PACKAGE, CHECKOUT)
        return next((root / path for root in roots if (root / path).exists()), None)


def recipes() -> list[Text]:
    """Each of them, by what it adds."""
    text = CONTRIBUTING.read_text(encoding="utf-8")
    chapter = text.split("\n## Recipes\n", 1)[1].split("\n## ", 1)[0]
    _, *parts = re.split(r"^\*\*(.+?)\.\*\*", chapter, flags=re.MULTILINE)
    return [Text(*found, CHECKOUT) for found in zip(parts[::2], parts[1::2], strict=True)]


def theories() -> list[Text]:
    """Each page, by its name."""
    return [Text(page.name, page.read_text(encoding="utf-8"), page.parent) for page in PAGES]


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=targets):
                yield from (t.id for t in targets if isinstance(t, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case _:
                pass


@cache
def defined() -> dict[str, frozenset[str]]:
    """What each module of the program defines, by its path."""
    return {source.path: frozenset(_names(source.tree)) for source in modules(PACKAGE)}


def faults(told: Text) -> Iterator[str]:
    """What the text names and is not there, or not where it says."""
    own: set[str] = set()
    for path in filter(PATH.fullmatch, told.spans):
        place = told.place(path)
        if place is None:
            yield f"there is no {path}"
        elif place.suffix == ".py":
            own |= defined().get(place.relative_to(CHECKOUT).as_posix(), frozenset())
    everywhere = frozenset().union(*defined().values())
    known = own if told.folder == CHECKOUT else everywhere  # a recipe says where
    for span in told.spans:
        named = NAME.fullmatch(span)
        if named is None or PATH.fullmatch(span) or span in NOT_OURS:
            continue
        *module, name = named[1].split(".")
        homes = (
            [names for path, names in defined().items() if path.endswith(f"/{module[-1]}.py")]
            if module
            else [known]
        )
        if not any(name in names for names in homes):
            yield f"nothing is called {span}"
    for name, path in PAIR.findall(" ".join(told.text.split())):
        place = told.place(path)
        home = place.relative_to(CHECKOUT).as_posix() if place is not None else path
        if name not in defined().get(home, {name}):
            yield f"{name} is not in {path}"


def test_every_file_that_a_chapter_names_is_there() -> None:
    """A file without a folder is in one that its chapter named before."""
    missing = []
    for chapter in CONTRIBUTING.read_text(encoding="utf-8").split("\n## "):
        folders = [CHECKOUT, CHECKOUT / PACKAGE]
        for span in re.findall(r"`([\w./-]+\.(?:py|sh|md|toml|tsv))`", chapter):
            if (CHECKOUT / span).exists():
                folders.append((CHECKOUT / span).parent)
            elif not any((folder / span).exists() for folder in folders):
                missing.append(span)
    assert missing == []


@pytest.mark.parametrize("told", [*recipes(), *theories()], ids=lambda told: told.title)
def test_what_it_names_is_there(told: Text) -> None:
    assert sorted(faults(told)) == []


def test_each_page_of_theory_is_named() -> None:
    text = CONTRIBUTING.read_text(encoding="utf-8")
    assert len(PAGES) >= 4
    unnamed = [p for p in PAGES if f"`{p.relative_to(CHECKOUT).as_posix()}`" not in text]
    assert unnamed == []


@pytest.mark.parametrize("told", [*recipes(), *theories()], ids=lambda told: told.title)
def test_each_name_in_it_is_looked_at(told: Text) -> None:
    """One letter more in any of them, and the text is wrong."""
    looked_at = 0
    for span in sorted(set(told.spans) - NOT_OURS):
        if PATH.fullmatch(span):
            other = f"{span}x"
        elif named := NAME.fullmatch(span):
            other = span.replace(named[1], f"{named[1]}x", 1)
        else:
            continue  # words of a fleet file, a key, an option
        looked_at += 1
        assert list(faults(told._replace(text=told.text.replace(f"`{span}`", f"`{other}`")))), span
    assert looked_at
