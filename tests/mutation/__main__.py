"""``python -m tests.mutation``: are there changes of the core that no test notices?

Needs ``pip install '.[test,mutation]'``. Goes on where an earlier run ended: what was caught stays
caught until its function changes; survivors are played again. Modules that were played to the end
have their score in ``tests/mutation/score.json``. Ends with 1 if a mutant survives that nobody
explained.
"""

import argparse
import hashlib
import platform
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from random import Random

import pytest

from tests.mutation import record
from tests.mutation.declared import FURTHER, MODULES, TESTS
from tests.mutation.digest import digest_of, file_of
from tests.mutation.keys import Key
from tests.mutation.kinds import refused
from tests.mutation.mutants import Made, Mutant, make
from tests.mutation.player import Mutated, Player
from tests.mutation.record import EXPLAINED, STORE, Outcome, Verdict, table
from tests.support.surroundings import CHECKOUT

KEPT = STORE / "verdicts.json"
SAMPLED_MODULES = 6
"""A sample is of so many modules: making mutants of all takes half a minute."""
REMEMBER_EVERY = 50
"""Mutants between two writes of the verdicts."""

Outcomes = dict[Mutant, Outcome]


def main(arguments: list[str]) -> int:
    """Play what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="such as routing.scores")
    parser.add_argument("--jobs", type=int, default=1, help="mutants played at once")
    parser.add_argument("--minutes", type=float, default=600, help="stop after; go on next time")
    parser.add_argument("--fresh", action="store_true", help="forget earlier runs")
    parser.add_argument("--sample", type=int, metavar="N", help="play N mutants, record nothing")
    parser.add_argument("--show", action="store_true", help="print what is known and end")
    options = parser.parse_args(arguments)
    names = options.modules or [*MODULES, *FURTHER]
    if unknown := [name for name in names if not file_of(name).is_file()]:
        parser.error(f"no such module of the core: {', '.join(unknown)}")
    if options.sample is not None:
        return play_sample(options.modules or list(MODULES), options)
    if options.fresh:
        KEPT.unlink(missing_ok=True)
    modules = [make(name) for name in names]
    mutants = [m for made in modules for m in made.mutants if not m.is_left_out]
    verdicts = record.known(KEPT)
    outcomes = {
        m: known.outcome
        for m in mutants
        if (known := verdicts.get(str(m.key))) and known.digest == m.digest
    }
    left = [m for m in mutants if m not in outcomes or not outcomes[m].is_caught]
    if left and not options.show:
        outcomes |= play(modules, left, options, verdicts)
    whole = [m for m in modules if all(x in outcomes for x in m.mutants if not x.is_left_out)]
    if not options.show:
        keep_score(whole, outcomes)
    return report(outcomes, whole, len(whole) == len(modules))


def play_sample(names: Sequence[str], options: argparse.Namespace) -> int:
    """Some mutants of some modules: the same for the same sources and tests, others as soon as one
    line changes. Nothing is recorded."""
    folders = (CHECKOUT / "fleet_tui" / "core", *(CHECKOUT / path for path in TESTS))
    files = [f for folder in folders for f in sorted(folder.rglob("*.py")) if folder.is_dir()]
    dice = Random(hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest())
    chosen = sorted(dice.sample(sorted(names), min(len(names), SAMPLED_MODULES)))
    modules = [make(name) for name in chosen]
    explained = {key_of(e) for e in record.explanations()}
    mutants = [m for made in modules for m in made.mutants if not m.is_left_out]
    open_to_chance = sorted((m for m in mutants if m.key not in explained), key=lambda m: m.key)
    sampled = dice.sample(open_to_chance, min(options.sample, len(open_to_chance)))
    print(f"{len(sampled)} mutants of {', '.join(chosen)}", flush=True)
    outcomes = play(modules, sampled, options, {})
    return report(outcomes, [], len(outcomes) == len(sampled))


def play(
    modules: Sequence[Made],
    mutants: Sequence[Mutant],
    options: argparse.Namespace,
    verdicts: dict[str, Verdict],
) -> Outcomes:
    """Put mutants before the type checker, which is quick, and play those that it lets pass."""
    outcomes: Outcomes = {}
    began = time.monotonic()

    def told(mutant: Mutant, outcome: Outcome) -> None:
        outcomes[mutant] = outcome
        verdicts[str(mutant.key)] = Verdict(mutant.digest, outcome)
        if len(outcomes) % REMEMBER_EVERY == 0:
            if options.sample is None:
                record.remember(KEPT, verdicts)
            spent = time.monotonic() - began
            caught = sum(o.is_caught for o in outcomes.values())
            print(
                f"  {len(outcomes)} of {len(mutants)}, {caught} caught, {spent:.0f} s", flush=True
            )

    by_name = {m.name: m for m in mutants}
    for name in refused(modules, by_name.keys(), STORE / "mypy"):
        told(by_name[name], Outcome.REFUSED)
    sys.meta_path.insert(0, Mutated(modules))
    left = [m for m in mutants if m not in outcomes]
    player = Player(left, options.jobs, began + options.minutes * 60, told)
    arguments = ["-q", "--no-header", "--hypothesis-profile=mutation", "-o", "timeout=0"]
    code = pytest.main([*arguments, *TESTS], plugins=[player])
    assert code == pytest.ExitCode.OK, f"pytest ended with {code}"
    if options.sample is None:
        record.remember(KEPT, verdicts)
    return outcomes


def keep_score(whole: Sequence[Made], outcomes: Outcomes) -> None:
    """Record the score of modules of which all mutants were played."""
    explained = {key_of(e) for e in record.explanations()}
    date = datetime.now(UTC).date().isoformat()
    scores = dict(record.score().modules) if record.SCORE.exists() else {}
    for made in whole:
        played = {m.key: outcomes[m] for m in made.mutants if not m.is_left_out}
        survivors = {key for key, outcome in played.items() if not outcome.is_caught}
        left_out = sum(m.is_left_out for m in made.mutants)
        scores[made.module] = record.module_score(
            date,
            digest_of(made.file.read_text(encoding="utf-8")),
            played.values(),
            len(survivors & explained),
            left_out,
        )
    declared = {name: scores[name] for name in (*MODULES, *FURTHER) if name in scores}
    record.write_score(
        record.Score(python=platform.python_version(), mutmut=version("mutmut"), modules=declared)
    )
    print(f"recorded in {record.SCORE.relative_to(CHECKOUT)}; the table:\n{table(record.score())}")


def report(outcomes: Outcomes, whole: Sequence[Made], complete: bool) -> int:
    """Name the survivors without an explanation, and explanations without a survivor; ``whole``
    are the modules of which all mutants are known."""
    explained = {key_of(e) for e in record.explanations()}
    survivors = {m.key for m, outcome in outcomes.items() if not outcome.is_caught}
    unexplained = sorted(survivors - explained)
    names = {made.module for made in whole}
    stale = sorted(e for e in explained - survivors if e.module in names)
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


def key_of(explanation: record.Explanation) -> Key:
    """The mutant an explanation is about."""
    e = explanation
    return Key(e.module, e.function, e.before, e.after, e.nth)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
