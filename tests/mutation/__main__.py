"""``python -m tests.mutation``: are there changes of the core that no test notices?

Needs ``pip install '.[test,mutation]'``. Plays the functions that changed since
``tests/mutation/score.tsv`` was written, and those of which a mutant survived; a function of which
all mutants are caught or explained is recorded there, also when the run is ended before it is
through. Ends with 1 if a mutant survives that nobody explained.
"""

import argparse
import hashlib
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from random import Random

import pytest

from tests.mutation.declared import TESTS
from tests.mutation.digest import CORE, Name, digests_of, file_of, modules
from tests.mutation.keys import Key
from tests.mutation.kinds import refused
from tests.mutation.mutants import Made, Mutant, make
from tests.mutation.player import Mutated, Player
from tests.mutation.record import (
    EXPLAINED,
    SCORE,
    TYPES,
    Explanation,
    FunctionScore,
    Outcome,
    Score,
    explanations,
    function_score,
    made_by,
    moved,
    record,
    score,
    sentence,
)
from tests.support.surroundings import CHECKOUT

SAMPLED_MODULES = 6
"""A sample is of so many modules: making mutants of all takes half a minute."""
REMEMBER_EVERY = 50
"""Mutants between two writes of the score."""

Outcomes = dict[Mutant, Outcome]


def main(arguments: list[str]) -> int:
    """Play what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="such as routing.scores")
    parser.add_argument("--jobs", type=int, default=1, help="mutants played at once")
    parser.add_argument("--minutes", type=float, default=600, help="stop after; go on next time")
    parser.add_argument("--fresh", action="store_true", help="functions that did not change too")
    parser.add_argument("--sample", type=int, metavar="N", help="play N mutants, record nothing")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.modules if not file_of(name).is_file()]:
        parser.error(f"no such module of the core: {', '.join(unknown)}")
    names = options.modules or modules()
    if options.sample is not None:
        return play_sample(names, options)
    today = {name: digest for module in modules() for name, digest in digests_of(module).items()}
    is_of_today = SCORE.exists() and made_by() == version("mutmut")
    kept = moved(score() if is_of_today else {}, today)
    stale = {
        name
        for name, digest in today.items()
        if name.module in names
        and (options.fresh or name not in kept or kept[name].digest != digest)
    }
    made = [make(module) for module in sorted({name.module for name in stale})]
    mutants = [m for of in made for m in of.mutants if m.key.name in stale]
    book = Book(kept, {name: today[name] for name in stale}, mutants)
    outcomes = play(made, [m for m in mutants if not m.is_left_out], options, book)
    record(book.score(outcomes))
    print(sentence(score()))
    return report(outcomes, stale, len(outcomes) == sum(not m.is_left_out for m in mutants))


class Book:
    """The score while mutants are played."""

    def __init__(self, kept: Score, stale: dict[Name, str], mutants: Iterable[Mutant]) -> None:
        self._kept = kept
        self._stale = stale
        self._mutants: dict[Name, list[Mutant]] = defaultdict(list)
        for mutant in mutants:
            self._mutants[mutant.key.name].append(mutant)
        self._explained = {key_of(e) for e in explanations()}

    def score(self, outcomes: Outcomes) -> Score:
        """What was kept, and what is known by now to be caught or explained."""
        played = {name: self._of(name, outcomes) for name in self._stale}
        untouched = {name: of for name, of in self._kept.items() if name not in self._stale}
        return untouched | {name: of for name, of in played.items() if of is not None}

    def _of(self, name: Name, outcomes: Outcomes) -> FunctionScore | None:
        to_play = [m for m in self._mutants[name] if not m.is_left_out]
        if any(
            m not in outcomes or not (outcomes[m].is_caught or m.key in self._explained)
            for m in to_play
        ):
            return None
        left_out = len(self._mutants[name]) - len(to_play)
        return function_score(self._stale[name], [outcomes[m] for m in to_play], left_out)


def play_sample(names: Sequence[str], options: argparse.Namespace) -> int:
    """Some mutants of some modules: the same for the same sources and tests, others as soon as one
    line changes. Nothing is recorded."""
    folders = (CORE, *(CHECKOUT / path for path in TESTS))
    files = [f for folder in folders for f in sorted(folder.rglob("*.py")) if folder.is_dir()]
    dice = Random(hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest())
    names = [name for name in names if digests_of(name)]
    chosen = sorted(dice.sample(sorted(names), min(len(names), SAMPLED_MODULES)))
    made = [make(name) for name in chosen]
    explained = {key_of(e) for e in explanations()}
    mutants = [m for of in made for m in of.mutants if not m.is_left_out]
    open_to_chance = sorted((m for m in mutants if m.key not in explained), key=lambda m: m.key)
    sampled = dice.sample(open_to_chance, min(options.sample, len(open_to_chance)))
    print(f"{len(sampled)} mutants of {', '.join(chosen)}", flush=True)
    outcomes = play(made, sampled, options, None)
    return report(outcomes, set(), len(outcomes) == len(sampled))


def play(
    made: Sequence[Made], mutants: Sequence[Mutant], options: argparse.Namespace, book: Book | None
) -> Outcomes:
    """Put mutants before the type checker, which is quick, and play those that it lets pass."""
    outcomes: Outcomes = {}
    began = time.monotonic()

    def told(mutant: Mutant, outcome: Outcome) -> None:
        outcomes[mutant] = outcome
        if len(outcomes) % REMEMBER_EVERY == 0:
            if book is not None:
                record(book.score(outcomes))
            spent = time.monotonic() - began
            caught = sum(o.is_caught for o in outcomes.values())
            print(
                f"  {len(outcomes)} of {len(mutants)}, {caught} caught, {spent:.0f} s", flush=True
            )

    by_name = {m.name: m for m in mutants}
    for name in refused(made, by_name.keys(), TYPES):
        told(by_name[name], Outcome.REFUSED)
    left = [m for m in mutants if m not in outcomes]
    if not left:
        return outcomes
    sys.meta_path.insert(0, Mutated(made))
    player = Player(left, options.jobs, began + options.minutes * 60, told)
    arguments = ["-q", "--no-header", "--hypothesis-profile=mutation", "-o", "timeout=0"]
    code = pytest.main([*arguments, *TESTS], plugins=[player])
    assert code == pytest.ExitCode.OK, f"pytest ended with {code}"
    return outcomes


def report(outcomes: Outcomes, whole: set[Name], complete: bool) -> int:
    """Name the survivors without an explanation, and explanations without a survivor; ``whole``
    are the functions of which all mutants are known."""
    explained = {key_of(e) for e in explanations()}
    survivors = {m.key for m, outcome in outcomes.items() if not outcome.is_caught}
    unexplained = sorted(survivors - explained)
    stale = sorted(e for e in explained - survivors if complete and e.name in whole)
    for key in unexplained:
        print(key)
    for key in stale:
        print(f"explained, but caught or not there: {key}")
    caught = sum(outcome.is_caught for outcome in outcomes.values())
    print(
        f"{len(outcomes)} mutants: {caught} caught, {len(survivors & explained)} explained, "
        f"{len(unexplained)} unexplained ({EXPLAINED.relative_to(CHECKOUT)})"
        + ("" if complete else "; not all were played")
    )
    return 1 if unexplained or stale or not complete else 0


def key_of(explanation: Explanation) -> Key:
    """The mutant an explanation is about."""
    e = explanation
    return Key(e.module, e.function, e.before, e.after, e.nth)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
