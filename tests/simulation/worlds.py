"""Prints everything that happens in the worlds of some seeds, for the test of determinism.

Run as ``python -m tests.simulation.worlds SEED...``.
"""

import sys

from fleet_tui.sim.virtual.life import play


def main(seeds: list[int]) -> None:
    """One happening per line."""
    for seed in seeds:
        outcome = play(seed)
        for at_ms, words in outcome.notes:
            sys.stdout.write(f"{seed} {at_ms} {words}\n")
        sys.stdout.write(f"{seed} {outcome.steps} steps\n")


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]])
