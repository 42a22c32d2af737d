"""What is kept: verdicts between runs, explanations of survivors, the score."""

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path

import msgspec

from tests.support.surroundings import CHECKOUT

HERE = CHECKOUT / "tests" / "mutation"
SCORE = HERE / "score.json"
EXPLAINED = HERE / "explained.toml"
STORE = CHECKOUT / ".mutation"
"""Between runs, and not in git: verdicts and the type checker's cache."""

SCHEMA = "fleet-tui.mutation/1"


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


class ModuleScore(msgspec.Struct, frozen=True, kw_only=True):
    """Of one module. ``mutants`` is the sum of the four that follow it."""

    date: str
    """When it was played: ``2026-11-29``."""
    digest: str
    """Of the code that was played, as :func:`digest_of` tells it."""
    mutants: int
    killed: int
    refused: int
    explained: int
    unexplained: int
    left_out: int
    """Further mutants that are not played: of prose, and of what cannot be reached."""


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """``score.json``: each module as it was when all of its mutants had been played."""

    schema: str = SCHEMA
    python: str
    mutmut: str
    modules: dict[str, ModuleScore]


class Verdict(msgspec.Struct, frozen=True):
    """Of one mutant, for as long as its function is what it was."""

    digest: str
    outcome: Outcome


def explanations() -> list[Explanation]:
    """All of them."""
    document = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))
    return msgspec.convert(document.get("mutant", []), list[Explanation])


def score() -> Score:
    """The recorded one."""
    return msgspec.json.decode(SCORE.read_bytes(), type=Score)


def write_score(score: Score) -> None:
    """Record it."""
    SCORE.write_bytes(msgspec.json.format(msgspec.json.encode(score)) + b"\n")


def known(file: Path) -> dict[str, Verdict]:
    """Verdicts of earlier runs."""
    return msgspec.json.decode(file.read_bytes(), type=dict[str, Verdict]) if file.exists() else {}


def remember(file: Path, verdicts: Mapping[str, Verdict]) -> None:
    """Keep them for the next run; a run that is killed meanwhile leaves the old file."""
    file.parent.mkdir(exist_ok=True)
    new = file.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(verdicts))
    new.replace(file)


def module_score(
    date: str, digest: str, outcomes: Iterable[Outcome], explained: int, left_out: int
) -> ModuleScore:
    """Count. ``explained`` of the survivors have an explanation."""
    counts = Counter(outcomes)
    survivors = counts[Outcome.SURVIVED] + counts[Outcome.UNTESTED]
    return ModuleScore(
        date=date,
        digest=digest,
        mutants=counts.total(),
        killed=counts[Outcome.KILLED],
        refused=counts[Outcome.REFUSED],
        explained=explained,
        unexplained=survivors - explained,
        left_out=left_out,
    )


COUNTED = ("mutants", "killed", "refused", "explained", "unexplained", "left_out")


def table(score: Score) -> str:
    """The score as CONTRIBUTING shows it."""
    rows = [
        "| `fleet_tui/core` | mutants | killed | refused | explained | left | not played | date |",
        "|---|---|---|---|---|---|---|---|",
    ]
    sums: Counter[str] = Counter()
    for name, module in sorted(score.modules.items()):
        counts = {field: int(getattr(module, field)) for field in COUNTED}
        sums.update(counts)
        figures = " | ".join(f"{count:,}" for count in counts.values())
        rows.append(f"| `{name}` | {figures} | {module.date} |")
    rows.append(f"| all | {' | '.join(f'{sums[field]:,}' for field in COUNTED)} | |")
    return "\n".join(rows)
