"""A long search with atheris: ``python -m tests.fuzz firewall -max_total_time=600``.

Needs ``pip install atheris`` (it is no dependency: wheels exist for few Pythons). What it finds
goes to ``tests/fuzz/regressions/<target>/``.
"""

import sys
from importlib import import_module

from tests.fuzz.targets import TARGETS


def main() -> None:
    """Search until told to stop; libFuzzer's own options follow the target's name."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"which one? {', '.join(TARGETS)}")
    target = TARGETS[sys.argv.pop(1)]
    atheris = import_module("atheris")
    atheris.instrument_all()
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
