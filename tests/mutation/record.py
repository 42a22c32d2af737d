"""What is kept: the score of each function, and explanations of survivors."""

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from importlib.metadata import version

import msgspec

from tests.mutation.digest import Name
from tests.support.surroundings import CHECKOUT

HERE = CHECKOUT / "tests" / "mutation"
SCORE = HERE / "score.tsv"
EXPLAINED = HERE / "explained.toml"
PAGE = CHECKOUT / "CONTRIBUTING.md"
TYPES = CHECKOUT / ".mutation"
"""The type checker's cache between runs, and not in git."""


class Outcome(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    """A test failed."""
    REFUSED = "refused"
    """mypy refuses it."""
    SURVIVED = "survived"
    UNTESTED = "untested"
    """No test calls its function."""

    @property
    def is_caught(self) -> bool:
        return self in {Outcome.KILLED, Outcome.REFUSED}


class Explanation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a mutant may survive."""

    module: str
    function: str
    before: str
    after: str
    nth: int = 1
    why: str

    @property
    def name(self) -> Name:
        """Of its function."""
        return Name(self.module, self.function)


class FunctionScore(msgspec.Struct, frozen=True):
    """Of a function of which every mutant was caught, or has an explanation."""

    digest: str
    """Of the code that was played, as :func:`digests` tells it."""
    killed: int
    refused: int
    explained: int
    left_out: int
    """Further mutants that are not played: of prose, and of what cannot be reached."""


COUNTED = ("killed", "refused", "explained", "left_out")
HEAD = "\t".join(("module", "function", *FunctionScore.__struct_fields__))

Score = Mapping[Name, FunctionScore]


def explanations() -> list[Explanation]:
    """All of them."""
    document = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))
    return msgspec.convert(document.get("mutant", []), list[Explanation])


def score() -> dict[Name, FunctionScore]:
    """The recorded one."""
    _, head, *lines = SCORE.read_text(encoding="utf-8").splitlines()
    assert head == HEAD
    rows = [line.split("\t") for line in lines]
    fields = FunctionScore.__struct_fields__
    return {
        Name(module, function): msgspec.convert(
            dict(zip(fields, values, strict=True)), FunctionScore, strict=False
        )
        for module, function, *values in rows
    }


def made_by() -> str:
    """The version of mutmut that made the recorded mutants."""
    return SCORE.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# mutmut ")


def record(played: Score) -> None:
    """Keep a score, here and in the sentence of CONTRIBUTING. A run that is killed meanwhile leaves
    the old one."""
    before = sentence(score()) if SCORE.exists() else ""
    rows = [
        "\t".join((*name, *map(str, msgspec.structs.astuple(of))))
        for name, of in sorted(played.items())
    ]
    new = SCORE.with_suffix(".new")
    lines = [f"# mutmut {version('mutmut')}", HEAD, *rows]
    new.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    new.replace(SCORE)
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(page.replace(before, sentence(played)) if before else page, encoding="utf-8")


def moved(recorded: Score, today: Mapping[Name, str]) -> Score:
    """A score under the names of today: a function that only went to another module keeps it."""
    gone = {(n.function, of.digest): of for n, of in recorded.items() if n not in today}
    came = {
        name: gone[name.function, digest]
        for name, digest in today.items()
        if name not in recorded and (name.function, digest) in gone
    }
    return {name: of for name, of in recorded.items() if name in today} | came


def function_score(digest: str, outcomes: Iterable[Outcome], left_out: int) -> FunctionScore:
    """Count. All survivors have an explanation."""
    counts = Counter(outcomes)
    return FunctionScore(
        digest=digest,
        killed=counts[Outcome.KILLED],
        refused=counts[Outcome.REFUSED],
        explained=counts[Outcome.SURVIVED] + counts[Outcome.UNTESTED],
        left_out=left_out,
    )


def sentence(score: Score) -> str:
    """The score as CONTRIBUTING tells it."""
    sums = {field: sum(getattr(of, field) for of in score.values()) for field in COUNTED}
    played = sums["killed"] + sums["refused"] + sums["explained"]
    return (
        f"{played:,} mutants of {len(score):,} functions: {sums['killed']:,} killed by a test, "
        f"{sums['refused']:,} refused by mypy, {sums['explained']:,} explained; "
        f"{sums['left_out']:,} more not played"
    )
