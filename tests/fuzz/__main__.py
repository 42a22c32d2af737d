"""A long search with atheris: ``python -m tests.fuzz firewall -max_total_time=600``.

Needs ``pip install atheris`` (it is no dependency: wheels exist for few Pythons). What it finds
goes to ``tests/fuzz/regressions/<target>/``.
"""

import sys
from importlib import import_module


def main() -> None:
    """Search until told to stop; libFuzzer's own options follow the target's name."""
    atheris = import_module("atheris")
    with atheris.instrument_imports(include=["fleet_tui"]):
        from tests.fuzz.targets import TARGETS
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"which one? {', '.join(TARGETS)}")
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
